"""A network that predicts properties of crystals, with the layers of the denoisers.

Its predictions do not depend on the choice of the cell, the origin, the orientation or the order of the atoms.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nucleate.nets.crystal_transformer import TransformerBlock
from nucleate.nets.image_sums import ANGULAR, CUTOFF, DEGREES, HARMONICS
from nucleate.nets.layers import mlp

GLOBAL = 2  # channels of a pair that are not radial sums: one for i = j, and one that is the same for all pairs
ELEMENT = 8  # length of the vector of an element in the environment of an atom


def radials_of(pair_dim: int) -> int:
    """The number of radial functions that a network with `pair_dim` channels for each pair uses."""
    return pair_dim - GLOBAL


class ImageBlock(TransformerBlock):
    """The block of the denoisers with attention over all periodic images of all atoms (Taniai et al., Crystalformer,
    ICLR 2024).

    Head h weighs an image of atom j at distance r by exp(q_i . k_j) a_h(r), where a_h is a positive sum of the radial
    functions. The sum over images is exp(q_i . k_j) times a sum of pair features, so single images are not needed here,
    and a supercell has the same weights. The pair features also add a term to the value, which is linear in the share
    of the attention that each radial function has.
    """

    def __init__(self, dim: int, heads: int, pair_dim: int, norm: str) -> None:
        # with "cdi" a condition enters before the first block, so that the block itself has no weights for it
        super().__init__(dim, heads, pair_dim, conditioning="cdi", norm=norm, attention="relative")
        count = radials_of(pair_dim)
        centres = torch.linspace(0.5, CUTOFF, count + 1)[:-1]
        widths = torch.linspace(1.0, 4.0, heads)
        del self.alpha  # `decay` takes its place: the logarithms of the coefficients of a_h, which starts as a Gaussian
        gaussians = -0.5 * (centres / widths[:, None]) ** 2
        self.decay = nn.Parameter(torch.cat([gaussians, torch.full((heads, GLOBAL), -2.0)], -1))

    def attend(self, z: Tensor, z_c: Tensor, pair: Tensor, bias: Tensor, phase: Tensor | None = None) -> Tensor:
        """As `TransformerBlock.attend`. pair (B, A, A, P) must not be negative, and zero on padding. z_c and phase are
        not used."""
        b, a, d = z.shape
        q, k, v = self.qkv(z).view(b, a, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        dtype = self.beta.dtype  # the exponentials are computed in this precision, also under autocast
        scores = (q @ k.transpose(-1, -2) * (d // self.heads) ** -0.5).to(dtype) + bias
        coefficients = self.decay.exp()  # (h, P)
        sums = (pair @ coefficients.t().to(pair.dtype)).permute(0, 3, 1, 2)  # (B, h, A, A)
        raw = (scores - scores.amax(-1, keepdim=True)).exp()
        raw = raw / (raw * sums).sum(-1, keepdim=True).clamp_min(1e-6)
        values = (raw * sums).to(v.dtype) @ v
        shares = raw.to(pair.dtype).transpose(1, 2) @ pair  # (B, A, h, P)
        beta = self.beta * coefficients[..., None]
        values = values.transpose(1, 2) + torch.einsum("bahp,hpe->bahe", shares, beta)
        return self.out(values.reshape(b, a, d))


class PropertyNetwork(nn.Module):
    """Predicts standardised properties from elements and sums over periodic images (`nets.image_sums`).

    The first features of an atom come from its element and its environment: radial sums over the elements of its
    neighbours, and the power spectrum of the sums with directions, which depends on angles (Bartok, Kondor & Csanyi,
    Phys. Rev. B 87, 184115 (2013)). Blocks of attention follow, then the mean over atoms. The prediction is invariant
    under permutation of atoms, shift of origin, rotation and reflection, and under the choice of the cell, supercells
    included.
    """

    def __init__(
        self, elements: int, *, dim: int, layers: int, heads: int, pair_dim: int, norm: str, predict: tuple[str, ...]
    ) -> None:
        """elements: the largest atomic number. predict: names of the properties."""
        super().__init__()
        self.dim, self.radials = dim, radials_of(pair_dim)
        self.species = nn.Sequential(nn.Embedding(elements + 1, dim), mlp(dim, dim))
        self.element = nn.Embedding(elements + 1, ELEMENT)
        self.environment = mlp(ELEMENT * (self.radials + ANGULAR * len(DEGREES)), 2 * dim, dim)
        self.blocks = nn.ModuleList(ImageBlock(dim, heads, pair_dim, norm) for _ in range(layers))
        self.norm = nn.LayerNorm(dim) if norm == "pre" else nn.Identity()
        self.hidden = nn.Sequential(nn.Linear(dim, dim), nn.SiLU())
        self.out = nn.Linear(dim, len(predict))

    def environments(self, atomic_numbers: Tensor, sums: Tensor) -> Tensor:
        """Rotation-invariant features of each atom's neighbours: (B, A, ELEMENT * (radials + ANGULAR * degrees))."""
        e = self.element(atomic_numbers)
        moments = (sums.transpose(-1, -2) @ e[:, None].to(sums.dtype)).to(sums.dtype)  # (B, A, features, ELEMENT)
        parts = [moments[:, :, : self.radials].flatten(2)]
        angular = moments[:, :, self.radials :].unflatten(2, (ANGULAR, HARMONICS))
        parts += [p.square().sum(3).flatten(2) for p in angular.split([2 * d + 1 for d in DEGREES], 3)]
        joined = torch.cat(parts, -1)
        return joined * (1 + joined.abs()).rsqrt()  # keeps the values of dense crystals small

    def features(self, atomic_numbers: Tensor, sums: Tensor) -> Tensor:
        """The input of the last layer, (B, dim)."""
        mask = atomic_numbers > 0
        present = mask.to(sums.dtype)
        both = present[:, :, None] * present[:, None]
        whole = both / present.sum(1)[:, None, None]  # its sum over atoms is the same in every cell
        itself = torch.diag_embed(present)
        pair = torch.cat([sums[..., : self.radials], itself[..., None], whole[..., None]], -1)
        z = self.species(atomic_numbers) + self.environment(self.environments(atomic_numbers, sums))
        bias = torch.zeros_like(present).masked_fill(~mask, -1e9)[:, None, None]
        for block in self.blocks:
            z = block(z, z, pair, bias)  # the second argument, the condition, is not used
        z = self.norm(z).to(sums.dtype)
        return self.hidden((z * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))

    def forward(self, atomic_numbers: Tensor, sums: Tensor) -> Tensor:
        """atomic_numbers (B, A), 0 on padding; sums (B, A, A, F) as `image_sums` gives them -> (B, len(predict))."""
        return self.out(self.features(atomic_numbers, sums)).to(sums.dtype)
