"""The systems by name. A new system is a file of its own and a name in the tuple here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from nucleate.systems import bins, compact, formulas, joint, property, sites, unimat
from nucleate.systems.base import Progress, System
from nucleate.systems.recipe import Recipe

if TYPE_CHECKING:
    from nucleate.data.tables import Summary
    from nucleate.systems.base import Data

SYSTEMS: dict[str, System] = {
    module.SYSTEM.name: module.SYSTEM for module in (joint, unimat, compact, sites, formulas, property, bins)
}


def system_of(recipe: Recipe) -> System:
    """The system of a recipe."""
    return SYSTEMS[recipe.system]


def prepare_for(
    recipe: Recipe, progress: Progress | None = None, properties: Sequence[str] | None = None
) -> tuple[Data, Summary]:
    """The training data of a recipe, and a summary of the rows of its dataset.

    progress: called with (name of the work, amount done, total amount). properties: the columns that the data gets;
    None stands for those of the recipe. Raises NucleateError for a dataset or a column that does not exist.
    """
    return system_of(recipe).data.prepare(recipe, progress, None if properties is None else tuple(properties))


def all_sampler_names() -> tuple[str, ...]:
    """The names of the samplers of all systems."""
    found: dict[str, None] = {}
    for system in SYSTEMS.values():
        settings: Any = system.config.model_fields["sample"].annotation
        if "sampler" in settings.model_fields:
            found |= dict.fromkeys(get_args(settings.model_fields["sampler"].annotation))
    return tuple(found)
