"""What UniMat's codec and the compact codec share: positions in a cell as real numbers, to which Gaussian noise is
added."""

from __future__ import annotations

import torch
from torch import Tensor

from nucleate.diffusion.rng import Streams

# Coordinates are taken from -0.03 to 0.97. Many atoms are at 0; in the range from 0 to 1, rounding errors would move
# about half of them to the other end.
START = -0.03
SCALE = 2.0  # makes numbers from -1 to 1 of the coordinates


def to_numbers(frac_coords: Tensor) -> Tensor:
    """Fractional coordinates (of any periodic image) as numbers in [-1, 1), in the same shape."""
    return ((frac_coords - START) % 1.0 - 0.5) * SCALE


def to_frac(numbers: Tensor) -> Tensor:
    """Numbers of `to_numbers` as fractional coordinates in [0, 1), in the same shape."""
    frac = (numbers / SCALE + 0.5 + START) % 1.0
    return frac.where(frac < 1.0, 0.0)  # a tiny negative number modulo 1 rounds to 1


def at_random_origin(frac_coords: Tensor, num_atoms: Tensor, rng: Streams) -> Tensor:
    """Fractional coordinates (B, A, 3) with the origin moved to one of the atoms of each crystal, chosen at random."""
    origin = (rng.uniform((len(frac_coords),)).to(frac_coords) * num_atoms).long()
    return frac_coords - frac_coords[torch.arange(len(frac_coords), device=frac_coords.device), origin][:, None]
