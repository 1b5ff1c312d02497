"""Generators that do not offer some elements: what holds one of them is drawn again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from nucleate.generators.base import Condition, Generator, Progress, Wishes
from nucleate.generators.defaults import BaseGenerator

T = TypeVar("T")
ATTEMPTS = 16  # draws before an object is given back as it is


class Offered(BaseGenerator[T]):
    """A generator whose objects, structures or formulas as text, hold none of `left_out`.

    Nothing changes for the seeds whose objects do not; an object that does is drawn again with other seeds, at most
    ATTEMPTS times. So objects are drawn from the generator's own distribution without those elements, whatever the
    generator is.
    """

    def __init__(self, generator: Generator[T], left_out: Collection[str]) -> None:
        self.generator, self.left_out = generator, frozenset(left_out)
        self.name, self.makes, self.accepts = generator.name, generator.makes, generator.accepts
        self.needs, self.hints, self.chunk = generator.needs, generator.hints, generator.chunk

    def check(self, condition: Condition) -> None:
        """As the generator's own."""
        self.generator.check(condition)

    def plan(self, wishes: Wishes, seed: int) -> Condition:
        """As the generator's own."""
        return self.generator.plan(wishes, seed)

    def facts(self) -> Mapping[str, Any]:
        """Those of the generator."""
        return self.generator.facts()

    def draw(self, conditions: Sequence[Condition], seeds: Sequence[int], progress: Progress | None = None) -> list[T]:
        """As the generator's own; progress is of the first draw."""
        from nucleate.diffusion.rng import derive_seeds

        out: list[T] = list(self.generator.generate(conditions, seeds, progress))
        for attempt in range(1, ATTEMPTS):
            again = [i for i, made in enumerate(out) if self.left_out.intersection(_elements(made))]
            if not again:
                break
            others = [int(derive_seeds(seeds[i], 6, attempt)) for i in again]
            for i, made in zip(again, self.generator.generate([conditions[i] for i in again], others), strict=True):
                out[i] = made
        return out


def without(generator: Generator[T], left_out: Collection[str]) -> Generator[T]:
    """The generator itself where nothing is left out."""
    return Offered(generator, left_out) if left_out else generator


def _elements(made: object) -> set[str]:
    """Of a structure, or of a text such as "Sr Ti O O O"."""
    if isinstance(made, str):
        return set(made.split())
    return {e.symbol for e in made.composition.elements}  # type: ignore[attr-defined]
