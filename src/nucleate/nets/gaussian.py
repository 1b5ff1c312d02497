"""What networks share whose fields are all Gaussian: UniMat's and the compact one."""

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
REACH = 5.0  # angstrom
FLATTEST = 1.0  # angstrom between the planes of a cell; a flatter one has too many images
BLURRED = 0.15  # the noise of positions, in edges of the cell, above which distances have no meaning
FAINT = 1e-3  # a slot with a smaller weight than this counts as empty
FAINTEST = 0.05  # below this alpha, where positions are almost pure noise, they are not scaled up any further


def as_noise(x: Tensor, v: Tensor, alpha_bar: Tensor) -> Tensor:
    """The noise eps of x = alpha x0 + sigma eps from the network's v = alpha eps - sigma x0, alpha^2 = `alpha_bar`.

    eps = sigma x + alpha v (Salimans & Ho 2022, section 4). With v = 0 this is the noise for normally distributed data
    of unit variance. Errors of v are multiplied by alpha, so nothing has to be learned where x is almost pure noise.
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
    """The 2 x 3 numbers of the cell (Yang et al. 2024: lengths and angles) as two members of the set of atoms, and
    back."""

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

    biases: of each block's attention, (B, heads, 2 + A, 2 + A). phase (B, 2 + A, PHASES): of the positions, zero for
    the two tokens of the cell, which have none. environment (B, A, condition_dim): what is around each atom. hidden:
    features of the pairs, (B, A, A, pair_dim). directions (B, A, A, SHELLS, 3): from i to the images of j, unit vectors
    summed by distance, along the axes of the cell. weight (B, A): how much there is of each atom.
    """

    biases: tuple[Tensor, ...]
    phase: Tensor
    environment: Tensor
    hidden: Tensor
    directions: Tensor
    weight: Tensor


class Relative(nn.Module):
    """Tells the attention of `blocks` blocks where atoms lie to each other, and moves them along the directions between
    them: what absolute positions say badly.

    Positions are taken as x / alpha, the data plus noise, the cell as what is expected of it, alpha x. A pair is the
    Fourier features of its difference (Takahara et al. 2024, eq. 14) and how many of its images are at which distance;
    an atom is told the power spectrum of its surroundings (Bartok et al., Phys. Rev. B 87, 184115 (2013)); where noise
    leaves nothing of distances, none are looked at. The condition knows how far to trust them.
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
        """numbers (B, A, 3) and lattice (B, 6) with noise, `alphas` (B,) each; num_atoms (B,) as the codec's cell takes
        them; bias (B, 1, 1, 2 + A): what attention adds for each key anyway, the logarithm of how much there is."""
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
        """sum_j sum_k w_ijk d_ijk, (B, A, 3), d the directions at distance k: as forces between pairs are.

        w is a perceptron of the pair and of what blocks made of both atoms, z (B, A, condition_dim)."""
        hidden = geometry.hidden + self.here(z)[:, :, None] + self.there(z)[:, None]
        strength = self.strength(F.silu(hidden)).float() * geometry.weight[:, None, :, None]
        return torch.einsum("bijk,bijkc->bic", strength, geometry.directions)


def surroundings(cell: Tensor, frac_coords: Tensor, weight: Tensor, clear: Tensor) -> tuple[Tensor, ...]:
    """What is around atoms, by distance (SHELLS radial functions up to REACH), over all images.

    cell (B, 3, 3) in angstrom; what is too flat, as noise may make it, has no surroundings. frac_coords (B, A, 3).
    weight (B, A), below FAINT of which an atom is none. clear (B,): the crystals to look at. Gives how many images of j
    there are around i (B, A, A, SHELLS); the sum of the unit vectors to them as fractions of the cell's axes, times the
    cube root of its volume (B, A, A, SHELLS, 3); log(1 + power) of the degrees 0 to 3 around each atom, (B, A,
    4 SHELLS), every neighbour by its weight.
    """
    b, a = weight.shape
    heights = torch.linalg.det(cell).abs()[:, None] / torch.linalg.cross(cell.roll(-1, 1), cell.roll(-2, 1)).norm(dim=2)
    seen = (clear & (heights.amin(1) > FLATTEST)).nonzero()[:, 0]
    cell, weight = cell[seen], weight[seen]
    pairs = cell.new_zeros(len(seen) * a * a, SHELLS, 4)
    around = cell.new_zeros(len(seen) * a, SHELLS, HARMONICS + 1)
    for pair, vectors in image_vectors(cell, frac_coords[seen], weight > FAINT, REACH) if len(seen) else ():
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
    return tuple(part.new_zeros(b, *part.shape[1:]).index_copy(0, seen, part) for part in found)
