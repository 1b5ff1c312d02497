"""Parts that the networks of UniMat and of the compact representation share. All their fields are Gaussian."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nucleate.codecs.cell import SCALE
from nucleate.codecs.joint import JointCodec
from nucleate.diffusion.process import at
from nucleate.nets.image_sums import HARMONICS, direction_harmonics, image_vectors, radial
from nucleate.nets.layers import mlp, phases, turned_back

FREQUENCIES = 4  # highest m of the Fourier features of differences
PHASES = 6 * FREQUENCIES
SHELLS = 12  # radial functions of distances
REACH = 5.0  # angstrom: distances up to this one count
FLATTEST = 1.0  # angstrom between opposite faces of a cell; a flatter cell has too many images
BLURRED = 0.15  # noise of positions, in edges of the cell, above which distances have no meaning
FAINT = 1e-3  # a slot with a smaller weight than this counts as empty
FAINTEST = 0.05  # smallest alpha that positions are divided by; below it they are almost pure noise


def as_noise(x: Tensor, v: Tensor, alpha_bar: Tensor) -> Tensor:
    """The noise eps of x = alpha x0 + sigma eps from the network's v = alpha eps - sigma x0, alpha^2 = `alpha_bar`.

    eps = sigma x + alpha v (Salimans & Ho 2022, section 4). With v = 0 this is the noise for normally distributed data
    of unit variance. Errors of v are multiplied by alpha, so nothing has to be learned where x is almost pure noise.
    """
    abar = at(alpha_bar, x)
    return (1 - abar).sqrt() * x + abar.sqrt() * v


class PositionFeatures(nn.Module):
    """Positions in the units of `codecs.cell`, and their Fourier features, to vectors: (..., 3) -> (..., dim)."""

    def __init__(self, dim: int, frequencies: int) -> None:
        super().__init__()
        self.frequencies = frequencies
        self.project = nn.Linear(3 + 6 * frequencies, dim)

    def forward(self, numbers: Tensor) -> Tensor:
        return self.project(torch.cat([numbers, phases(numbers / SCALE, self.frequencies)], -1))


class CellTokens(nn.Module):
    """Converts the lengths and angles of the cell (Yang et al. 2024) to two tokens beside the atoms, and back."""

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
class AtomGeometry:
    """The relative positions of the atoms of a noisy crystal.

    biases: those of each block's attention, (B, heads, 2 + A, 2 + A). phase (B, 2 + A, PHASES): the Fourier features of
    the positions, zero for the two tokens of the cell. environment (B, A, condition_dim): features of the surroundings
    of each atom. hidden (B, A, A, pair_dim): features of the pairs. directions (B, A, A, SHELLS, 3): unit vectors from
    i to the images of j, summed by distance, along the axes of the cell. weight (B, A): the probability that there is
    an atom.
    """

    biases: tuple[Tensor, ...]
    phase: Tensor
    environment: Tensor
    hidden: Tensor
    directions: Tensor
    weight: Tensor


class Relative(nn.Module):
    """Gives the attention of `blocks` blocks the relative positions of atoms, and moves atoms along the directions
    between them. Absolute positions alone carry this information badly.

    Positions are taken as x / alpha, which is the data plus noise, and the cell as alpha x, its expected value. The
    features of a pair are the Fourier features of its difference (Takahara et al. 2024, eq. 14) and the number of its
    images at each distance. The features of an atom are the power spectrum of its surroundings (Bartok et al., Phys.
    Rev. B 87, 184115 (2013)). If the noise is so large that distances have no meaning, they are left out. The condition
    contains the time, from which the network can learn how reliable distances are.
    """

    def __init__(self, codec: JointCodec, condition_dim: int, blocks: int, pair_dim: int, heads: int) -> None:
        super().__init__()
        dim = pair_dim
        self.codec, self.blocks = codec, blocks
        self.from_fourier = nn.Linear(PHASES, dim)
        self.from_distances = nn.Linear(SHELLS, dim, bias=False)
        self.from_condition = nn.Linear(condition_dim, dim, bias=False)
        self.around = mlp(SHELLS * 4, condition_dim, condition_dim)
        self.bias = nn.Linear(dim, blocks * heads)
        self.here, self.there = (nn.Linear(condition_dim, dim, bias=False) for _ in range(2))
        self.strength = nn.Linear(dim, SHELLS)
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
    ) -> AtomGeometry:
        """numbers (B, A, 3) and lattice (B, 6), with noise; alphas: two tensors (B,), of both. num_atoms (B,), as
        `codec.decode_lattice` takes them. z_c (B, condition_dim). bias (B, 1, 1, 2 + A): what attention adds to the
        score of each key in any case, the logarithm of the probability that there is an atom."""
        frac = numbers / at(alphas[0], numbers).clamp_min(FAINTEST) / SCALE
        phase = phases(frac, FREQUENCIES)
        difference = turned_back(phase[:, None], phase[:, :, None])
        weight = bias[:, 0, 0, 2:].detach().exp()
        with torch.no_grad(), torch.autocast(frac.device.type, enabled=False):  # half precision would blur distances
            cell = self.codec.decode_lattice(lattice * at(alphas[1], lattice), num_atoms).float()
            blur = (1 - alphas[0].square()).sqrt() / alphas[0].clamp_min(FAINTEST) / SCALE
            distances, directions, spectrum = surroundings(cell, frac.float(), weight.float(), blur < BLURRED)
        hidden = self.from_fourier(difference) + self.from_distances(distances)
        hidden = hidden + self.from_condition(z_c)[:, None, None]
        biases = F.pad(self.bias(F.silu(hidden)).permute(0, 3, 1, 2), (2, 0, 2, 0)) + bias
        chunks, phase = biases.chunk(self.blocks, 1), F.pad(phase, (0, 0, 2, 0))
        return AtomGeometry(chunks, phase, self.around(spectrum), hidden, directions, weight)

    def moves(self, geometry: AtomGeometry, z: Tensor) -> Tensor:
        """sum_j sum_k w_ijk d_ijk, (B, A, 3), where d are the directions at distance k, as for forces between pairs.

        w comes from a perceptron of the features of the pair and of both atoms, z (B, A, condition_dim), after the
        blocks."""
        hidden = geometry.hidden + self.here(z)[:, :, None] + self.there(z)[:, None]
        strength = self.strength(F.silu(hidden)).float() * geometry.weight[:, None, :, None]
        return torch.einsum("bijk,bijkc->bic", strength, geometry.directions)


def surroundings(cell: Tensor, frac_coords: Tensor, weight: Tensor, clear: Tensor) -> tuple[Tensor, ...]:
    """The surroundings of atoms by distance (SHELLS radial functions up to REACH), over all periodic images.

    cell (B, 3, 3) in angstrom, frac_coords (B, A, 3). weight (B, A): atoms with less than FAINT are left out. clear
    (B,): whether to look at a crystal at all. Results are zero for the others, and for cells that noise made too flat.

    Returns the number of images of j around i (B, A, A, SHELLS); the sum of the unit vectors to them as fractions of
    the cell's axes, times the cube root of its volume (B, A, A, SHELLS, 3); and log(1 + power) of the degrees 0 to 3
    around each atom (B, A, 4 SHELLS), in which every neighbour counts by its weight.
    """
    b, a = weight.shape
    heights = torch.linalg.det(cell).abs()[:, None] / torch.linalg.cross(cell.roll(-1, 1), cell.roll(-2, 1)).norm(dim=2)
    used = (clear & (heights.amin(1) > FLATTEST)).nonzero()[:, 0]
    cell, weight = cell[used], weight[used]
    pairs = cell.new_zeros(len(used) * a * a, SHELLS, 4)
    around = cell.new_zeros(len(used) * a, SHELLS, HARMONICS + 1)
    for pair, vectors in image_vectors(cell, frac_coords[used], weight > FAINT, REACH) if len(used) else ():
        distance = vectors.norm(dim=-1)
        y = direction_harmonics(vectors / distance.clamp_min(1e-3)[:, None])  # two atoms in one place have no direction
        sums = radial(distance, SHELLS, REACH)[:, :, None] * F.pad(y, (1, 0), value=1.0)[:, None]
        pairs.index_add_(0, pair, sums[..., :4])
        there = weight.flatten()[pair // (a * a) * a + pair % a]
        around.index_add_(0, pair // a, sums * there[:, None, None])
    inverse = torch.linalg.inv(cell) * torch.linalg.det(cell).abs().pow(1 / 3)[:, None, None]
    pairs = pairs.view(-1, a, a, SHELLS, 4)
    directions = pairs[..., 1:] @ inverse[:, None, None]
    power = torch.stack([part.square().sum(-1) for part in around.split([1, 3, 5, 7], -1)], -1)
    found = pairs[..., 0], directions, power.flatten(1).view(-1, a, 4 * SHELLS).log1p()
    return tuple(part.new_zeros(b, *part.shape[1:]).index_copy(0, used, part) for part in found)
