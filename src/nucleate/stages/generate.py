"""The first stage: blank candidates get a structure from a generator."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nucleate.errors import Code, NucleateError
from nucleate.generators.base import Condition, Fixed, StructureGenerator
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage

if TYPE_CHECKING:
    from pymatgen.core import Structure


def condition_to_dict(condition: Condition) -> dict[str, Any]:
    """Plain JSON values, without what is not set."""
    return {k: v for k, v in dataclasses.asdict(condition).items() if v}


def condition_from_dict(values: dict[str, Any]) -> Condition:
    """The inverse of `condition_to_dict`."""
    lists = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
    return Condition(**{**values, **lists, "fixed": fixed_from_dict(values.get("fixed"))})


def fixed_from_dict(values: dict[str, Any] | None) -> Fixed | None:
    """`Fixed` from plain JSON values."""
    return Fixed(**{k: _tuples(v) for k, v in values.items()}) if values else None


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list | tuple) else value


class GenerateStage(Stage):
    """Structures for candidates whose provenance holds a condition, in chunks: a kill loses one chunk at most.

    A CPU gains nothing from larger chunks than 8; a GPU wants them as large as the generator's batch.
    A crystal that lacks an element of its chemical system, or has one that is excluded, after the generator's own
    attempts is rejected, and one that the generator cannot make. What a generator wrote into a structure's properties
    (random search: how it was made) becomes provenance.
    """

    name = "generate"
    grain: Grain = "chunk"
    cost: Cost = "slow"
    resource: Resource = "gpu"

    def __init__(self, generator: StructureGenerator, chunk: int = 8) -> None:
        self.generator, self.chunk = generator, chunk

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        for start in range(0, len(candidates), self.chunk):
            part = candidates[start : start + self.chunk]
            conditions = [condition_from_dict(dict(c.provenance["condition"])) for c in part]
            structures = self._generate(conditions, [c.seed for c in part])
            for candidate, condition, structure in zip(part, conditions, structures, strict=True):
                if isinstance(structure, str):
                    yield candidate.failed(self.name, Code.NOT_GENERATED, structure)
                    continue
                record = {**structure.properties, "generator": self.generator.name}
                result = candidate.with_(structure=structure, provenance=record)
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
