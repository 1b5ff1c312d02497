"""Tree search (paper 4, Algorithm 1): a request branches into H formulas, of which the W best into L structures each.

The order of formulas is R_hi (`search.heuristics`), that of structures R_lo (`pipeline.rank`). What a run has done is
all that a strategy looks at, so a search that was interrupted goes on as if it had not been.
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
    BEAM: "as breadth-first, but after each structure the better half of the formulas goes on",
}
TYPES, TEMPLATES, SAMPLES = "types", "templates", "samples"  # what tells the structures of one formula apart
WIDTH = "width"  # at which formulas that are not opened are rejected
STRUCTURES = 4  # of each formula, where neither L nor a family says
BREADTH_OF_FORMULAS = 5  # formulas drawn for each one that is opened, where H is not given
BLOCK = 16  # structures that go through the pipeline together
Branch = tuple[Candidate, ...]


@dataclass(frozen=True)
class Extent:
    """formulas: H, how many are proposed. width: W, how many of these are opened. structures: L, of each."""

    formulas: int
    width: int
    structures: int


def extent_of(request: Request, settings: DesignSettings) -> Extent:
    """H, W and L; what is not given follows from the number of candidates times oversample, as in a flat run."""
    search = settings.search
    structures = search.structures_each or _structures_of(request, settings)
    width = search.width or max(1, math.ceil(request.candidates * search.oversample / structures))
    formulas = search.formulas or BREADTH_OF_FORMULAS * width
    if formulas < width:
        raise NucleateError(f"{width} formulas cannot be opened of {formulas}; raise --formulas or lower --width")
    return Extent(formulas, width, structures)


def _structures_of(request: Request, settings: DesignSettings) -> int:
    """L where it is not given: of prototypes as many as there are structure types."""
    from nucleate.families.family import lexicon
    from nucleate.generators.methods import PROTOTYPE

    if settings.generation.structures != PROTOTYPE or not request.families:
        return STRUCTURES
    return max(len(lexicon()[name].types) for name in request.families)


def score(candidate: Candidate) -> float:
    """R_hi of its formula."""
    return candidate.formula_score.value if candidate.formula_score else 0.0


def grow(formulas: Sequence[Candidate], extent: Extent, kind: str) -> tuple[list[Branch], list[Candidate]]:
    """The branches of the W best formulas, best first, and what is not opened, rejected. formulas: those that are good,
    whatever became of their structures since.

    Candidates of one formula, which may differ in structure type, are one branch. kind: how it gets more structures:
    TYPES has no others, TEMPLATES takes the next template, SAMPLES draws again with a seed of its own.
    """
    from nucleate.chem.composition import Formula

    groups: dict[Formula, list[Candidate]] = {}
    for c in formulas:
        groups.setdefault(Formula.of(c.composition or {}), []).append(c)
    ordered = sorted(groups.values(), key=lambda group: -score(group[0]))  # stable: equal ones as proposed
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


def opened(c: Candidate) -> bool:
    """Whether a search did not leave it aside."""
    return c.failure is None or c.failure.code != Code.NOT_OPENED


def _branch(group: Sequence[Candidate], count: int, kind: str) -> Branch:
    from nucleate.diffusion.rng import derive_seeds

    members = list(group[:count])
    while kind != TYPES and len(members) < count:
        k = len(members)
        like = group[k % len(group)]
        wanted = dataclasses.replace(like.wanted, rank=k + 1) if kind == TEMPLATES else like.wanted
        again = dataclasses.replace(like, id=f"{like.id}-{k + 1}", seed=int(derive_seeds(like.seed, k)))
        members.append(dataclasses.replace(again, wanted=wanted))
    return tuple(members)


def frontier(strategy: str, branches: Sequence[Branch], done: Mapping[str, Candidate]) -> list[Candidate]:
    """What may be worked on now, in order; empty at the end of the search. done: by id, all that is finished."""
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
    """seconds: of work; evaluations: structures that went through the pipeline. 0: without end."""

    seconds: float = 0.0
    evaluations: int = 0

    def __post_init__(self) -> None:
        if self.seconds < 0 or self.evaluations < 0:
            raise NucleateError("a budget of seconds or evaluations must be positive")

    def left(self, spent: float, evaluated: int) -> int:
        """How many structures may be worked on next: at most BLOCK, fewer where the budget ends before."""
        allowed = BLOCK
        if self.evaluations:
            allowed = min(allowed, self.evaluations - evaluated)
        if self.seconds and evaluated:  # as fast as so far
            allowed = min(allowed, math.ceil((self.seconds - spent) / max(spent / evaluated, 1e-9)))
        elif self.seconds and spent >= self.seconds:
            allowed = 0
        return max(allowed, 0)


@dataclass(frozen=True)
class TreePlan:
    """How a tree is searched."""

    strategy: str
    extent: Extent
    kind: str
    budget: Budget = Budget()


def summary(
    plan: TreePlan, formulas: Iterable[Candidate], branches: Sequence[Branch], done: Mapping[str, Candidate], left: int
) -> dict[str, Any]:
    """What a search has done, for the record of the run: plain JSON values. formulas: as proposed. left: structures it
    would go on with."""
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
    """`summary` in one line, "" where there was no tree search."""
    if not done:
        return ""
    text = (
        f"{done['strategy']} search: {done['good']} good formulas of {done['formulas']} proposed, "
        f"{done['opened']} opened of at most {done['width']}, {done['evaluated']} structures judged"
    )
    return text + (f"; the budget left {done['left']} waiting" if done["left"] else "")
