"""A generator to inherit from, with defaults for everything in the contract except a name and how objects are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from nucleate.generators.base import Condition, Progress, Wishes
from nucleate.generators.contract import require_accepted
from nucleate.generators.planning import plan_condition

if TYPE_CHECKING:
    from nucleate.library.library import Library

T = TypeVar("T")


class BaseGenerator(Generic[T]):
    """A generator with defaults for everything but `name` and `draw`. By default it accepts a composition only."""

    name: str = ""
    makes: str = "structures"
    accepts: frozenset[str] = frozenset({"composition"})
    needs: tuple[str, ...] = ()
    hints: Mapping[str, str] = {}
    chunk: int = 8

    def check(self, condition: Condition) -> None:
        """Accept all values."""

    @property
    def uses_library(self) -> bool:
        """Whether it takes anything from known crystals (`nucleate.library`)."""
        return False

    def with_library(self, library: Library) -> Self:
        """The same generator, which takes from these known crystals alone; they may be a view without hidden ones. The
        same object if it takes nothing from known crystals."""
        return self

    def plan(self, wishes: Wishes, seed: int) -> Condition:
        """The condition that `planning.plan_condition` makes: one formula unit in a cell, if no size is asked for."""
        return plan_condition(wishes, seed)

    def facts(self) -> Mapping[str, Any]:
        """Nothing is known of the generator."""
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
        """One object for each condition and seed, in their order. The conditions have already been checked."""
        raise NotImplementedError
