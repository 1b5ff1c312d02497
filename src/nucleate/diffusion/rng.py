"""Random streams, one for each crystal, which are the same on every device.

A stream is a counter-based generator (Philox-4x32-10; Salmon et al., SC 2011): draw number `c` of element `e` of
crystal `i` depends only on (seed_i, c, e). So the result for a seed does not depend on the batch size, the number of
workers, the padding or the device, and a resumed run needs no state of a generator. The arithmetic is that of int64
tensors, because torch has no products of unsigned 64-bit integers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from nucleate.diffusion.philox import MASK, philox, seed_of_words


class Streams:
    """Independent streams of random numbers, one for each crystal.

    seeds: (B,) int64, not negative. Every call gives new numbers. Elements are numbered along the flattened shape after
    the first axis, so that draws of shape (B, A, 3) are equal for the same atoms whatever A is.
    """

    def __init__(self, seeds: Tensor) -> None:
        self.seeds = seeds.to(torch.int64)
        self.draws = 0

    def _words(self, shape: Sequence[int], words: int) -> list[Tensor]:
        if shape[0] != len(self.seeds):
            raise ValueError(f"{len(self.seeds)} streams cannot fill shape {tuple(shape)}")
        size = math.prod(shape[1:])
        blocks = -(-size * words // 4)
        block = torch.arange(blocks, device=self.seeds.device).expand(shape[0], blocks)
        zero = torch.zeros_like(block)
        seed = self.seeds[:, None]
        counter = [block, zero + self.draws, zero, zero]
        key = [(seed & MASK).expand_as(block), ((seed >> 32) & MASK).expand_as(block)]
        if block.device.type == "cpu":  # for small batches NumPy is three times as fast as torch
            out = [torch.from_numpy(v) for v in philox([v.numpy() for v in counter], [v.numpy() for v in key])]
        else:
            out = philox(counter, key)
        self.draws += 1
        flat = torch.stack(out, -1).reshape(shape[0], -1)[:, : size * words]
        return [flat[:, i::words].reshape(tuple(shape)) for i in range(words)]

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Uniform float32 numbers in the open interval (0, 1), shape (B, ...)."""
        (u,) = self._words(shape, 1)
        return ((u >> 8).to(torch.float32) + 0.5) * 2.0**-24

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Standard normal float32 numbers by the Box-Muller method, shape (B, ...)."""
        u, v = self._words(shape, 2)
        radius = torch.sqrt(-2.0 * torch.log(((u >> 8).to(torch.float32) + 0.5) * 2.0**-24))
        return radius * torch.cos((v.to(torch.float32)) * (2.0 * math.pi * 2.0**-32))

    def categorical(self, probabilities: Tensor) -> Tensor:
        """Class indices (B, ...) drawn from unnormalised probabilities (B, ..., K) by inverting the cumulative sum."""
        cumulative = probabilities.double().cumsum(-1)
        u = self.uniform(probabilities.shape[:-1]).double() * cumulative[..., -1]
        return torch.searchsorted(cumulative, u[..., None], right=True)[..., 0].clamp_max(probabilities.shape[-1] - 1)


def derive_seeds(seed: int, *labels: int | Tensor) -> Tensor:
    """Seeds (int64, not negative) that are computed from `seed` and integer labels, (1,); with tensors (B,) as labels
    they are (B,)."""
    state = torch.tensor(seed, dtype=torch.int64)
    for label in labels:
        word = torch.as_tensor(label, dtype=torch.int64, device=label.device if isinstance(label, Tensor) else None)
        state, word = torch.broadcast_tensors(state.to(word.device), word)
        zero = torch.zeros_like(word)
        out = philox([word & MASK, (word >> 32) & MASK, zero, zero], [state & MASK, (state >> 32) & MASK])
        state = seed_of_words(out)
    return torch.atleast_1d(state)
