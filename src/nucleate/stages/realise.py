"""The two stages of "formulas first": candidates get a composition from a generator of formulas, then a structure."""

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
from nucleate.stages.generate import GenerateStage, wanted_condition


class ComposeStage(Stage):
    """Gives candidates with a wanted condition a reduced composition, in chunks of the generator's size.

    In the provenance, "composer" names the generator and "text" is what it wrote. The candidate is rejected if the text
    is no formula (`chem.formula.RULE`) or does not have the wanted elements.
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
            conditions = [wanted_condition(c) for c in part]
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
    """Which part of a condition about elements is not met, "" if all are. Generators always meet patterns."""
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
    """Gives candidates with a composition a structure, in cells with the number of formula units that the generator
    draws.

    A candidate is rejected if the generator cannot make its composition (too many atoms, an element that it was not
    trained on). atoms: lowest and highest number of atoms in a cell, None if open.
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
