"""Draws the number of formula units in a cell. All generators use it, so that a seed gives the same size with each."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import torch

from nucleate.diffusion.rng import Streams, derive_seeds


def draw_units(
    sizes: Sequence[int],
    unit: int,
    seed: int,
    possible: Container[int] | None = None,
    precedent_weights: Mapping[int, float] | None = None,
    statistics_weight: float = 1.0,
) -> int:
    """The number of formula units in a cell, for a formula of `unit` atoms, weighted by the sizes of known crystals.

    sizes: how many known crystals have 0, 1, 2 ... atoms; the largest size must be at least `unit`. possible: the
    numbers of units that are allowed, of which one must fit; None means any that fits. precedent_weights: number of
    units -> weight by precedents (`generators.precedents`), added to the sizes, which then have the weight
    `statistics_weight` together.
    """
    counts = torch.tensor(sizes, dtype=torch.float32)[unit::unit] + 1e-6
    if possible is not None:
        counts = counts * torch.tensor([k in possible for k in range(1, len(counts) + 1)])
    if precedent_weights:
        of_precedents = torch.tensor([precedent_weights.get(k, 0.0) for k in range(1, len(counts) + 1)])
        counts = statistics_weight * counts / counts.sum() + of_precedents
    return 1 + int(Streams(derive_seeds(seed, 2)).categorical(counts[None])[0])
