"""Crystals in the columns of a table: one row holds atomic numbers, fractional coordinates, lengths and angles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

GEOMETRY = ("atomic_numbers", "frac_coords", "lengths", "angles")


def arrays_of_row(row: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], list[Any]]:
    """Lattice (3, 3) with vectors in rows, angstrom; fractional coordinates (n, 3); n atomic numbers.

    row: the columns GEOMETRY, that is n "atomic_numbers", "frac_coords" (3n, flat), three "lengths" in angstrom and
    three "angles" in degrees. Nothing is checked; `nucleate.io` reads rows that may be damaged.
    """
    from pymatgen.core import Lattice

    lattice = np.array(Lattice.from_parameters(*row["lengths"], *row["angles"]).matrix)
    return lattice, np.reshape(row["frac_coords"], (-1, 3)), row["atomic_numbers"]


def structure_of_row(row: Mapping[str, Any]) -> Structure:
    """The crystal of a row, see `arrays_of_row`."""
    from pymatgen.core import Structure

    lattice, frac, numbers = arrays_of_row(row)
    return Structure(lattice, numbers, frac)
