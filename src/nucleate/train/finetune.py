"""Fine-tuning: the recipe that teaches a trained generator one more property from a user's own crystals."""

from __future__ import annotations

from nucleate.config import DataConfig
from nucleate.errors import NucleateError
from nucleate.systems.recipe import ConditionalRecipe, Recipe
from nucleate.train.checkpoint import ModelInfo

BATCH = 64
# How often each condition is hidden in training. It is high so that the network often sees the new property without the
# conditions that it knew before.
DROPOUT = 0.5


def finetune_recipe(base: ModelInfo, weights: str, prop: str, dataset: str, *, steps: int, rank: int) -> Recipe:
    """A recipe that trains the generator `base` further, on the crystals of `dataset`, with the property `prop` as one
    of its conditions.

    weights: shipped name or file of the weights of `base`. rank: of the low-rank adapters (Hu et al., LoRA, ICLR 2022),
    which are trained together with the embedding of conditions; the other parameters stay as they are, so that training
    on a few hundred crystals does not destroy what they learned. Rank 0 trains all parameters. Raises NucleateError if
    `base` cannot be conditioned on properties, or if steps is less than 1.
    """
    recipe = base.recipe
    if not isinstance(recipe, ConditionalRecipe):
        raise NucleateError(f"{recipe.name} cannot be conditioned on properties, so none can be added")
    if steps < 1:
        raise NucleateError(f"steps must be at least 1, not {steps}")
    conditions = recipe.condition_on
    train = {
        "steps": steps,
        "batch_size": BATCH,
        "learning_rate": 3e-3 if rank else 1e-3,  # adapters have few parameters and start at zero: large steps are safe
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
        data=DataConfig(dataset=dataset, max_atoms=base.max_atoms, frame=recipe.data.frame),
        network={"condition_on": conditions if prop in conditions else (*conditions, prop)},
        train=train,
    )
