"""Fine-tuning: the recipe that teaches a trained generator one more property from a user's own crystals."""

from __future__ import annotations

from nucleate.config import DataConfig
from nucleate.errors import NucleateError
from nucleate.systems.recipe import ConditionalRecipe, Recipe
from nucleate.train.checkpoint import ModelInfo

BATCH = 64
DROPOUT = 0.5  # conditions that the model knew already must not take the place of the new one in training


def finetune_recipe(base: ModelInfo, weights: str, prop: str, dataset: str, *, steps: int, rank: int) -> Recipe:
    """The recipe of `base` with `prop` among its conditions, for the crystals of `dataset`.

    Low-rank adapters (Hu et al. 2022) and the condition embedding are trained, the rest stays: a few hundred crystals
    do not make it forget. rank 0 trains everything. Raises NucleateError for a network that is no generator.
    """
    recipe = base.recipe
    if not isinstance(recipe, ConditionalRecipe):
        raise NucleateError(f"{recipe.name} learns no conditions, so that no property can be added")
    if steps < 1:
        raise NucleateError(f"steps must be at least 1, not {steps}")
    conditions = recipe.condition_on
    train = {
        "steps": steps,
        "batch_size": BATCH,
        "learning_rate": 3e-3 if rank else 1e-3,  # adapters are few and begin at zero: larger steps are safe
        "warmup": min(100, steps // 10),
        "ema": 0.99,
        "condition_dropout": DROPOUT,
        "start_from": weights,
        "adapter_rank": rank,
        "checkpoint_every": max(steps // 10, 1),
        "log_every": max(steps // 40, 1),
    }
    return recipe.changed(
        name=f"{recipe.name}-{prop}",
        data=DataConfig(dataset=dataset, max_atoms=base.max_atoms),
        network={"condition_on": conditions if prop in conditions else (*conditions, prop)},
        train=train,
    )
