"""The batch and the learning rate of a step, as pure functions of its number, so that no state is needed to resume."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from nucleate.config import TrainConfig
from nucleate.diffusion.rng import derive_seeds


def batches(num_atoms: Tensor, batch_size: int, seed: int, step: int = 0) -> Iterator[Tensor]:
    """Endless index batches (b,), a pure function of (seed, step): resuming needs no sampler state.

    Each epoch is a permutation, cut into windows of 16 batches; inside a window crystals are sorted by size, so that
    a batch carries little padding, and the batches of a window come in random order.
    """
    n = len(num_atoms)
    per_epoch = max(n // batch_size, 1)
    while True:
        epoch, first = divmod(step, per_epoch)
        generator = torch.Generator().manual_seed(int(derive_seeds(seed, epoch)))
        order = torch.randperm(n, generator=generator)
        chunks: list[Tensor] = []
        for window in order[: per_epoch * batch_size].split(16 * batch_size):
            parts = window[torch.argsort(num_atoms[window], stable=True)].split(batch_size)
            chunks += [parts[i] for i in torch.randperm(len(parts), generator=generator)]
        for chunk in chunks[first:]:
            yield chunk
            step += 1


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then a half cosine to `final_learning_rate` at the last step."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    progress = min((step - config.warmup) / max(config.steps - config.warmup, 1), 1.0)
    low = config.final_learning_rate
    return low + 0.5 * (config.learning_rate - low) * (1 + math.cos(math.pi * progress))
