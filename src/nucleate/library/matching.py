"""Which rows of a library have the structure of a given crystal."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from nucleate.crystal.same_crystal import ComparableCrystal, is_same_crystal, may_repeat, prepare_for_comparison
from nucleate.library.entries import KnownEntry
from nucleate.library.filters import rows_of_formula

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from nucleate.library.table import LibraryTable


def atoms_by_element(structure: Structure) -> dict[str, int]:
    """Symbol -> atoms in the cell, whatever the oxidation states of the species."""
    return {e.symbol: round(n) for e, n in structure.composition.element_composition.items()}


def matching_rows(table: LibraryTable, structure: Structure) -> list[int]:
    """Rows of all crystals that have the formula of an ordered structure and match it.

    Whether two structures are the same says pymatgen's StructureMatcher at its usual tolerances, whatever their
    volumes; for hiding that is rather too much than too little. Primitive cells within 0.25 angstrom are compared.
    """
    rows = rows_of_formula(table, atoms_by_element(structure)).tolist()
    return rows_like(table, prepare_for_comparison(structure), rows) if rows else []


def rows_like(
    table: LibraryTable, crystal: ComparableCrystal, rows: Sequence[int], volume: float | None = None
) -> list[int]:
    """Those of some rows, all of the formula of the crystal, that match it.

    The cells of the library are primitive within 0.1 angstrom, and pymatgen's within 0.25, so a row may match only if
    the number of its atoms is that of the crystal, or a multiple of it and the cell repeats a smaller one. volume: the
    largest ratio of volumes per atom, None for any.
    """
    size = len(crystal.structure)
    times = {row: table.num_atoms[row] // size for row in rows if table.num_atoms[row] % size == 0}
    fitting = [row for row, n in times.items() if n == 1 or _repeats(table, row)]
    return [row for row in fitting if is_same_crystal(crystal, comparable_row(table, row), volume)]


@lru_cache(maxsize=50_000)
def _repeats(table: LibraryTable, row: int) -> bool:
    return may_repeat(*table.primitive(row))


@lru_cache(maxsize=2048)
def comparable_row(table: LibraryTable, row: int) -> ComparableCrystal:
    """The crystal of a row, prepared for comparisons."""
    return prepare_for_comparison(KnownEntry(table, row).structure)
