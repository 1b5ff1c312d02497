"""Recipes compared."""

import dataclasses

from nucleate.config import Recipe


def model_of(recipe: Recipe) -> Recipe:
    """Without the precision in which a processor computed, which is no part of the model."""
    return dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, precision="auto"))
