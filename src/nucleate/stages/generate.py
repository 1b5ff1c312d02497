"""The first stage: blank candidates get a structure from a generator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nucleate.errors import Code, NucleateError
from nucleate.generators.base import Condition, StructureGenerator
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage

if TYPE_CHECKING:
    from pymatgen.core import Structure


def condition_of(candidate: Candidate) -> Condition:
    """What the candidate's structure or composition is to have."""
    if candidate.wanted.condition is None:
        raise NucleateError(f"candidate {candidate.id} does not say what it is wanted for (wanted.condition)")
    return candidate.wanted.condition


class GenerateStage(Stage):
    """Structures for candidates with a wanted condition, in the generator's chunks: a kill loses one.

    A crystal that lacks an element of its chemical system, or has one that is excluded, after the generator's own
    attempts is rejected, and one that the generator cannot make. What a generator wrote into a structure's properties
    (random search: how it was made) becomes provenance.
    """

    name = "generate"
    grain: Grain = "chunk"
    cost: Cost = "slow"
    resource: Resource = "gpu"

    def __init__(self, generator: StructureGenerator) -> None:
        self.generator = generator

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        chunk = self.generator.chunk
        for start in range(0, len(candidates), chunk):
            part = candidates[start : start + chunk]
            conditions = [condition_of(c) for c in part]
            structures = self._generate(conditions, [c.seed for c in part])
            for candidate, condition, structure in zip(part, conditions, structures, strict=True):
                if isinstance(structure, str):
                    yield candidate.failed(self.name, Code.NOT_GENERATED, structure)
                    continue
                result = candidate.with_(structure=structure, provenance=structure.properties)
                result = result.with_origin(generator=self.generator.name)
                elements = {e.symbol for e in structure.composition.elements}
                if missing := sorted(set(condition.chemical_system or ()) - elements):
                    yield result.failed(self.name, Code.UNMET, f"no {', '.join(missing)} in it")
                elif barred := sorted(elements & set(condition.exclude)):
                    yield result.failed(self.name, Code.UNMET, f"{', '.join(barred)} in it, which must not be there")
                else:
                    yield result

    def _generate(self, conditions: Sequence[Condition], seeds: Sequence[int]) -> list[Structure | str]:
        """A structure for each, or why there is none: one that fails takes no other along."""
        try:
            return list(self.generator.generate(conditions, seeds))
        except NucleateError as error:
            if len(conditions) == 1:
                return [str(error)]
        return [self._generate([c], [s])[0] for c, s in zip(conditions, seeds, strict=True)]
