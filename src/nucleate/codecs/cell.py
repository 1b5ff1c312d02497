"""What UniMat's codec and the compact one share: positions as plain numbers, with Gaussian noise, in a cell."""

from __future__ import annotations

from torch import Tensor

# Coordinates are taken from here to 0.97: many atoms sit at 0, and rounding must not send half of them to the other end
START = -0.03
SCALE = 2.0  # coordinates become numbers from -1 to 1


def to_numbers(frac_coords: Tensor) -> Tensor:
    """Fractional coordinates of any image -> numbers in [-1, 1), same shape."""
    return ((frac_coords - START) % 1.0 - 0.5) * SCALE


def to_frac(numbers: Tensor) -> Tensor:
    """The inverse of `to_numbers`, in [0, 1)."""
    frac = (numbers / SCALE + 0.5 + START) % 1.0
    return frac.where(frac < 1.0, 0.0)  # a tiny negative number modulo 1 rounds to 1
