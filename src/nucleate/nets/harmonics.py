"""Real spherical harmonics, scaled so that the addition theorem gives Legendre polynomials: sum_m Y_lm(u) Y_lm(v) =
P_l(u . v). A sum over pairs of directions with the cosine between them thus is a product of two sums."""

from __future__ import annotations

import torch
from torch import Tensor

DEGREES = (1, 3, 5, 7)  # components of l = 0, 1, 2, 3


def harmonics(unit: Tensor) -> Tensor:
    """The harmonics of l = 0 to 3 of unit vectors: (..., 3) -> (..., 16). Those of odd l are zero for a zero vector."""
    x, y, z = unit.unbind(-1)
    xx, yy, zz = x * x, y * y, z * z
    three, five, fifteen = 3**0.5, 5**0.5, 15**0.5
    parts = [
        torch.ones_like(x),
        *(x, y, z),
        *(three * x * y, three * y * z, (3 * zz - 1) / 2, three * x * z, three / 2 * (xx - yy)),
        five / 8**0.5 * y * (3 * xx - yy),
        fifteen * x * y * z,
        (3 / 8) ** 0.5 * y * (5 * zz - 1),
        z * (5 * zz - 3) / 2,
        (3 / 8) ** 0.5 * x * (5 * zz - 1),
        fifteen / 2 * z * (xx - yy),
        five / 8**0.5 * x * (xx - 3 * yy),
    ]
    return torch.stack(parts, -1)
