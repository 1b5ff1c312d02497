"""What UniMat's codec and the compact one share: positions in a cell as plain numbers, which get Gaussian noise."""

from __future__ import annotations

import torch
from torch import Tensor

from nucleate.diffusion.rng import Streams

# Coordinates are taken from -0.03 to 0.97: many atoms sit at 0, where rounding must not send half of them to the
# other end.
START = -0.03
SCALE = 2.0  # coordinates become numbers from -1 to 1


def to_numbers(frac_coords: Tensor) -> Tensor:
    """Fractional coordinates of any image -> numbers in [-1, 1), same shape."""
    return ((frac_coords - START) % 1.0 - 0.5) * SCALE


def to_frac(numbers: Tensor) -> Tensor:
    """The inverse of `to_numbers`, in [0, 1)."""
    frac = (numbers / SCALE + 0.5 + START) % 1.0
    return frac.where(frac < 1.0, 0.0)  # a tiny negative number modulo 1 rounds to 1


def at_random_origin(frac_coords: Tensor, num_atoms: Tensor, rng: Streams) -> Tensor:
    """Fractional coordinates (B, A, 3) with the origin moved to one of the atoms of each crystal, chosen at random."""
    origin = (rng.uniform((len(frac_coords),)).to(frac_coords) * num_atoms).long()
    return frac_coords - frac_coords[torch.arange(len(frac_coords), device=frac_coords.device), origin][:, None]
