"""Generators whose objects do not have certain elements: an object that has one is drawn again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from nucleate.generators.base import Condition, Generator, Progress, Wishes
from nucleate.generators.defaults import BaseGenerator

T = TypeVar("T")
ATTEMPTS = 16  # draws; after the last one an object is given back as it is


class WithoutElements(BaseGenerator[T]):
    """A generator whose objects (structures, or formulas as texts) have none of the elements `left_out`.

    An object that has one of them is drawn again with other seeds, at most ATTEMPTS times; all other objects stay as
    they are. So the objects follow the distribution of the generator without those elements, for any generator.
    """

    def __init__(self, generator: Generator[T], left_out: Collection[str]) -> None:
        self.generator, self.left_out = generator, frozenset(left_out)
        self.name, self.makes, self.accepts = generator.name, generator.makes, generator.accepts
        self.needs, self.hints, self.chunk = generator.needs, generator.hints, generator.chunk

    def check(self, condition: Condition) -> None:
        """The check of the generator."""
        self.generator.check(condition)

    def plan(self, wishes: Wishes, seed: int) -> Condition:
        """The condition that the generator plans."""
        return self.generator.plan(wishes, seed)

    def facts(self) -> Mapping[str, Any]:
        """The facts of the generator."""
        return self.generator.facts()

    def draw(self, conditions: Sequence[Condition], seeds: Sequence[int], progress: Progress | None = None) -> list[T]:
        """One object for each condition and seed; progress counts those of the first draw."""
        from nucleate.diffusion.philox import derived_seed

        out: list[T] = list(self.generator.generate(conditions, seeds, progress))
        for attempt in range(1, ATTEMPTS):
            again = [i for i, made in enumerate(out) if self.left_out.intersection(_elements(made))]
            if not again:
                break
            others = [derived_seed(seeds[i], 6, attempt) for i in again]
            for i, made in zip(again, self.generator.generate([conditions[i] for i in again], others), strict=True):
                out[i] = made
        return out


def without_elements(generator: Generator[T], left_out: Collection[str]) -> Generator[T]:
    """The generator without the elements `left_out`; the generator itself if there are none."""
    return WithoutElements(generator, left_out) if left_out else generator


def _elements(made: object) -> set[str]:
    """The elements of a structure, or of a text such as "Sr Ti O O O"."""
    if isinstance(made, str):
        return set(made.split())
    return {e.symbol for e in made.composition.elements}  # type: ignore[attr-defined]
