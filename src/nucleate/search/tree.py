"""Tree search (GenMS, Yang et al. 2024, arXiv 2409.06762, Algorithm 1): a request gets H formulas, and the W best of
these get L structures each.

Formulas are ordered by R_hi (`search.heuristics`), structures by R_lo (`pipeline.rank`). A strategy decides only by
what has been done so far, so a search that was interrupted continues as if it had not been.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.errors import Code, NucleateError
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.rank import rank

if TYPE_CHECKING:
    from nucleate.request.request import Request
    from nucleate.settings import DesignSettings

BEST, BREADTH, BEAM = "best-first", "breadth-first", "beam"
STRATEGIES = {
    BEST: "formula after formula, the best first, all structures of each",
    BREADTH: "one structure of every formula before the second of any",
    BEAM: "as breadth-first, but after each structure only the better half of the formulas is kept",
}
TYPES, TEMPLATES, SAMPLES = "types", "templates", "samples"  # in what the structures of one formula differ
WIDTH = "width"  # the stage at which formulas that are not opened are rejected
STRUCTURES = 4  # L, where it is neither given nor the number of structure types of a family
BREADTH_OF_FORMULAS = 5  # formulas drawn for each one that is opened, where H is not given
BLOCK = 16  # structures that go through the stages together
Branch = tuple[Candidate, ...]


@dataclass(frozen=True)
class Extent:
    """The size of a tree.

    formulas: H, how many are proposed. width: W, how many of these are opened. structures: L, how many each of these
    gets.
    """

    formulas: int
    width: int
    structures: int


def extent_of(request: Request, settings: DesignSettings) -> Extent:
    """H, W and L. What is not given is chosen so that W times L is about the number of candidates times oversample.

    Raises NucleateError where more formulas are to be opened than are proposed.
    """
    search = settings.search
    structures = search.structures_each or _structures_of(request, settings)
    width = search.width or max(1, math.ceil(request.candidates * search.oversample / structures))
    formulas = search.formulas or BREADTH_OF_FORMULAS * width
    if formulas < width:
        raise NucleateError(f"{width} formulas cannot be opened of {formulas}; raise 'formulas' or lower 'width'")
    return Extent(formulas, width, structures)


def _structures_of(request: Request, settings: DesignSettings) -> int:
    """L where it is not given: with prototypes the largest number of structure types of a family, else STRUCTURES."""
    from nucleate.families.family import lexicon
    from nucleate.generators.methods import PROTOTYPE

    if settings.generation.structures != PROTOTYPE or not request.families:
        return STRUCTURES
    return max(len(lexicon()[name].types) for name in request.families)


def formula_score_of(candidate: Candidate) -> float:
    """R_hi of the formula of a candidate; 0 where it has none."""
    return candidate.formula_score.value if candidate.formula_score else 0.0


def make_branches(formulas: Sequence[Candidate], extent: Extent, kind: str) -> tuple[list[Branch], list[Candidate]]:
    """(the branches of the W best formulas, best first; the candidates that are not opened, as rejected ones).

    formulas: candidates whose formulas are good, whether or not their structures were rejected since. Candidates of one
    formula, which may differ in structure type, are one branch. kind: how a branch gets more structures: with TYPES it
    does not, TEMPLATES takes the next template, SAMPLES draws again with another seed.
    """
    from nucleate.chem.composition import Formula

    groups: dict[Formula, list[Candidate]] = {}
    for c in formulas:
        groups.setdefault(Formula.of(c.composition or {}), []).append(c)
    # a stable sort: equal ones stay in the order in which they were proposed
    ordered = sorted(groups.values(), key=lambda group: -formula_score_of(group[0]))
    branches = [_branch(group, extent.structures, kind) for group in ordered[: extent.width]]
    pruned = [
        c.failed(WIDTH, Code.NOT_OPENED, f"formula {i} of {len(ordered)} by R_hi, {extent.width} are opened")
        for i, group in enumerate(ordered[extent.width :], extent.width + 1)
        for c in group
    ]
    pruned += [
        c.failed(WIDTH, Code.NOT_OPENED, f"structure {k} of its formula, {extent.structures} are made")
        for group in ordered[: extent.width]
        for k, c in enumerate(group[extent.structures :], extent.structures + 1)
    ]
    return branches, pruned


def was_opened(c: Candidate) -> bool:
    """Whether the search opened the formula of a candidate, or may still do so."""
    return c.failure is None or c.failure.code != Code.NOT_OPENED


def _branch(group: Sequence[Candidate], count: int, kind: str) -> Branch:
    from nucleate.diffusion.philox import derived_seed

    members = list(group[:count])
    while kind != TYPES and len(members) < count:
        k = len(members)
        like = group[k % len(group)]
        wanted = dataclasses.replace(like.wanted, rank=k + 1) if kind == TEMPLATES else like.wanted
        again = dataclasses.replace(like, id=f"{like.id}-{k + 1}", seed=derived_seed(like.seed, k))
        members.append(dataclasses.replace(again, wanted=wanted))
    return tuple(members)


def frontier(strategy: str, branches: Sequence[Branch], done: Mapping[str, Candidate]) -> list[Candidate]:
    """The candidates that may be worked on now, in order; none at the end of the search.

    done: id -> candidate, of all that are finished.
    """
    if strategy == BEST:
        ordered = [c for branch in branches for c in branch]
    elif strategy == BREADTH:
        ordered = [branch[k] for k in range(_deepest(branches)) for branch in branches if k < len(branch)]
    else:
        return _beam(branches, done)
    return [c for c in ordered if c.id not in done]


def _beam(branches: Sequence[Branch], done: Mapping[str, Candidate]) -> list[Candidate]:
    alive = list(branches)
    for k in range(_deepest(branches)):
        waiting = [b[k] for b in alive if k < len(b) and b[k].id not in done]
        if waiting:
            return waiting
        best = rank([rank([done[c.id] for c in b[: k + 1]])[0] for b in alive])
        place = {c.id: i for i, c in enumerate(best)}
        alive = sorted(alive, key=lambda b: min(place.get(c.id, len(place)) for c in b[: k + 1]))
        alive = alive[: math.ceil(len(alive) / 2)]
    return []


def _deepest(branches: Sequence[Branch]) -> int:
    return max((len(b) for b in branches), default=0)


@dataclass(frozen=True)
class Budget:
    """When a search stops: after so many seconds of work, or so many structures; 0 stands for no limit."""

    seconds: float = 0.0
    evaluations: int = 0

    def __post_init__(self) -> None:
        if self.seconds < 0 or self.evaluations < 0:
            raise NucleateError("a budget of seconds or evaluations must be positive")

    def left(self, spent: float, evaluated: int) -> int:
        """How many structures may be worked on next: at most BLOCK, fewer where the budget does not allow so many.

        spent: seconds of work so far. evaluated: structures so far.
        """
        allowed = BLOCK
        if self.evaluations:
            allowed = min(allowed, self.evaluations - evaluated)
        if self.seconds and evaluated:  # assuming the same time for each structure as so far
            allowed = min(allowed, math.ceil((self.seconds - spent) / max(spent / evaluated, 1e-9)))
        elif self.seconds and spent >= self.seconds:
            allowed = 0
        return max(allowed, 0)


@dataclass(frozen=True)
class TreePlan:
    """How a tree is searched. kind: in what the structures of one formula differ (see `make_branches`)."""

    strategy: str
    extent: Extent
    kind: str
    budget: Budget = Budget()


def search_summary(
    plan: TreePlan, formulas: Iterable[Candidate], branches: Sequence[Branch], done: Mapping[str, Candidate], left: int
) -> dict[str, Any]:
    """What a search has done so far, for the record of the run: plain JSON values.

    formulas: the candidates that were proposed. left: how many structures it could work on next.
    """
    good = {c.formula for c in formulas if c.failure is None or c.failure.stage == WIDTH}
    good |= {branch[0].formula for branch in branches}
    return {
        "strategy": plan.strategy,
        **dataclasses.asdict(plan.extent),
        "good": len(good),
        "opened": sum(any(c.id in done for c in branch) for branch in branches),
        "evaluated": len(done),
        "left": left,
    }


def summary_text(done: Mapping[str, Any]) -> str:
    """`search_summary` in one line, "" where there was no tree search."""
    if not done:
        return ""
    text = (
        f"{done['strategy']} search: {done['good']} good formulas of {done['formulas']} proposed, "
        f"{done['opened']} opened of at most {done['width']}, {done['evaluated']} structures judged"
    )
    return text + (f"; the budget left {done['left']} waiting" if done["left"] else "")
