"""The result of every way from a request to crystals: candidates to begin with, and the stages that they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.generators.contract import require_accepted
from nucleate.search.tree import extent_of

if TYPE_CHECKING:
    from nucleate.generators import Condition, Generator
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.stage import Stage
    from nucleate.request.request import Request
    from nucleate.settings import DesignSettings


@dataclass(frozen=True)
class Route:
    """How a request becomes crystals: in one step, or formulas first and then their structures.

    blanks: the candidates to begin with. proposals: the stages that give them formulas and judge these, in order.
    stages: those that give them structures. kind: in what several structures of a formula differ (TYPES, TEMPLATES or
    SAMPLES of `search.tree`), "" where formulas do not come first. facts: of the generator that is asked for the wanted
    properties. record: what the report says of the models, plain JSON values.
    """

    blanks: Sequence[Candidate]
    stages: Sequence[Stage]
    facts: Mapping[str, Any]
    record: Mapping[str, Any]
    proposals: Sequence[Stage] = ()
    kind: str = ""


def count_of(request: Request, settings: DesignSettings) -> int:
    """The number of candidates to begin with; in a tree search, the number of formulas."""
    if settings.search.strategy:
        return extent_of(request, settings).formulas
    return request.candidates * settings.search.oversample


def blanks_of(
    request: Request,
    settings: DesignSettings,
    generator: Generator[Any],
    wanted: Callable[[int], Condition],
) -> list[Candidate]:
    """One blank candidate for each crystal to try; candidate i is determined by (seed, i) alone."""
    from nucleate.diffusion.philox import derived_seed
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.origin import Wanted

    out = []
    for i in range(count_of(request, settings)):
        seed = derived_seed(settings.seed, i)
        condition = wanted(seed)
        require_accepted(generator, [condition])
        out.append(Candidate(f"c{i + 1:05d}", seed, wanted=Wanted(condition)))
    return out
