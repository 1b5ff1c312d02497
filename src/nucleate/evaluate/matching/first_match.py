"""Finds matches among many crystals in worker processes. `unique` and `metre` are built on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.evaluate.matching.exclusions import Cell, Screen
from nucleate.parallel import Outcome, map_again

if TYPE_CHECKING:
    from nucleate.evaluate.matching.unique import Matcher

Progress = Callable[[int, int], None]  # (done, total): steps, which are crystals reduced and crystals compared
# Pairs (cells to judge, cells that they may match); all cells of a pair have one formula and number of sites.
Blocks = Sequence[tuple[list[Cell], list[Cell]]]

REDUCED_AT_ONCE = 40  # crystals of one job, which takes about 0.1 s
PAIRS_AT_ONCE = 10_000  # pairs of one job; `Screen` excludes most of them, so that a job takes about a second
# Longest vector of a cell scaled to volume 1. pymatgen lists all lattice points up to it, here half a million.
LONGEST_VECTOR = 50.0


class MatchingRun:
    """Reduces and compares crystals in worker processes.

    A job that fails or takes too long is repeated in smaller pieces, down to one crystal or one pair, so that only the
    piece at fault is lost. limit: seconds for one job. workers: the number of processes. total: the number of steps
    that `progress` is told.
    """

    def __init__(
        self, matcher: Matcher, limit: float, workers: int | None, progress: Progress | None, total: int
    ) -> None:
        self.matcher, self.limit, self.workers = matcher, limit, workers
        self.progress, self.done, self.total = progress, 0, total

    def _report_progress(self, n: int) -> None:
        self.done += n
        if n and self.progress is not None:
            self.progress(self.done, self.total)

    def _outcomes(
        self, function: Callable[..., Any], jobs: list[tuple], pieces: Callable[..., list[tuple]]
    ) -> Iterator[tuple[tuple, Outcome]]:
        def again(job: tuple, reason: str) -> list[tuple]:
            smaller = pieces(*job)
            return smaller if len(smaller) > 1 else []

        return map_again(function, jobs, again, limit=self.limit, workers=self.workers, prepare=_prepare)

    def reduce(self, crystals: dict[int, Any]) -> tuple[dict[int, Cell], dict[int, str]]:
        """Reduce crystals (place -> structure or row).

        Returns the cells, and the reasons why other crystals cannot be reduced, both by place.
        """
        items = list(crystals.items())
        jobs = [(items[k : k + REDUCED_AT_ONCE],) for k in range(0, len(items), REDUCED_AT_ONCE)]
        cells: dict[int, Cell] = {}
        failed: dict[int, str] = {}
        for (part,), outcome in self._outcomes(_reduce, jobs, lambda part: [([item],) for item in part]):
            for place, answer in outcome.value or [(part[0][0], outcome.reason)]:
                if isinstance(answer, Cell):
                    cells[place] = answer
                else:
                    failed[place] = answer
            self._report_progress(len(part))
        return cells, failed

    def compare(self, blocks: Blocks, before: bool) -> tuple[dict[int, int], dict[int, str]]:
        """For each cell, by its place: the place of the first cell that it matches; and why comparisons failed.

        before: a cell is compared only with cells of lower place. Each cell is compared by itself with all that it may
        match, so any slice of a block can be a job.
        """
        jobs = [(*part, self.matcher, before) for later, earlier in blocks for part in _parts(later, earlier, before)]
        open_jobs = Counter(cell.index for job in jobs for cell in job[0])

        def pieces(later: list[Cell], earlier: list[Cell], *rest: Any) -> list[tuple]:
            if len(later) > 1:
                return [([cell], earlier, *rest) for cell in later]
            open_jobs[later[0].index] += len(earlier) - 1
            return [(later, [cell], *rest) for cell in earlier]

        found: dict[int, int] = {}
        failures: dict[int, str] = {}
        for (later, *_), outcome in self._outcomes(_compare, jobs, pieces):
            for place, match, reason in outcome.value or [(later[0].index, None, outcome.reason)]:
                if match is not None:
                    found[place] = min(match, found.get(place, match))
                if reason is not None:
                    failures.setdefault(place, reason)
                open_jobs[place] -= 1
                self._report_progress(int(open_jobs[place] == 0))
        self._report_progress(self.total - self.done)
        return found, failures

    def possible(self, blocks: Blocks) -> list[tuple[int, int]]:
        """Pairs (place, place of the cell that it may match) that `Screen` does not exclude.

        Pairs for which this takes too long to decide are included. Give the second crystal of a pair to the matcher
        first.
        """
        jobs = [(*part, self.matcher) for many, others in blocks for part in _parts(many, others, before=False)]

        def pieces(many: list[Cell], others: list[Cell], matcher: Matcher) -> list[tuple]:
            if len(many) > 1:
                return [([cell], others, matcher) for cell in many]
            return [(many, [cell], matcher) for cell in others]

        left: list[tuple[int, int]] = []
        for (many, others, _), outcome in self._outcomes(_screen, jobs, pieces):
            left += [(many[0].index, others[0].index)] if outcome.value is None else outcome.value
        return left


def by_size(places: Sequence[int], cells: dict[int, Cell]) -> dict[int, list[Cell]]:
    """Number of sites -> the cells of these places. The matcher refuses pairs with different numbers of sites."""
    sizes: dict[int, list[Cell]] = {}
    for place in places:
        if place in cells:
            sizes.setdefault(len(cells[place].species), []).append(cells[place])
    return sizes


def _parts(later: list[Cell], earlier: list[Cell], before: bool) -> Iterator[tuple[list[Cell], list[Cell]]]:
    """Slices of the comparisons, with about PAIRS_AT_ONCE pairs each."""
    start = stop = 1 if before else 0  # there is no cell before the first one
    while stop < len(later) and earlier:
        pairs = 0
        while stop < len(later) and (not pairs or pairs < PAIRS_AT_ONCE):
            pairs += stop if before else len(earlier)
            stop += 1
        yield later[start:stop], earlier[: stop - 1] if before else earlier
        start = stop


def _prepare() -> None:
    import warnings

    import pymatgen.core.structure_matcher  # noqa: F401
    import scipy.spatial  # noqa: F401

    warnings.simplefilter("ignore")  # pymatgen warns of site properties and unusual cells


def _reduce(crystals: list[tuple[int, Any]]) -> list[tuple[int, Cell | str]]:
    """Reduce crystals as StructureMatcher does: no oxidation states, then the Niggli cell, then the primitive cell."""
    from pymatgen.core import Structure

    from nucleate.crystal.columns import structure_of_row

    out: list[tuple[int, Cell | str]] = []
    for place, given in crystals:
        try:
            if isinstance(given, dict):
                given = structure_of_row(given)
            longest = np.linalg.norm(given.lattice.lll_matrix, axis=1).max() / given.volume ** (1 / 3)
            if not longest < LONGEST_VECTOR:
                raise ValueError(f"a cell like a needle or sheet, {longest:.0f} times as long as a cube of its volume")
            bare = Structure(given.lattice, [s.symbol for s in given.species], given.frac_coords)
            small = bare.get_reduced_structure("niggli").get_primitive_structure()
            if not np.isfinite(small.frac_coords).all():
                raise ValueError("a coordinate is not a number")
            out.append(
                (place, Cell(place, small.lattice.matrix, small.frac_coords, tuple(s.symbol for s in small.species)))
            )
        except Exception as error:  # pymatgen raises errors of many kinds on strange cells
            out.append((place, _first_line(error)))
    return out


def _compare(
    later: list[Cell], earlier: list[Cell], matcher: Matcher, before: bool
) -> list[tuple[int, int | None, str | None]]:
    """For each later cell: its place, the place of its first match, and the reason if an earlier comparison failed."""
    from pymatgen.core.structure_matcher import StructureMatcher

    fit = StructureMatcher(ltol=matcher.ltol, stol=matcher.stol, angle_tol=matcher.angle_tol).fit
    screen = Screen(earlier, matcher)
    out: list[tuple[int, int | None, str | None]] = []
    for cell in later:
        match = reason = None
        for position in screen.candidates(cell, before).tolist():
            other = earlier[position]
            try:
                if screen.may_match(position, cell) and fit(
                    other.structure, cell.structure, skip_structure_reduction=True
                ):
                    match = other.index
                    break
            except Exception as error:
                reason = reason or _first_line(error)
        out.append((cell.index, match, reason))
    return out


def _screen(many: list[Cell], others: list[Cell], matcher: Matcher) -> list[tuple[int, int]]:
    screen = Screen(others, matcher)
    return [
        (cell.index, others[position].index)
        for cell in many
        for position in screen.candidates(cell, before=False).tolist()
        if screen.may_match(position, cell)
    ]


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
