"""The stage that gives structures from a generator to candidates without one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nucleate.errors import Code, NucleateError
from nucleate.generators.base import Condition, StructureGenerator
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage

if TYPE_CHECKING:
    from pymatgen.core import Structure


def wanted_condition(candidate: Candidate) -> Condition:
    """What the structure or composition of the candidate must have; NucleateError if nothing is said."""
    if candidate.wanted.condition is None:
        raise NucleateError(f"candidate {candidate.id} does not say what it is wanted for (wanted.condition)")
    return candidate.wanted.condition


class GenerateStage(Stage):
    """Gives candidates with a wanted condition a structure. They are generated in chunks of the generator's size, so
    that a killed run loses at most one chunk.

    A candidate is rejected if the generator cannot make its structure, or if the crystal lacks an element of its
    chemical system or has an excluded element. The `properties` of a structure (such as how random search made it) are
    added to the provenance.
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
            conditions = [wanted_condition(c) for c in part]
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
        """A structure for each condition, or the reason why there is none. If a chunk fails, each is made by itself."""
        try:
            return list(self.generator.generate(conditions, seeds))
        except NucleateError as error:
            if len(conditions) == 1:
                return [str(error)]
        return [self._generate([c], [s])[0] for c, s in zip(conditions, seeds, strict=True)]
