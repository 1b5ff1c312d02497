"""The objective of all systems that generate: the losses of fields to which noise was added. It imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nucleate.diffusion.loop import training_loss
from nucleate.diffusion.process import Process
from nucleate.diffusion.rng import Streams, derive_seeds
from nucleate.diffusion.self_conditioning import Primed
from nucleate.systems.recipe import Recipe

if TYPE_CHECKING:
    from nucleate.systems.base import Codec, Data


class Denoising:
    """The objective that sums the losses of the diffusing fields. The noise depends only on seed, step and example."""

    def __init__(
        self,
        recipe: Recipe,
        codec: Codec,
        data: Data,
        properties: Mapping[str, Tensor],
        device: torch.device,
        processes: Mapping[str, Process],
        weights: Mapping[str, float] | None = None,
    ) -> None:
        """properties: name -> standardised values (N,), on the device. weights: as in `Objective`."""
        self.recipe, self.codec, self.properties = recipe, codec, properties
        self.data = data.to(device)
        self.processes, self.weights = processes, dict(weights or {})

    def losses(self, model: nn.Module, index: Tensor, width: int, step: int) -> dict[str, Tensor]:
        rng = Streams(derive_seeds(self.recipe.train.seed, step, index))
        fields = self.codec.training_fields(self.data, index, width, rng)
        condition = condition_tensors(
            self.recipe.condition_on,
            self.data.atomic_numbers[index, :width],
            {k: v[index] for k, v in self.properties.items()},
            getattr(self.codec, "num_elements", 0),
            self.recipe.condition_dropout,
            rng,
        )
        # Self-conditioning is used in every second step, so that the network also learns its first call in sampling,
        # for which there is no estimate.
        denoiser = Primed(model) if self.recipe.self_conditioning and step % 2 else model
        losses = training_loss(denoiser, self.processes, self.codec.per_atom, fields, condition, rng)
        return {k: v.mean() for k, v in losses.items()}


def condition_tensors(
    names: tuple[str, ...],
    atomic_numbers: Tensor,
    properties: Mapping[str, Tensor],
    num_elements: int,
    dropout: float,
    rng: Streams,
) -> dict[str, Tensor]:
    """The tensors of the training conditions `names`: NAME (B, ...) and NAME_present (B,) for each.

    A condition is hidden (not present) with probability `dropout`, and if its value is unknown. atomic_numbers: (B, A),
    0 for padding. properties: name -> standardised values (B,), NaN if unknown. num_elements: the number of elements of
    which a chemical system consists.
    """
    out: dict[str, Tensor] = {}
    z = atomic_numbers
    for name in names:
        present = torch.ones(len(z), dtype=torch.bool, device=z.device)
        if name == "chemical_system":
            value = torch.zeros(len(z), num_elements + 1, device=z.device).scatter_(1, z, 1.0)
            value[:, 0] = 0.0
        else:
            present = properties[name].isfinite()
            value = properties[name].nan_to_num()[:, None]
        present = present & (rng.uniform((len(z),)) >= dropout)
        out[name], out[f"{name}_present"] = value, present
    return out
