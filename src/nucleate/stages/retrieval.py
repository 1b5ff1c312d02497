"""The stage that gives candidates with a composition their known crystals, and structures of others by votes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from nucleate.chem.composition import Formula
from nucleate.errors import Code, NucleateError
from nucleate.families.naming import structure_type_name
from nucleate.generators.methods import ORDERING, RETRIEVAL
from nucleate.generators.reach import far_reason
from nucleate.generators.retrieval import FormulaAnswer, FormulaAnswers, RetrievalGenerator
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.origin import TemplateMatch
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage
from nucleate.pipeline.state import StructureVote
from nucleate.stages.template import wanted_composition, wanted_rank

if TYPE_CHECKING:
    from nucleate.library.library import Library

KNOWN = "known"  # the proposer of a known crystal of the formula


class RetrievalStage(Stage):
    """Gives candidates with a composition a structure, by their wanted rank the first, second ... of its answers
    (`generators.retrieval`): known crystals of the formula, then the most probable structure types of others.

    `vote` says which it is and how probable, `origin.template` which known crystal it is taken from. A candidate fails
    where there are fewer answers than its rank. library: the known crystals, None for all.
    """

    name = RETRIEVAL
    grain: Grain = "chunk"  # what was found for a formula serves all candidates of it
    cost: Cost = "quick"
    resource: Resource = "cpu"

    def __init__(self, library: Library | None = None) -> None:
        self.generator = RetrievalGenerator(library)

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        groups: dict[Formula, list[tuple[Candidate, Mapping[str, int], int]]] = {}
        for candidate in candidates:
            try:
                composition, rank = wanted_composition(candidate), wanted_rank(candidate)
                groups.setdefault(Formula.of(composition), []).append((candidate, composition, rank))
            except NucleateError as error:
                yield candidate.failed(self.name, error.code, str(error))
        for group in groups.values():
            found = self.generator.answers(group[0][1], max(rank for _, _, rank in group))
            for candidate, _, rank in group:
                if rank > len(found.answers):
                    yield candidate.failed(self.name, Code.NO_TEMPLATE, found.reason)
                    continue
                yield answered(candidate, found, found.answers[rank - 1])


def answered(candidate: Candidate, found: FormulaAnswers, answer: FormulaAnswer) -> Candidate:
    """The candidate with the structure of an answer, and where it comes from."""
    entry = answer.entry
    vote = StructureVote(
        proposer=KNOWN if answer.known else RETRIEVAL if answer.ordering is None else ORDERING,
        probability=_rounded(answer.probability),
        none=_rounded(found.none),
        id=entry.id,
        prototype=entry.prototype,
        name=structure_type_name(entry),
        known_e_above_hull=entry.e_above_hull if answer.known else None,
    )
    made = candidate.with_(structure=answer.structure(), vote=vote)
    return made.with_origin(generator=vote.proposer, template=template_of(answer))


def template_of(answer: FormulaAnswer) -> TemplateMatch:
    """The known crystal of an answer as a template. Where there is a probability it says how far the answer may be
    believed, and the template is not called too far away."""
    entry, relative, distance = answer.entry, answer.relative, answer.distance()
    swaps = {old: relative.substitution[old] for old in entry.elements}
    far, note = "", ""
    if answer.ordering is not None:
        shared = "; ".join(answer.ordering.shared)
        note = f"sites shared: {shared}" if shared else "each element has sites of its own"
    elif answer.probability is None:
        far = far_reason(math.nan if distance is None else distance, None, swaps, relative.volume)
    return TemplateMatch(
        id=entry.id,
        formula=entry.formula,
        substitution=swaps,
        space_group=entry.space_group,
        distance=_rounded(distance),
        volume=round(relative.volume, 6) if answer.ordering is None else None,
        far=far,
        note=note,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
