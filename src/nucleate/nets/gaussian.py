"""What networks share whose fields are all Gaussian: UniMat's and the compact one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nucleate.codecs.cell import SCALE
from nucleate.diffusion.process import at
from nucleate.nets.layers import phases


def as_noise(x: Tensor, v: Tensor, alpha_bar: Tensor) -> Tensor:
    """The noise eps of x = alpha x0 + sigma eps from the network's v = alpha eps - sigma x0, alpha^2 = `alpha_bar`.

    eps = sigma x + alpha v (Salimans & Ho 2022, section 4): a network that says nothing takes data for unit normals.
    Its errors vanish with alpha, so nothing has to be learned where there is nothing but noise.
    """
    abar = at(alpha_bar, x)
    return (1 - abar).sqrt() * x + abar.sqrt() * v


class PositionFeatures(nn.Module):
    """Positions in the numbers of `codecs.cell`, and their Fourier features, to vectors: (..., 3) -> (..., dim)."""

    def __init__(self, dim: int, frequencies: int) -> None:
        super().__init__()
        self.frequencies = frequencies
        self.project = nn.Linear(3 + 6 * frequencies, dim)

    def forward(self, numbers: Tensor) -> Tensor:
        return self.project(torch.cat([numbers, phases(numbers / SCALE, self.frequencies)], -1))


class CellTokens(nn.Module):
    """The 2 x 3 numbers of the cell (paper 4: lengths and angles) as two members of the set of atoms, and back."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.write = nn.ModuleList(nn.Linear(3, dim) for _ in range(2))
        self.out = nn.ModuleList(nn.Linear(dim, 3) for _ in range(2))
        for layer in self.out:
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]

    def forward(self, lattice: Tensor) -> Tensor:
        """(B, 6) -> (B, 2, dim)."""
        return torch.stack([w(part) for w, part in zip(self.write, lattice.split(3, -1), strict=True)], 1)

    def read(self, z: Tensor) -> Tensor:
        """(B, 2, dim) -> (B, 6)."""
        return torch.cat([out(part) for out, part in zip(self.out, z.unbind(1), strict=True)], -1)
