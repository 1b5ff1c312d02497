"""The counts at the top of a run's report, and what became of the rejected candidates."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nucleate.hull.distances import DEEPEST
from nucleate.pipeline.candidate import FAIL, PASS, Candidate
from nucleate.pipeline.rank import e_above_hull_or_inf, too_deep, verdict
from nucleate.report.charts import NEAR_HULL, ON_HULL

MOST = 1000  # rejected candidates that are listed


@dataclass(frozen=True)
class SummaryTile:
    """A number with a name, and a note on what is counted."""

    name: str
    count: int
    note: str


def hull_values(candidates: Sequence[Candidate]) -> list[tuple[str, float]]:
    """(formula, e_above_hull in eV/atom) of the candidates that were not rejected.

    Those whose relaxation did not converge are left out, and those whose hull is unknown because phases are missing.
    """
    return [(c.formula, e_above_hull_or_inf(c)) for c in _relaxed(candidates) if math.isfinite(e_above_hull_or_inf(c))]


def _relaxed(candidates: Sequence[Candidate]) -> list[Candidate]:
    return [c for c in candidates if c.failure is None and verdict(c, "relaxed") != FAIL]


def summary_tiles(candidates: Sequence[Candidate]) -> list[SummaryTile]:
    """How many candidates there were after each step, from formulas or structures to novelty."""
    alive = [c for c in candidates if c.structure is not None and c.failure is None]
    formulas = [c for c in candidates if c.composition]
    chemistry = ("charge", "electronegativity", "distance", "density")
    hull = [v for _, v in hull_values(candidates)]
    deep = sum(too_deep(c) for c in _relaxed(candidates))
    below = SummaryTile("hull unknown", deep, f"over {DEEPEST:g} eV/atom below all that is known: phases are missing")
    first = (
        SummaryTile("formulas", len(formulas), f"of {len(candidates)} texts"),
        SummaryTile(
            "neutral, distinct", sum(_stage(c) not in ("compose", "chemistry") for c in formulas), "and balanced"
        ),
    )
    passed = sum(all(verdict(c, n) != FAIL for n in chemistry) for c in alive)
    on_hull = f"at most {ON_HULL:g} eV/atom above it, about the error of a potential"
    return [
        *(first if formulas else ()),
        SummaryTile("generated", sum(c.structure is not None for c in candidates), f"of {len(candidates)} candidates"),
        SummaryTile("passed", passed, "chemistry and geometry not failed"),
        SummaryTile("relaxed", sum(verdict(c, "relaxed") == PASS for c in alive), "to the force threshold"),
        SummaryTile("near the hull", sum(v <= NEAR_HULL for v in hull), f"at most {NEAR_HULL:g} eV/atom above it"),
        SummaryTile("as good as on it", sum(v <= ON_HULL for v in hull), on_hull),
        *((below,) if deep else ()),
        SummaryTile("novel", sum(verdict(c, "novel") == PASS for c in alive), "neither known nor an ordering"),
    ]


def _stage(candidate: Candidate) -> str:
    """The stage that rejected the candidate, "" for one that was not rejected."""
    return candidate.failure.stage if candidate.failure else ""


@dataclass(frozen=True)
class RejectedRow:
    """One rejected candidate. reason: the stage and, after a colon, why."""

    id: str
    formula: str
    reason: str


@dataclass(frozen=True)
class Rejected:
    """The rejected candidates.

    total: how many there are. stages: (stage, how many), the most frequent first. rows: the first MOST of them.
    """

    total: int
    stages: list[tuple[str, int]]
    rows: list[RejectedRow]


def rejected_candidates(candidates: Sequence[Candidate]) -> Rejected:
    """The rejected ones among the candidates, in the order given."""
    lost = [c for c in candidates if c.failure is not None]
    rows = [RejectedRow(c.id, c.formula, str(c.failure)) for c in lost[:MOST]]
    return Rejected(len(lost), Counter(map(_stage, lost)).most_common(), rows)
