"""The batch and the learning rate of a step. Both depend on its number alone, so that resuming needs no saved state."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from nucleate.config import TrainConfig
from nucleate.diffusion.philox import derived_seed


def batches(num_atoms: Tensor, batch_size: int, seed: int, step: int = 0) -> Iterator[Tensor]:
    """An endless stream of batches, each as indices (batch_size,) of training examples, from number `step` on.

    num_atoms: sizes of the examples, (N,). Each epoch is a random permutation that is cut into windows of 16 batches.
    Within a window the examples are sorted by size, so that a batch needs little padding, and then the batches of the
    window are put in random order. The stream depends on (seed, step) alone.
    """
    n = len(num_atoms)
    per_epoch = max(n // batch_size, 1)
    while True:
        epoch, first = divmod(step, per_epoch)
        generator = torch.Generator().manual_seed(derived_seed(seed, epoch))
        order = torch.randperm(n, generator=generator)
        chunks: list[Tensor] = []
        for window in order[: per_epoch * batch_size].split(16 * batch_size):
            by_size = window[torch.argsort(num_atoms[window], stable=True)].split(batch_size)
            chunks += [by_size[i] for i in torch.randperm(len(by_size), generator=generator)]
        for chunk in chunks[first:]:
            yield chunk
            step += 1


def learning_rate(config: TrainConfig, step: int) -> float:
    """The learning rate of a step: it rises linearly over `warmup` steps, then falls along half a cosine to
    `final_learning_rate` at the last step."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    progress = min((step - config.warmup) / max(config.steps - config.warmup, 1), 1.0)
    low = config.final_learning_rate
    return low + 0.5 * (config.learning_rate - low) * (1 + math.cos(math.pi * progress))
