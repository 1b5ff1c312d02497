"""Formulas first: blank candidates get a composition from a language model, and later a structure of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from nucleate.chem.formula import parse_formula
from nucleate.errors import Code, NucleateError, code_or
from nucleate.generators.base import Condition, Generator
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage
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

    def __init__(self, generator: Generator[str], chunk: int = 512) -> None:
        self.generator, self.chunk = generator, chunk

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        for start in range(0, len(candidates), self.chunk):
            part = candidates[start : start + self.chunk]
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


class CellGenerator(Protocol):
    """A generator of structures of given compositions, which knows how large cells are (`DiffusionGenerator`)."""

    @property
    def name(self) -> str: ...

    def check(self, condition: Condition) -> None: ...

    def draw_formula_units(self, formula: Mapping[str, int], seed: int) -> int: ...

    def generate(self, conditions: Sequence[Condition], seeds: Sequence[int], progress: Any = None) -> list[Any]: ...


class RealiseStage(Stage):
    """Structures of the candidates' compositions, in cells of as many formula units as the generator draws.

    A composition that the generator cannot make (too many atoms, an element it never saw) is rejected. atoms: lowest
    and highest number in a cell, None is open.
    """

    name = "generate"
    grain: Grain = "chunk"
    cost: Cost = "slow"
    resource: Resource = "gpu"

    def __init__(
        self, generator: CellGenerator, chunk: int = 8, atoms: tuple[int | None, int | None] = (None, None)
    ) -> None:
        self.generator, self.chunk, self.atoms = generator, chunk, atoms

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        ready = []
        for candidate in candidates:
            try:
                condition = Condition(composition=self._cell(candidate.composition or {}, candidate.seed))
                self.generator.check(condition)
            except NucleateError as error:
                yield candidate.failed(self.name, code_or(error, Code.NOT_GENERATED), str(error))
                continue
            ready.append(candidate.with_(wanted=dataclasses.replace(candidate.wanted, condition=condition)))
        yield from GenerateStage(self.generator, self.chunk)(ready)

    def _cell(self, composition: Mapping[str, int], seed: int) -> dict[str, int]:
        if not composition:
            raise NucleateError("there is no composition", code=Code.NO_COMPOSITION)
        units = units_within(self.generator.draw_formula_units(composition, seed), composition, self.atoms)
        return {symbol: n * units for symbol, n in composition.items()}


def units_within(units: int, composition: Mapping[str, int], atoms: tuple[int | None, int | None]) -> int:
    """The number of formula units nearest to `units` whose atoms lie within lowest and highest, both included; raises
    NucleateError where there is none."""
    low, high = atoms
    size = sum(composition.values())
    most = units if high is None else min(units, high // size)
    found = max(most, 1, -(-(low or 1) // size))
    if high is not None and found * size > high:
        least = "" if low is None else f"{low} to "
        raise NucleateError(f"{least}{high} atoms hold no whole formula units of {size} atoms")
    return found
