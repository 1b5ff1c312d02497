"""What networks share whose fields are all Gaussian: UniMat's and the compact one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nucleate.codecs.cell import SCALE
from nucleate.codecs.joint import JointCodec
from nucleate.config import NetworkConfig
from nucleate.crystal.lattice import metric
from nucleate.diffusion.process import at
from nucleate.nets.layers import Radial, minimum_image_distance, phases, turned_back

FREQUENCIES = 4  # highest m of the Fourier features of differences
PHASES = 6 * FREQUENCIES
FAINTEST = 0.05  # alpha below which positions are not scaled up any further: there is nothing but noise in them


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


@dataclass(frozen=True)
class Geometry:
    """Where the atoms of a noisy crystal lie to each other.

    biases: of each block's attention, (B, heads, 2 + A, 2 + A). phase (B, 2 + A, PHASES): of the positions, zero for
    the two tokens of the cell, which have none. difference (B, A, A, PHASES): those of f_j - f_i. hidden: features of
    the pairs, (B, A, A, pair_dim).
    """

    biases: tuple[Tensor, ...]
    phase: Tensor
    difference: Tensor
    hidden: Tensor


class Relative(nn.Module):
    """Tells the attention of `blocks` blocks where atoms lie to each other, and moves them along what lies between
    them: what absolute positions say badly.

    Positions are taken as x / alpha, the data plus noise, the cell as what is expected of it, alpha x. A pair is the
    Fourier features of its difference (paper 3, eq. 14) and the shortest distance of its images, with the condition,
    which knows how far to trust them.
    """

    def __init__(self, config: NetworkConfig, codec: JointCodec, condition_dim: int, blocks: int) -> None:
        super().__init__()
        dim = config.pair_dim
        self.codec, self.blocks, self.radial = codec, blocks, Radial()
        self.from_fourier = nn.Linear(PHASES, dim)
        self.from_distance = nn.Linear(len(self.radial.centres), dim, bias=False)
        self.from_condition = nn.Linear(condition_dim, dim, bias=False)
        self.bias = nn.Linear(dim, blocks * config.heads)
        self.here, self.there = (nn.Linear(condition_dim, dim, bias=False) for _ in range(2))
        self.strength = nn.Linear(dim, FREQUENCIES)
        nn.init.zeros_(self.strength.weight)
        nn.init.zeros_(self.strength.bias)

    def forward(
        self,
        numbers: Tensor,
        lattice: Tensor,
        num_atoms: Tensor,
        alphas: tuple[Tensor, Tensor],
        z_c: Tensor,
        bias: Tensor,
    ) -> Geometry:
        """numbers (B, A, 3) and lattice (B, 6) with noise, `alphas` (B,) each; num_atoms (B,) as the codec's cell takes
        them; bias (B, 1, 1, 2 + A): what attention adds for each key anyway."""
        frac = numbers / at(alphas[0], numbers).clamp_min(FAINTEST) / SCALE
        phase = phases(frac, FREQUENCIES)
        difference = turned_back(phase[:, None], phase[:, :, None])
        with torch.autocast(frac.device.type, enabled=False):  # half precision would blur distances
            g = metric(self.codec.decode_lattice(lattice * at(alphas[1], lattice), num_atoms))
            distances = self.radial(minimum_image_distance(frac, g))
        hidden = self.from_fourier(difference) + self.from_distance(distances)
        hidden = hidden + self.from_condition(z_c)[:, None, None]
        biases = F.pad(self.bias(F.silu(hidden)).permute(0, 3, 1, 2), (2, 0, 2, 0)) + bias
        return Geometry(biases.chunk(self.blocks, 1), F.pad(phase, (0, 0, 2, 0)), difference, hidden)

    def moves(self, geometry: Geometry, z: Tensor, weight: Tensor) -> Tensor:
        """sum_j sum_m w_ijm sin(2 pi m (f_j - f_i)), (B, A, 3): along the differences, as forces between pairs are.

        w is a perceptron of the pair and of what blocks made of both atoms, z (B, A, condition_dim); weight (B, A): how
        much there is of each j."""
        hidden = geometry.hidden + self.here(z)[:, :, None] + self.there(z)[:, None]
        strength = self.strength(F.silu(hidden)) * weight[:, None, :, None]
        sines = geometry.difference.chunk(2, -1)[0].unflatten(-1, (3, FREQUENCIES))
        return (strength[..., None, :] * sines).sum((2, -1))
