"""Known crystals: tables of them, and the choice of those that a reference set needs."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.chem.composition import Formula
from nucleate.chem.elements import atomic_number, element_symbol
from nucleate.crystal.columns import GEOMETRY, arrays_of_row
from nucleate.crystal.symmetry import find_symmetry, without_hand
from nucleate.errors import NucleateError
from nucleate.library.library import Library, load_library
from nucleate.settings.sampling import KNOWN

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray
    from pymatgen.core import Structure

SYMPREC = 0.1  # angstrom, for the space group
PRIMITIVE_SYMPREC = 0.01  # angstrom, for the primitive cell: only atoms that truly repeat are merged
MAX_ALLOTROPES = 4  # of each element
MAX_ALLOTROPE_ATOMS = 12  # in the primitive cell of an allotrope; the lowest one may have more
TIE = 1e-3  # eV/atom; public tables often give all crystals of a formula and space group the same e_above_hull
CRYSTAL_COLUMNS = ("material_id", *GEOMETRY)


@dataclass(frozen=True)
class KnownCrystal:
    """A known crystal of n atoms in its primitive cell.

    source: its id in the table. key: its reduced formula. e_above_hull: as the table has it, eV/atom. lattice (3, 3):
    rows are vectors, angstrom. frac_coords (n, 3).
    """

    source: str
    key: Formula
    space_group: int
    e_above_hull: float
    lattice: NDArray[np.float64]
    frac_coords: NDArray[np.float64]
    atomic_numbers: tuple[int, ...]

    def structure(self) -> Structure:
        """The crystal as a pymatgen structure."""
        from pymatgen.core import Structure

        return Structure(self.lattice, [element_symbol(z) for z in self.atomic_numbers], self.frac_coords)


def known_table(dataset: str, needs_hull: bool = False) -> pa.Table:
    """All splits of a data set, or a parquet file of crystals, with the columns that describe structures.

    needs_hull: whether the column e_above_hull is needed too. Raises NucleateError where a column is missing.
    """
    import pyarrow as pa

    columns = [*CRYSTAL_COLUMNS, "e_above_hull"] if needs_hull else list(CRYSTAL_COLUMNS)
    tables = _splits(dataset)
    for table in tables:
        if missing := [c for c in columns if c not in table.column_names]:
            raise NucleateError(f"{dataset} lacks column '{missing[0]}'; needed are {', '.join(columns)}")
    return pa.concat_tables([t.select(columns) for t in tables], promote_options="permissive")


def known_source(dataset: str) -> pa.Table | Library:
    """Crystals that `select_crystals` takes: "known" for those that come with nucleate, else `known_table` with
    energies above the hull."""
    if dataset == KNOWN:
        return load_library()
    return known_table(dataset, needs_hull=True)


def _splits(dataset: str) -> list[pa.Table]:
    from nucleate.data import CATALOG, load_table
    from nucleate.data.catalog import SPLITS

    if dataset.endswith(".parquet") or ":" in dataset:
        return [load_table(dataset)]
    if dataset in CATALOG:
        return [load_table(dataset, split) for split in SPLITS]
    tables = [load_table(dataset, "train")]  # a data set that the user has prepared may lack the other splits
    for split in ("val", "test"):
        with contextlib.suppress(NucleateError):
            tables.append(load_table(dataset, split))
    return tables


def select_crystals(
    table: pa.Table | Library,
    max_e_hull: float | None = 0.02,
    max_atoms: int = 40,
    elements: Sequence[str] | None = None,
    tie: float = TIE,
) -> list[KnownCrystal]:
    """The crystals whose energies a reference set needs, in the order of `hull.build`, elements first.

    table: the library, or a table with the columns material_id, atomic_numbers, frac_coords (flat), lengths, angles,
    and e_above_hull unless `max_e_hull` is None. Compounds are kept if they have at most `max_atoms` atoms in the
    primitive cell, an e_above_hull of at most `max_e_hull` (eV/atom), and lie within `tie` (eV/atom) of the lowest
    crystal of their formula and space group. Of each element the MAX_ALLOTROPES lowest allotropes are kept, however
    far above the hull. elements: only crystals of these. Raises NucleateError where a column is missing.
    """
    wanted = {atomic_number(e) for e in elements} if elements else None
    compounds: dict[tuple[Formula, int], list[KnownCrystal]] = {}
    pure: dict[str, list[KnownCrystal]] = {}
    read = _read_library if isinstance(table, Library) else _read_table
    for known in read(table, max_e_hull, max_atoms, wanted):
        if len(known.key) == 1:
            pure.setdefault(known.key[0][0], []).append(known)
            continue
        compounds.setdefault((known.key, without_hand(known.space_group)), []).append(known)
    chosen = [k for e in sorted(pure) for k in _allotropes(pure[e])]
    for group in compounds.values():
        lowest = min(k.e_above_hull for k in group)
        group[:] = [k for k in group if k.e_above_hull <= lowest + tie]
    return chosen + sorted((k for group in compounds.values() for k in group), key=_usefulness)


def _read_library(
    library: Library, max_e_hull: float | None, max_atoms: int, wanted: set[int] | None
) -> Iterator[KnownCrystal]:
    from nucleate.library.filters import Filters

    symbols = tuple(element_symbol(z) for z in sorted(wanted or ()))
    for entry in library.select(Filters(system=symbols, num_atoms=(1, max_atoms))):
        above = entry.e_above_hull if entry.e_above_hull is not None else float("inf")
        if len(entry.elements) == 1 or max_e_hull is None or above <= max_e_hull:
            lattice, frac, numbers = entry.table.primitive(entry.row)
            key = Formula.of(entry.composition)
            yield KnownCrystal(entry.id, key, entry.space_group, above, lattice, frac, tuple(numbers.tolist()))


def _read_table(
    table: pa.Table, max_e_hull: float | None, max_atoms: int, wanted: set[int] | None
) -> Iterator[KnownCrystal]:
    needed = [*CRYSTAL_COLUMNS, "e_above_hull"] if max_e_hull is not None else list(CRYSTAL_COLUMNS)
    if missing := [c for c in needed if c not in table.column_names]:
        raise NucleateError(f"the table lacks column '{missing[0]}'; a reference needs {', '.join(needed)}")
    for batch in table.select(needed).to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            numbers = row["atomic_numbers"]
            if not numbers or any(row[c] is None for c in ("frac_coords", "lengths", "angles")):
                continue  # coordinates are missing
            above = row.get("e_above_hull")
            above = float("inf") if above is None or np.isnan(above) else float(above)
            kinds = set(numbers)
            if not kinds or (wanted is not None and not kinds <= wanted):
                continue
            if len(kinds) > 1 and max_e_hull is not None and above > max_e_hull:
                continue
            number, cell = primitive_cell(*arrays_of_row(row))
            if len(cell[2]) <= max_atoms:
                key = Formula.of({element_symbol(z): n for z, n in Counter(numbers).items()})
                yield KnownCrystal(row["material_id"], key, number, above, *cell)


def primitive_cell(lattice: Any, frac: Any, numbers: Sequence[int]) -> tuple[int, tuple[Any, Any, tuple[int, ...]]]:
    """Space group number, and lattice (3, 3) in angstrom, fractional coordinates (n, 3) and atomic numbers of the
    primitive cell; the cell stays as it is given where no smaller one is found."""
    number, smaller = 1, None
    with contextlib.suppress(ValueError):  # no consistent symmetry is found, so the cell stays as it is
        number = find_symmetry(lattice, frac, numbers, SYMPREC).number
        smaller = find_symmetry(lattice, frac, numbers, PRIMITIVE_SYMPREC).prim_std_cell
    if smaller is None or len(smaller.numbers) >= len(numbers):
        return number, (np.asarray(lattice), np.asarray(frac), tuple(numbers))
    return number, (np.asarray(smaller.basis), np.asarray(smaller.positions), tuple(smaller.numbers))


def _allotropes(crystals: list[KnownCrystal]) -> list[KnownCrystal]:
    """The lowest crystals of an element, one of each space group; the very lowest is always among them."""
    lowest_first = sorted(crystals, key=lambda k: (k.e_above_hull, len(k.atomic_numbers), k.source))
    space_groups: set[int] = set()
    small = []
    for known in lowest_first:
        if len(known.atomic_numbers) <= MAX_ALLOTROPE_ATOMS and without_hand(known.space_group) not in space_groups:
            space_groups.add(without_hand(known.space_group))
            small.append(known)
    kept = small[:MAX_ALLOTROPES]
    return kept if lowest_first[0] in kept else [lowest_first[0], *kept[: MAX_ALLOTROPES - 1]]


def _usefulness(known: KnownCrystal) -> tuple[bool, int, float, str]:
    """A key that sorts the most useful crystals first: stable ones, then by kind as in `hull.build`, small ones."""
    size = len(known.key)
    kind = size if size != 3 or any(s == "O" for s, _ in known.key) else 3.5
    return known.e_above_hull > 5e-4, int(2 * min(kind, 4)), len(known.atomic_numbers), known.source
