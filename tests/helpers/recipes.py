"""Recipes made and compared."""

from nucleate.codecs.state import CodecState
from nucleate.systems import Recipe, system_of


def model_of(recipe: Recipe) -> Recipe:
    """Without the precision in which a processor computed, which is no part of the model."""
    return recipe.changed(train={"precision": "auto"})


def fitted(recipe: Recipe, data):
    """The codec of a recipe, fitted to training data."""
    return system_of(recipe).codec(recipe, CodecState()).fitted(data)
