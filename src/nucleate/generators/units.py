"""How many formula units a cell has: drawn in one way, so that a seed gives the same cell whichever method fills it."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import torch

from nucleate.diffusion.rng import Streams, derive_seeds


def draw_units(
    sizes: Sequence[int],
    unit: int,
    seed: int,
    possible: Container[int] | None = None,
    voices: Mapping[int, float] | None = None,
    doubt: float = 1.0,
) -> int:
    """Formula units per cell for a formula of `unit` atoms, weighted by the sizes of known crystals.

    sizes: how many of these have 0, 1, 2 ... atoms; the largest must hold the formula. possible: the only numbers of
    units to choose from, of which one must fit; None: any that fits. voices: how loud precedents ask for a number of
    units (`generators.precedents`), beside sizes that speak as loud as `doubt`.
    """
    counts = torch.tensor(sizes, dtype=torch.float32)[unit::unit] + 1e-6
    if possible is not None:
        counts = counts * torch.tensor([k in possible for k in range(1, len(counts) + 1)])
    if voices:
        heard = torch.tensor([voices.get(k, 0.0) for k in range(1, len(counts) + 1)])
        counts = doubt * counts / counts.sum() + heard
    return 1 + int(Streams(derive_seeds(seed, 2)).categorical(counts[None])[0])
