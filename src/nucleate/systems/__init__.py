"""Systems: the families of models that a recipe can ask for, each in a file of its own.

Code outside this package does not ask which system a recipe belongs to. Everything that it needs to know about a system
is a field of `System`. Importing this package does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.lazy import lazy_names

if TYPE_CHECKING:
    from nucleate.systems.base import DataSource, ModelCard, Sampler, System
    from nucleate.systems.reading import load_recipe, recipe_from_json, recipe_to_json
    from nucleate.systems.recipe import Recipe
    from nucleate.systems.registry import SYSTEMS, prepare_for, system_of

__getattr__ = lazy_names(
    __name__,
    {
        "SYSTEMS": "nucleate.systems.registry",
        "ModelCard": "nucleate.systems.base",
        "DataSource": "nucleate.systems.base",
        "Recipe": "nucleate.systems.recipe",
        "Sampler": "nucleate.systems.base",
        "System": "nucleate.systems.base",
        "load_recipe": "nucleate.systems.reading",
        "prepare_for": "nucleate.systems.registry",
        "recipe_from_json": "nucleate.systems.reading",
        "recipe_to_json": "nucleate.systems.reading",
        "system_of": "nucleate.systems.registry",
    },
)

__all__ = [
    "SYSTEMS",
    "DataSource",
    "ModelCard",
    "Recipe",
    "Sampler",
    "System",
    "load_recipe",
    "prepare_for",
    "recipe_from_json",
    "recipe_to_json",
    "system_of",
]
