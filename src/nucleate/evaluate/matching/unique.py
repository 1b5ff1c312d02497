"""Which of many generated crystals are unique, and which are new.

The verdicts are those of pymatgen's `StructureMatcher(ltol, stol, angle_tol).fit(earlier, later)` for every pair in
order, without oxidation states. Each crystal is reduced once, and only crystals of the same composition and size are
compared. `exclusions` removes pairs that the matcher would certainly refuse. The other pairs are compared in worker
processes with a time limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import NucleateError
from nucleate.evaluate.matching.first_match import MatchingRun, Progress, by_size

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray
    from pymatgen.core import Structure

Formula = tuple[tuple[str, float], ...]  # elements and their fractions, as the matcher compares compositions


@dataclass(frozen=True)
class Matcher:
    """StructureMatcher's tolerances; the defaults are pymatgen's.

    ltol: relative, of lengths. stol: of sites, in units of (V/N)^(1/3). angle_tol: in degrees. volume_tol: the matcher
    does not compare volumes; with this setting volumes per atom may differ at most by this fraction of the smaller one.
    """

    ltol: float = 0.2
    stol: float = 0.3
    angle_tol: float = 5.0
    volume_tol: float | None = None


@dataclass(frozen=True)
class Twins:
    """The result of comparing crystals.

    twin: for each crystal the first one that it matches, or None. reasons: index -> why a crystal could not be
    compared; such crystals are neither unique nor duplicates. passed_over: the number of known crystals without a
    structure.
    """

    twin: list[int | str | None]
    reasons: dict[int, str]
    passed_over: int = 0

    @property
    def alone(self) -> list[int]:
        """The crystals that were compared and have no twin."""
        return [i for i, t in enumerate(self.twin) if t is None and i not in self.reasons]


def unique(
    structures: Sequence[Structure | None],
    matcher: Matcher | None = None,
    *,
    limit: float = 20.0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Twins:
    """For each crystal the index of the first earlier crystal that it matches; a crystal without a match is unique.

    Crystals are also compared with earlier duplicates, because the matcher is not transitive, but not with crystals
    that cannot be reduced. limit: seconds for one reduction or comparison. If one fails or takes longer, the crystal
    has no verdict, unless another comparison finds a match. progress: called with (steps done, all steps). Runs in
    `workers` spawned processes (all cores by default), so a script needs `if __name__ == "__main__":`.
    """
    groups, reasons = _by_formula(structures)
    shared = [members for members in groups.values() if len(members) > 1]
    todo = {i: structures[i] for members in shared for i in members}
    run = MatchingRun(matcher or Matcher(), limit, workers, progress, 2 * len(todo))
    cells, failed = run.reduce(todo)
    sized = [block for members in shared for block in by_size(members, cells).values()]
    found, undecided = run.compare([(block, block) for block in sized], before=True)
    return _verdicts(len(structures), found, {**undecided, **failed, **reasons})


def novel(
    structures: Sequence[Structure | None],
    known: Sequence[Structure | None] | pa.Table,
    matcher: Matcher | None = None,
    *,
    limit: float = 20.0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Twins:
    """For each crystal the first known crystal that it matches: its index, or for a table its material_id.

    known: structures, or a table with the columns material_id, atomic_numbers, frac_coords (flat), lengths (angstrom)
    and angles (degrees). Of a table, only rows with the formula of one of the structures are built; rows without
    coordinates are left out and counted. The matcher gets the known crystal first. The other arguments are those of
    `unique`. Raises NucleateError for a table without one of the columns.
    """
    groups, reasons = _by_formula(structures)
    library = _KnownCrystals(known)
    n = len(structures)
    shared = {f: members for f, members in groups.items() if f in library.rows}
    theirs = {f: [n + row for row in library.rows[f]] for f in shared}  # places after those of the structures
    todo: dict[int, Any] = {i: structures[i] for members in shared.values() for i in members}
    judged = len(todo)
    todo |= {place: library.crystal(place - n) for places in theirs.values() for place in places}
    run = MatchingRun(matcher or Matcher(), limit, workers, progress, judged + len(todo))
    cells, failed = run.reduce(todo)
    blocks = []
    for formula, members in shared.items():
        if lost := [failed[p] for p in theirs[formula] if p in failed]:
            reason = (
                f"{len(lost)} of {len(theirs[formula])} known crystals of its formula cannot be compared ({lost[0]})"
            )
            reasons |= dict.fromkeys(members, reason)
        others = by_size(theirs[formula], cells)
        blocks += [(block, others.get(size, [])) for size, block in by_size(members, cells).items()]
    found, undecided = run.compare(blocks, before=False)
    named = {i: library.name(place - n) for i, place in found.items()}
    reasons = {**reasons, **undecided, **{i: reason for i, reason in failed.items() if i < n}}
    return _verdicts(n, named, reasons, library.passed_over)


def _verdicts(n: int, found: dict[int, Any], reasons: dict[int, str], passed_over: int = 0) -> Twins:
    """The result; a match counts even if other comparisons failed."""
    left = {i: reasons[i] for i in sorted(reasons) if i not in found}
    return Twins([found.get(i) for i in range(n)], left, passed_over)


def _by_formula(structures: Sequence[Structure | None]) -> tuple[dict[Formula, list[int]], dict[int, str]]:
    groups: dict[Formula, list[int]] = {}
    reasons: dict[int, str] = {}
    for i, s in enumerate(structures):
        if s is None:
            reasons[i] = "no structure"
        elif len(s) == 0 or not s.is_ordered:
            reasons[i] = "no ordered structure to compare"
        elif not (np.isfinite(s.lattice.matrix).all() and np.isfinite(s.frac_coords).all()):
            reasons[i] = "the lattice or a coordinate is not a number"
        elif not s.volume > 0:
            reasons[i] = "the cell has no volume"
        else:
            groups.setdefault(_formula(e.symbol for e in s.species), []).append(i)
    return groups, reasons


def _formula(symbols: Iterable[str]) -> Formula:
    counts = Counter(symbols)
    total = counts.total()
    return tuple(sorted((s, n / total) for s, n in counts.items()))  # equal ratios round to equal floats


class _KnownCrystals:
    """Known crystals by formula; structures are built only when they are needed."""

    def __init__(self, known: Sequence[Structure | None] | pa.Table) -> None:
        import pyarrow as pa

        self.passed_over = 0
        self._table: pa.Table | None = None
        if isinstance(known, pa.Table):
            self.rows = self._index(known)
        else:
            self._structures = known
            self.rows, without = _by_formula(known)
            self.passed_over = len(without)

    def _index(self, table: pa.Table) -> dict[Formula, list[int]]:
        from nucleate.chem.elements import element_symbol
        from nucleate.hull.known_crystals import CRYSTAL_COLUMNS

        if missing := [c for c in CRYSTAL_COLUMNS if c not in table.column_names]:
            raise NucleateError(f"the known crystals lack column '{missing[0]}'; needed: {', '.join(CRYSTAL_COLUMNS)}")
        self._table = table.select(list(CRYSTAL_COLUMNS)).combine_chunks()
        sites, coords, lengths, angles = (_list_lengths(self._table, c) for c in CRYSTAL_COLUMNS[1:])
        whole = (sites > 0) & (coords == 3 * sites) & (lengths == 3) & (angles == 3)
        self.passed_over = int((~whole).sum())
        numbers = self._table.column("atomic_numbers").to_pylist()
        rows: dict[Formula, list[int]] = {}
        for i in np.flatnonzero(whole).tolist():
            rows.setdefault(_formula(map(element_symbol, numbers[i])), []).append(i)
        return rows

    def crystal(self, row: int) -> Any:
        if self._table is None:
            return self._structures[row]
        return self._table.slice(row, 1).to_pylist()[0]  # the worker builds it, so that an impossible cell raises there

    def name(self, row: int) -> int | str:
        return row if self._table is None else str(self._table.column("material_id")[row].as_py())


def _list_lengths(table: pa.Table, column: str) -> NDArray[np.int64]:
    import pyarrow.compute as pc

    return pc.fill_null(pc.list_value_length(table.column(column)), 0).to_numpy()
