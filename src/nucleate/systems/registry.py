"""The systems by name. A new system is a file of its own and a line here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from nucleate.systems import compact, formulas, joint, property, sites, unimat
from nucleate.systems.base import Progress, System
from nucleate.systems.recipe import Recipe

if TYPE_CHECKING:
    from nucleate.data.tables import Summary
    from nucleate.systems.base import Data

SYSTEMS: dict[str, System] = {
    module.SYSTEM.name: module.SYSTEM for module in (joint, unimat, compact, sites, formulas, property)
}


def system_of(recipe: Recipe) -> System:
    """The system of a recipe."""
    return SYSTEMS[recipe.system]


def prepare_for(
    recipe: Recipe, progress: Progress | None = None, properties: Sequence[str] | None = None
) -> tuple[Data, Summary]:
    """The training data of a recipe, and what became of the rows of its data set.

    progress: called with what is done, how much of it, and of how much. properties: columns that the data carry; None
    takes the recipe's. Raises NucleateError for a data set or a column that there is not.
    """
    return system_of(recipe).data.prepare(recipe, progress, None if properties is None else tuple(properties))


def sampler_names() -> tuple[str, ...]:
    """Names of all samplers that recipes of some system can be drawn with."""
    found: dict[str, None] = {}
    for system in SYSTEMS.values():
        settings: Any = system.config.model_fields["sample"].annotation
        if "sampler" in settings.model_fields:
            found |= dict.fromkeys(get_args(settings.model_fields["sampler"].annotation))
    return tuple(found)
