"""A generator to inherit from: defaults for all that the contract asks, but a name and how objects are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from nucleate.generators.base import Condition, Progress, Wishes
from nucleate.generators.contract import require_accepted
from nucleate.generators.planning import plan_condition

T = TypeVar("T")


class BaseGenerator(Generic[T]):
    """A generator with a default for everything but `name`, `accepts` and `draw`. It takes a formula and no more."""

    name: str = ""
    makes: str = "structures"
    accepts: frozenset[str] = frozenset({"composition"})
    needs: tuple[str, ...] = ()
    hints: Mapping[str, str] = {}
    chunk: int = 8

    def check(self, condition: Condition) -> None:
        """All values can be met."""

    def plan(self, wishes: Wishes, seed: int) -> Condition:
        """As `planning.plan_condition` has it: one formula unit in a cell, if no size is asked for."""
        return plan_condition(wishes, seed)

    def facts(self) -> Mapping[str, Any]:
        """Nothing is known."""
        return {}

    def generate(
        self, conditions: Sequence[Condition], seeds: Sequence[int], progress: Progress | None = None
    ) -> list[T]:
        """One object for each condition and seed, in their order; all conditions are checked before any work.

        Raises NucleateError for a condition that cannot be met. progress counts finished objects.
        """
        require_accepted(self, conditions)
        return self.draw(conditions, seeds, progress)

    def draw(self, conditions: Sequence[Condition], seeds: Sequence[int], progress: Progress | None = None) -> list[T]:
        """What `generate` gives, for conditions that are accepted."""
        raise NotImplementedError
