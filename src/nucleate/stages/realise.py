"""Formulas first: blank candidates get a composition from a language model, and later a structure of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from nucleate.chem.formula import parse_formula
from nucleate.errors import Code, NucleateError, code_or
from nucleate.generators.base import Condition, Generator, StructureGenerator
from nucleate.generators.bounds import Bounds
from nucleate.generators.contract import require_accepted
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage
from nucleate.request.request import Request
from nucleate.stages.generate import GenerateStage, condition_of


class ComposeStage(Stage):
    """Compositions, reduced, for candidates with a wanted condition, in chunks.

    Provenance "composer" names the generator, "text" is what it wrote. A text that is no formula (`chem.formula.RULE`)
    rejects its candidate, as does one without the elements that were asked for.
    """

    name = "compose"
    grain: Grain = "chunk"
    cost: Cost = "quick"
    resource: Resource = "gpu"

    def __init__(self, generator: Generator[str]) -> None:
        self.generator = generator

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        chunk = self.generator.chunk
        for start in range(0, len(candidates), chunk):
            part = candidates[start : start + chunk]
            conditions = [condition_of(c) for c in part]
            texts = self.generator.generate(conditions, [c.seed for c in part])
            for candidate, condition, text in zip(part, conditions, texts, strict=True):
                written = candidate.with_(provenance={"composer": self.generator.name, "text": text})
                yield self._read(written, condition, text)

    def _read(self, candidate: Candidate, condition: Condition, text: str) -> Candidate:
        try:
            composition = parse_formula(text, strict=True)
        except NucleateError as error:
            return candidate.failed(self.name, Code.NO_FORMULA, str(error))
        read = candidate.with_(composition=composition)
        fault = _unmet(condition, set(composition))
        return read.failed(self.name, Code.UNMET, fault) if fault else read


def _unmet(condition: Condition, elements: set[str]) -> str:
    """Which wish about elements does not hold; "" if all do. Patterns hold by construction alone."""
    system = condition.chemical_system or ()
    if missing := sorted({*system, *condition.contains} - elements):
        return f"no {', '.join(missing)} in it"
    if foreign := sorted(elements - set(system)) if system else []:
        return f"{', '.join(foreign)} is not in {'-'.join(system)}"
    if barred := sorted(elements & set(condition.exclude)):
        return f"{', '.join(barred)} is in it"
    if condition.num_elements not in (None, len(elements)):
        return f"{len(elements)} elements, not {condition.num_elements}"
    return ""


class RealiseStage(Stage):
    """Structures of the candidates' compositions, in cells of as many formula units as the generator draws.

    A composition that the generator cannot make (too many atoms, an element it never saw) is rejected. atoms: lowest
    and highest number in a cell, None is open.
    """

    name = "generate"
    grain: Grain = "chunk"
    cost: Cost = "slow"
    resource: Resource = "gpu"

    def __init__(self, generator: StructureGenerator, atoms: Bounds = (None, None)) -> None:
        self.generator, self.atoms = generator, atoms

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        ready = []
        for candidate in candidates:
            try:
                if not candidate.composition:
                    raise NucleateError("there is no composition", code=Code.NO_COMPOSITION)
                wishes = Request("", 1, composition=candidate.composition, num_atoms=self.atoms)
                condition = self.generator.plan(wishes, candidate.seed)
                require_accepted(self.generator, [condition])
            except NucleateError as error:
                yield candidate.failed(self.name, code_or(error, Code.NOT_GENERATED), str(error))
                continue
            ready.append(candidate.with_(wanted=dataclasses.replace(candidate.wanted, condition=condition)))
        yield from GenerateStage(self.generator)(ready)
