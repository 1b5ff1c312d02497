"""The stage that gives candidates with a composition the structure of a template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nucleate.errors import Code, NucleateError
from nucleate.generators.reach import far_reason
from nucleate.generators.template import FormulaPredictions, TemplateGenerator, TemplatePrediction
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.origin import TemplateMatch
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage


class TemplateStage(Stage):
    """Gives candidates with a composition the structure of a template, by their wanted rank the best, second best ...

    `origin.template` holds the known crystal and its distance. A candidate fails if there are fewer templates than its
    rank; the reason names the ratio of the formula.
    """

    name = "template"
    grain: Grain = "chunk"  # distances of all formulas of a ratio are computed as one matrix
    cost: Cost = "slow"
    resource: Resource = "cpu"

    def __init__(self, generator: TemplateGenerator) -> None:
        self.generator = generator

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        ready: list[tuple[Candidate, Mapping[str, int], int]] = []
        for candidate in candidates:
            try:
                ready.append((candidate, wanted_composition(candidate), wanted_rank(candidate)))
            except NucleateError as error:
                yield candidate.failed(self.name, error.code, str(error))
        by_rank: dict[int, list[int]] = {}  # many templates take long, so no more are asked for than the rank needs
        for i, (_, _, k) in enumerate(ready):
            by_rank.setdefault(k, []).append(i)
        found: dict[int, FormulaPredictions] = {}
        for k, indices in by_rank.items():
            found |= dict(zip(indices, self.generator.predict_many([ready[i][1] for i in indices], k), strict=True))
        for i, (candidate, _, k) in enumerate(ready):
            predictions, reason = found[i].predictions, found[i].reason
            if len(predictions) < k:
                yield candidate.failed(self.name, Code.NO_TEMPLATE, reason)
                continue
            made = candidate.with_(structure=predictions[k - 1].structure)
            yield made.with_origin(generator=self.generator.name, template=template_match(predictions[k - 1]))


def wanted_composition(candidate: Candidate) -> Mapping[str, int]:
    """The composition that a candidate must have. Raises NucleateError if there is none or it is no formula."""
    from nucleate.chem.elements import atomic_number

    wanted = candidate.wanted.condition
    composition = candidate.composition or (wanted.composition if wanted else None)
    if not composition:
        raise NucleateError("no composition was given", code=Code.NO_COMPOSITION)
    for symbol, n in composition.items():
        atomic_number(symbol)
        if not n > 0:
            raise NucleateError(f"the amount of {symbol} is {n}; it must be a positive number")
    return dict(composition)


def wanted_rank(candidate: Candidate) -> int:
    """Which template the candidate must have, from 1 for the best. Raises NucleateError for lower ranks."""
    rank = candidate.wanted.rank
    if not isinstance(rank, int) or rank < 1:
        raise NucleateError(f"the rank of a template counts from 1, not {rank}")
    return rank


def template_match(prediction: TemplatePrediction) -> TemplateMatch:
    """The record of the template of a prediction; a distance that is not known is None."""
    distance = prediction.distance
    return TemplateMatch(
        id=prediction.template,
        formula=prediction.template_formula,
        substitution=dict(prediction.substitution),
        space_group=prediction.space_group,
        distance=round(distance, 6) if distance == distance else None,
        similarity=round(prediction.similarity, 6) if prediction.similarity is not None else None,
        volume=round(prediction.volume, 6),
        far=far_reason(distance, prediction.similarity, prediction.substitution, prediction.volume),
        note=prediction.note or "",
    )
