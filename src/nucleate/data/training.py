"""What a recipe trains on, prepared by what it is: crystals, crystals by their symmetry, or formulas."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from nucleate.codecs.build import Data
from nucleate.codecs.sites import SITES
from nucleate.codecs.tokens import FORMULA
from nucleate.config import Recipe
from nucleate.data.formulas import prepare_formulas
from nucleate.data.prepared import prepare_crystals
from nucleate.data.sites import prepare_sites
from nucleate.data.tables import Summary


def prepare_for(
    recipe: Recipe,
    progress: Callable[[str, int, int], None] | None = None,
    properties: Sequence[str] | None = None,
) -> tuple[Data, Summary]:
    """The training data of a recipe, and what became of the rows of its data set; progress(what, done, total).

    properties: columns that crystals carry; None takes the recipe's. Raises as the preparation of each.
    """
    if recipe.task == FORMULA:
        return prepare_formulas(recipe, progress)
    if recipe.codec.kind == SITES:
        return prepare_sites(recipe, progress, properties or ())
    show = functools.partial(progress, "reducing cells") if progress is not None else None
    return prepare_crystals(recipe, show, properties)
