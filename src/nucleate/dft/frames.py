"""Crystals and molecules as plain JSON values, exact to the last digit, for the files of a calculation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.io import replacing

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure


def to_record(atoms: Atoms) -> dict[str, Any]:
    """ASE atoms as lists: numbers (n,), cell (3, 3) and positions (n, 3) in angstrom, moments (n,) in Bohr magnetons.

    The moments are those that a calculation starts from.
    """
    return {
        "numbers": [int(z) for z in atoms.numbers],
        "cell": atoms.cell.array.tolist(),
        "positions": atoms.positions.tolist(),
        "moments": atoms.get_initial_magnetic_moments().tolist(),
    }


def to_atoms(record: Mapping[str, Any]) -> Atoms:
    """The inverse of `to_record`, periodic in all directions."""
    from ase import Atoms

    return Atoms(
        numbers=record["numbers"],
        cell=record["cell"],
        positions=record["positions"],
        magmoms=record["moments"] if any(record["moments"]) else None,
        pbc=True,
    )


def to_structure(record: Mapping[str, Any]) -> Structure:
    """The atoms as a pymatgen structure, with all atoms inside the cell."""
    from pymatgen.core import Lattice, Structure

    from nucleate.chem.elements import element_symbol

    atoms = to_atoms(record)
    species = [element_symbol(z) for z in record["numbers"]]
    return Structure(Lattice(record["cell"]), species, atoms.get_scaled_positions(wrap=True))


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write the file completely or not at all. Raises ValueError for a number that is not finite."""
    text = json.dumps(values, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json_object(path: Path) -> dict[str, Any] | None:
    """The values in the file; None where there is no file, or where it holds no JSON object."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None
