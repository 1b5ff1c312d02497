"""Fine-tuning: the recipe that teaches a trained generator one more property from a user's own crystals."""

from __future__ import annotations

import dataclasses

from nucleate.config import DataConfig, Recipe
from nucleate.errors import NucleateError
from nucleate.train.checkpoint import ModelInfo

BATCH = 64
DROPOUT = 0.5  # what the model knew already, such as the chemical system, must not explain the new property away


def finetune_recipe(base: ModelInfo, weights: str, prop: str, dataset: str, *, steps: int, rank: int) -> Recipe:
    """The recipe of `base` with `prop` among its conditions, for the crystals of `dataset`.

    Low-rank adapters (Hu et al. 2022) and the condition embedding are trained, the rest stays: a few hundred crystals
    do not make it forget. rank 0 trains everything. Raises NucleateError for a network that is no generator.
    """
    recipe = base.recipe
    if recipe.task == "property":
        raise NucleateError(f"{recipe.name} predicts properties; fine-tune a generator")
    if steps < 1:
        raise NucleateError(f"steps must be at least 1, not {steps}")
    conditions = recipe.network.condition_on
    train = dataclasses.replace(
        recipe.train,
        steps=steps,
        batch_size=BATCH,
        learning_rate=3e-3 if rank else 1e-3,  # adapters start at zero and are few
        warmup=min(100, steps // 10),
        ema=0.99,
        condition_dropout=DROPOUT,
        start_from=weights,
        adapter_rank=rank,
        checkpoint_every=max(steps // 10, 1),
        log_every=max(steps // 40, 1),
    )
    network = recipe.network
    if prop not in conditions:
        network = dataclasses.replace(network, condition_on=(*conditions, prop))
    name = f"{recipe.name}-{prop}"
    return dataclasses.replace(
        recipe, name=name, data=DataConfig(dataset, base.max_atoms), network=network, train=train
    )
