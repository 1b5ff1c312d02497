"""The loss of a network on examples that it was not trained on, always the same ones with the same noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nucleate.systems.recipe import Recipe
from nucleate.systems.registry import prepare_for, system_of
from nucleate.train.checkpoint import ModelInfo
from nucleate.train.precision import autocast

if TYPE_CHECKING:
    from nucleate.systems.base import Data

MOST = 2048  # examples that are looked at, the first ones of a fixed shuffle
STEP = 1  # the step of training whose noise all examples get


def validation_examples(recipe: Recipe, dataset: str) -> Data:
    """The examples to validate a recipe on: the ones that it keeps out of training, if its system knows these, or
    those of a dataset ("mp-20:val") that the recipe can take.

    Raises NucleateError if there is no such dataset.
    """
    source = system_of(recipe).data
    data = (
        source.held_out(recipe)[0]
        if source.held_out is not None
        else prepare_for(recipe.changed(data={"dataset": dataset, "exclude": ()}))[0]
    )
    data = data[source.fits(recipe, data).nonzero()[:, 0]]
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
    return data[order[:MOST]]


class HeldOutLoss:
    """The objective of a recipe on held-out examples, those left out that have elements which training has not seen.

    info: of the network in training, whose scales are used.
    """

    def __init__(self, recipe: Recipe, info: ModelInfo, data: Data, device: torch.device) -> None:
        known = torch.isin(data.atomic_numbers, torch.tensor([0, *info.elements])).all(1)
        self.recipe, self.info, self.device = recipe, info, device
        self.data = data[known.nonzero()[:, 0]]

    @torch.no_grad()
    def of(self, model: nn.Module) -> float:
        """The mean loss over all examples, its parts weighted as in training."""
        system, device = system_of(self.recipe), self.device
        properties = {k: s.standardise(self.data.properties[k]).to(device) for k, s in self.info.properties.items()}
        codec = self.info.codec
        objective = system.objective(self.recipe, codec, self.data, properties, device, model)
        was_training = model.training
        model.eval()
        total, count = 0.0, 0
        order = torch.argsort(self.data.num_atoms, stable=True)
        for index in order.split(self.recipe.train.batch_size):
            width = int(self.data.num_atoms[index].max())
            with autocast(self.recipe.train.precision, device):
                losses = objective.losses(model, index.to(device), width, STEP)
            total += float(_weighted(losses, objective.weights)) * len(index)
            count += len(index)
        model.train(was_training)
        return total / count


def _weighted(losses: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    return torch.stack([weights.get(k, 1.0) * v.float() for k, v in losses.items()]).sum()
