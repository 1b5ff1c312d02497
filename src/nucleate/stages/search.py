"""The stages of a search for the structure of a formula that stops: random structures last, and no more than needed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from nucleate.errors import Code, NucleateError
from nucleate.generators.methods import RANDOM_ATOMS
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage
from nucleate.stages.retrieval import KNOWN, RetrievalStage


class RetrievalOrRandomStage(RetrievalStage):
    """As `RetrievalStage`; formulas for which it has no answer at all get random structures, in cells of one formula
    unit and more, where they have at most RANDOM_ATOMS atoms in a formula unit."""

    name = RetrievalStage.name
    grain: Grain = "chunk"
    cost: Cost = "quick"
    resource: Resource = "cpu"

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        before = {c.id: c for c in candidates}
        done = list(super().__call__(candidates))
        answered = {c.wanted.label for c in done if c.failure is None}
        for c in done:
            again = c.failure is not None and c.wanted.label not in answered
            yield self._random(before[c.id], c) if again else c

    def _random(self, blank: Candidate, refused: Candidate) -> Candidate:
        """The candidate with a random structure; the refused one where there is none."""
        from nucleate.generators.contract import require_accepted
        from nucleate.generators.random_search import RandomSearch
        from nucleate.request.request import Request
        from nucleate.stages.generate import GenerateStage

        composition = dict(blank.composition or {})
        if not composition or sum(composition.values()) > RANDOM_ATOMS:
            return refused
        generator = RandomSearch()
        try:
            condition = generator.plan(Request("", 1, composition=composition), blank.seed)
            require_accepted(generator, [condition])
        except NucleateError:
            return refused
        (made,) = GenerateStage(generator)([blank.with_(wanted=replace(blank.wanted, condition=condition))])
        return made


class EnoughStage(Stage):
    """Ends the search for a formula where the answers so far have together the probability `until`.

    A known crystal of the formula counts as 1. Answers come in their wanted rank; those after the last one that is
    needed are rejected with a reason. Answers without a probability (orderings, random structures) add nothing.
    """

    name = "until"
    grain: Grain = "all"
    cost: Cost = "quick"
    resource: Resource = "cpu"

    def __init__(self, until: float) -> None:
        self.until = until

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        groups: dict[str, list[Candidate]] = {}
        for c in candidates:
            groups.setdefault(c.wanted.label, []).append(c)
        for group in groups.values():
            shares: list[float] = []
            for c in sorted(group, key=lambda c: c.wanted.rank):
                so_far = math.fsum(shares)
                if so_far >= self.until - 1e-9:
                    reason = _enough(c.wanted.label, len(shares), so_far)
                    yield replace(c, structure=None).failed(self.name, Code.ENOUGH, reason)
                    continue
                vote = c.vote
                shares.append(1.0 if vote and vote.proposer == KNOWN else (vote and vote.probability) or 0.0)
                yield c


def _enough(formula: str, count: int, share: float) -> str:
    """Why no more than `count` answers are looked at."""
    if share >= 1:
        return f"{formula} is known, so no more answers are looked at"
    together = f"{100 * share:.0f} %"
    if count == 1:
        return f"the first answer of {formula} is enough, because it has {together}"
    return f"the first {count} answers of {formula} are enough, because they have {together} together"
