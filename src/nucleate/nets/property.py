"""A network that predicts properties of crystals, invariant by construction, with the layers of the denoisers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nucleate.nets.crystal_transformer import TransformerBlock
from nucleate.nets.image_sums import ANGULAR, CUTOFF, DEGREES, HARMONICS
from nucleate.nets.layers import mlp

GLOBAL = 2  # channels of a pair that are no radial sum: the atom itself, and all atoms alike
ELEMENT = 8  # numbers that stand for an element in the environment of an atom


def radials_of(pair_dim: int) -> int:
    """How many radial functions a network with `pair_dim` channels of pairs reads: all but those of `GLOBAL`."""
    return pair_dim - GLOBAL


class ImageBlock(TransformerBlock):
    """The denoisers' block with attention over all images of all atoms (Taniai et al., Crystalformer, ICLR 2024).

    Head h weighs an image of atom j at distance r by exp(q_i . k_j) a_h(r), with a_h a positive sum of the radial
    functions. Summed over images that is exp(q_i . k_j) times a sum of pair features, so no image is ever formed,
    and a supercell has the same weights. What the pair's features add to the value is linear in the shares of the
    attention that fall to each radial function.
    """

    def __init__(self, dim: int, heads: int, pair_dim: int, norm: str) -> None:
        # "cdi" lets a condition in before the first block, so that the block itself has none
        super().__init__(dim, heads, pair_dim, conditioning="cdi", norm=norm, attention="relative")
        count = radials_of(pair_dim)
        centres = torch.linspace(0.5, CUTOFF, count + 1)[:-1]
        widths = torch.linspace(1.0, 4.0, heads)
        del self.alpha  # its place is taken by the logarithms of a_h's coefficients: Gaussians to start from
        gaussians = -0.5 * (centres / widths[:, None]) ** 2
        self.decay = nn.Parameter(torch.cat([gaussians, torch.full((heads, GLOBAL), -2.0)], -1))

    def attend(self, z: Tensor, z_c: Tensor, pair: Tensor, bias: Tensor, phase: Tensor | None = None) -> Tensor:
        """As `TransformerBlock.attend`; pair (B, A, A, P) is not negative, zero on padding; z_c, phase are not used."""
        b, a, d = z.shape
        q, k, v = self.qkv(z).view(b, a, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        dtype = self.beta.dtype  # autocast leaves the exponentials alone
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
    """Species and sums over images (`nets.image_sums`) to standardised properties.

    An atom starts from its element and its environment: radial sums over its neighbours' elements, and of sums with
    directions the power spectrum, which knows of angles (Bartok, Kondor & Csanyi, Phys. Rev. B 87, 184115 (2013)).
    Blocks of attention follow, and the mean over atoms. Unchanged by permutation, shift of origin, rotation and
    reflection, and by the choice of the cell, supercells included.
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
        """Invariants (B, A, ELEMENT * (radials + ANGULAR * degrees)) of the neighbours of each atom."""
        e = self.element(atomic_numbers)
        moments = (sums.transpose(-1, -2) @ e[:, None].to(sums.dtype)).to(sums.dtype)  # (B, A, features, ELEMENT)
        parts = [moments[:, :, : self.radials].flatten(2)]
        angular = moments[:, :, self.radials :].unflatten(2, (ANGULAR, HARMONICS))
        parts += [p.square().sum(3).flatten(2) for p in angular.split([2 * d + 1 for d in DEGREES], 3)]
        joined = torch.cat(parts, -1)
        return joined * (1 + joined.abs()).rsqrt()  # tames the environments of dense crystals

    def features(self, atomic_numbers: Tensor, sums: Tensor) -> Tensor:
        """What the last layer reads, (B, dim)."""
        mask = atomic_numbers > 0
        present = mask.to(sums.dtype)
        both = present[:, :, None] * present[:, None]
        whole = both / present.sum(1)[:, None, None]  # its sum over atoms is the same in every cell
        itself = torch.diag_embed(present)
        pair = torch.cat([sums[..., : self.radials], itself[..., None], whole[..., None]], -1)
        z = self.species(atomic_numbers) + self.environment(self.environments(atomic_numbers, sums))
        bias = torch.zeros_like(present).masked_fill(~mask, -1e9)[:, None, None]
        for block in self.blocks:
            z = block(z, z, pair, bias)  # the condition, in second place, is not read
        z = self.norm(z).to(sums.dtype)
        return self.hidden((z * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))

    def forward(self, atomic_numbers: Tensor, sums: Tensor) -> Tensor:
        """atomic_numbers (B, A), 0 on padding; sums (B, A, A, F) as `image_sums` gives them -> (B, len(predict))."""
        return self.out(self.features(atomic_numbers, sums)).to(sums.dtype)
