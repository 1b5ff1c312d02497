"""Constraints that are imposed at every step of sampling: known parts of a crystal, and the shape of its lattice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from nucleate.diffusion.process import Fields, Process
from nucleate.diffusion.rng import Streams

# (fields at noise level t (B,), t, random streams) -> fields that obey the constraint
Constraint = Callable[[dict[str, Tensor], Tensor, Streams], dict[str, Tensor]]


@dataclass(frozen=True)
class KnownParts:
    """Inpainting: where a mask is true, a field is replaced by a draw of q(x_t | x0) for the known x0 (Lugmayr et al.
    2022, eq. 8).

    values: field -> x0. masks: field -> bool, in the shape of the field, (B, A) or (B,). At t = 0 the known parts have
    exactly their given values.
    """

    processes: Mapping[str, Process]
    values: Fields
    masks: Fields

    def __call__(self, x: dict[str, Tensor], t: Tensor, rng: Streams) -> dict[str, Tensor]:
        out = dict(x)
        for name, mask in self.masks.items():
            value = self.values[name]
            at_t = self.processes[name].corrupt(value, t, rng)
            at_t = torch.where(t.reshape((-1,) + (1,) * (value.dim() - 1)) > 0, at_t, value)  # no rounding at the end
            out[name] = torch.where(mask.reshape(mask.shape + (1,) * (value.dim() - mask.dim())), at_t, x[name])
        return out


@dataclass(frozen=True)
class Shaped:
    """Keeps some lattices of a batch, those with the indices `rows` (R,), in a subspace of shapes. `project` maps (R,
    6) to (R, 6) and projects onto that subspace."""

    rows: Tensor
    project: Callable[[Tensor], Tensor]

    def __call__(self, x: dict[str, Tensor], t: Tensor, rng: Streams) -> dict[str, Tensor]:
        lattice = x["lattice"].clone()
        lattice[self.rows] = self.project(lattice[self.rows])
        return x | {"lattice": lattice}
