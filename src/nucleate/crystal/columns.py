"""Crystals in the rows of a table, with columns for atomic numbers, fractional coordinates, lengths and angles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

GEOMETRY = ("atomic_numbers", "frac_coords", "lengths", "angles")


def arrays_of_row(row: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], list[Any]]:
    """The lattice (3, 3) with vectors in rows, in angstrom; the fractional coordinates (n, 3); the n atomic numbers.

    row: must have the columns GEOMETRY: n "atomic_numbers", 3n "frac_coords" in one list, three "lengths" in angstrom
    and three "angles" in degrees. Nothing is checked; `nucleate.io` reads rows that may be damaged.
    """
    from pymatgen.core import Lattice

    lattice = np.array(Lattice.from_parameters(*row["lengths"], *row["angles"]).matrix)
    return lattice, np.reshape(row["frac_coords"], (-1, 3)), row["atomic_numbers"]


def structure_of_row(row: Mapping[str, Any]) -> Structure:
    """The crystal in a row of a table; the columns are those of `arrays_of_row`."""
    from pymatgen.core import Structure

    lattice, frac, numbers = arrays_of_row(row)
    return Structure(lattice, numbers, frac)
