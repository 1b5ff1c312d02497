"""What must hold at every step of sampling: parts of a crystal that are known, and the shape of its lattice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from nucleate.diffusion.process import Fields, Process
from nucleate.diffusion.rng import Streams

# (fields at noise level t (B,), t, rng) -> the same with the constraint met
Constraint = Callable[[dict[str, Tensor], Tensor, Streams], dict[str, Tensor]]


@dataclass(frozen=True)
class KnownParts:
    """Inpainting: where a mask is true, a field is a draw of q(x_t | x0) of the known x0 (Lugmayr et al. 2022, eq. 8).

    values: field -> x0; masks: field -> bool, of the shape of the field or (B, A) or (B,). At t = 0 the known parts
    come out exactly.
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
    """Keeps the lattices `rows` (R,) of a batch in the space that `project` (R, 6) -> (R, 6) maps onto."""

    rows: Tensor
    project: Callable[[Tensor], Tensor]

    def __call__(self, x: dict[str, Tensor], t: Tensor, rng: Streams) -> dict[str, Tensor]:
        lattice = x["lattice"].clone()
        lattice[self.rows] = self.project(lattice[self.rows])
        return x | {"lattice": lattice}
