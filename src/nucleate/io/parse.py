"""One structure from each kind of text or record; parsers raise what they like, the callers make a reason of it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure


@dataclass(frozen=True)
class Parsed:
    """A crystal, and remarks for whoever wrote the file: what to look at, though it could be read."""

    structure: Structure
    remarks: tuple[str, ...] = ()


def scalars(values: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that are plain scalars (numpy's included), as Python values."""
    out = {}
    for key, value in values.items():
        value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
        if isinstance(value, bool | int | float | str) and value != "":
            out[str(key)] = value
    return out


def structure_from_poscar(text: str) -> Structure:
    """From VASP's format; raises NucleateError without the names of the elements."""
    from pymatgen.io.vasp import Poscar

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        structure = Poscar.from_str(text, read_velocities=False).structure
    if any("false names" in str(w.message) for w in caught):
        raise NucleateError("no element names (VASP 4); write them on the line before the numbers of atoms")
    return structure


def structure_from_atoms(atoms: Atoms) -> Structure:
    """A bare structure (species and sites alone); raises NucleateError without a cell or periodicity."""
    from pymatgen.core import Lattice, Structure

    from nucleate.crystal.convert import SMALLEST_VOLUME

    if not atoms.cell.any():
        raise NucleateError("no cell")
    if not abs(atoms.cell.volume) >= SMALLEST_VOLUME:  # also when it is not a number
        raise NucleateError(f"the cell has no volume ({atoms.cell.volume:.3g} cubic angstrom)")
    if not atoms.pbc.all():
        raise NucleateError(f"periodic in {int(atoms.pbc.sum())} of 3 directions")
    if (atoms.numbers < 1).any():
        raise NucleateError("an atom is X, which is not an element")
    return Structure(Lattice(atoms.cell.array), atoms.numbers, atoms.get_scaled_positions(wrap=False))


def structure_from_dict(values: Any) -> Structure:
    """From pymatgen's dictionary of a structure; raises NucleateError for any other value."""
    from pymatgen.core import Structure

    if not isinstance(values, Mapping) or "lattice" not in values or "sites" not in values:
        raise NucleateError("not a structure (a dictionary with 'lattice' and 'sites' as pymatgen writes it)")
    return Structure.from_dict(dict(values))


def structure_from_columns(atomic_numbers: Any, frac_coords: Any, lengths: Any, angles: Any) -> Structure:
    """A structure from the columns of our parquet files: numbers (n,), coordinates (3 n,), angstrom, degrees."""
    from pymatgen.core import Lattice, Structure

    for name, value in (
        ("coordinates", frac_coords),
        ("atomic numbers", atomic_numbers),
        ("cell", lengths),
        ("cell", angles),
    ):
        if value is None or len(value) == 0:
            raise NucleateError(f"no {name}")
    if len(frac_coords) != 3 * len(atomic_numbers):
        raise NucleateError(f"{len(frac_coords)} coordinates for {len(atomic_numbers)} atoms")
    if not all(math.isfinite(v) for v in (*frac_coords, *lengths, *angles)):
        raise NucleateError("the cell or a coordinate is not a finite number")
    sites = [frac_coords[i : i + 3] for i in range(0, len(frac_coords), 3)]
    return Structure(Lattice.from_parameters(*lengths, *angles), atomic_numbers, sites)
