"""The network of adaptive cells (Sultanov et al. 2023, sections 4.1-4.3): messages along the edges of the symmetric
multigraph.

As in DimeNet++ (Gasteiger et al. 2020), the message on an edge is updated from the messages of the edges that start at
its end, weighted by distance and angle. Here the outputs belong to edges, not to atoms. The sums over angles are taken
with spherical harmonics (`nets.harmonics`). They are exact, and their cost grows with the number of edges, not with the
number of pairs of edges.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nucleate.codecs.sites import PARAMETERS, SiteCodec
from nucleate.crystal import lattice as lat
from nucleate.crystal.multigraph import Multigraph, multigraph
from nucleate.crystal.orbits import (
    NUM_POSITIONS,
    SymmetricBatch,
    expand_orbits,
    first_matrices,
    lattices,
    position_numbers,
)
from nucleate.diffusion.loop import free_part
from nucleate.diffusion.process import Fields, at
from nucleate.nets.harmonics import DEGREES, harmonics
from nucleate.nets.layers import mlp, sinusoidal

RADIALS = 32
FARTHEST = 20.0  # angstrom: the largest centre of the radial features
SOFT = 2.0  # angstrom: the centres are spaced about evenly below this distance, and logarithmically above it


@dataclass(frozen=True)
class SiteGeometry:
    """The geometry of noisy crystals with N sites in all and K edges at each site. No gradients flow through it.

    graph: the edges. unit (N, K, 3): their directions. envelope (N, K): a weight that falls from 1 at distance zero to
    0 at the reach of the site. gradient (N, K, 6): the derivative of each edge's length with respect to the lattice
    field, in angstrom (G_e of section 4.3).
    """

    graph: Multigraph
    unit: Tensor
    envelope: Tensor
    gradient: Tensor


@torch.no_grad()
def geometry(codec: SiteCodec, fields: Fields, data: SymmetricBatch, edges: int) -> SiteGeometry:
    """The geometry of `data`, which must be `codec.decode(fields)`. edges: how many edges each site has (K)."""
    graph = multigraph(data.space_group, expand_orbits(data), edges)
    unit = _directions(graph.vector, graph.distance)
    envelope = (1 - (graph.distance / graph.reach.clamp_min(1e-6)).clamp_max(1).square()).square()
    derivative = lattice_derivative(codec, fields)[graph.crystal]  # (N, 6, 3, 3)
    moved = torch.einsum("nki,npij->nkpj", graph.shift, derivative)
    return SiteGeometry(graph, unit, envelope, (moved * unit[:, :, None]).sum(-1))


def lattice_derivative(codec: SiteCodec, fields: Fields) -> Tensor:
    """The derivative of the primitive lattice, in angstrom, with respect to each of the 6 numbers of the lattice field:
    (B, 6, 3, 3).

    It is exact (forward differentiation), and zero for numbers that the space group does not leave free.
    """
    field = fields["lattice"]

    def lattice(x: Tensor) -> Tensor:
        data = codec.decode({**fields, "lattice": x})
        return lattices(data.space_group, data.cell)

    ones = torch.eye(6, dtype=field.dtype, device=field.device)
    return torch.stack([torch.func.jvp(lattice, (field,), (one.expand_as(field),))[1] for one in ones], 1)


class SiteNetwork(nn.Module):
    """Denoiser for the fields of `SiteCodec`: the noise of the lattice and the normalised score of the parameters."""

    def __init__(self, codec: SiteCodec, processes: Mapping[str, Any], *, dim: int, layers: int, edges: int) -> None:
        """edges: to how many of its nearest atoms a site has edges."""
        super().__init__()
        self.codec, self.edges, self.lattice_noise = codec, edges, processes["lattice"]
        self.element = nn.Embedding(codec.num_elements + 1, dim)
        self.position = nn.Embedding(NUM_POSITIONS, dim)
        nn.init.zeros_(self.position.weight)
        self.time = mlp(dim, dim, dim)
        self.size = nn.Linear(2, dim)
        self.radial = Distances()
        self.first = mlp(2 * dim + RADIALS, dim, dim)
        self.layers = nn.ModuleList(Interaction(dim) for _ in range(layers))
        self.norm, self.out = nn.LayerNorm(dim), mlp(dim, dim, 2)
        nn.init.zeros_(self.out[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.out[-1].bias)  # type: ignore[arg-type]

    def forward(self, fields: Fields, t: Tensor, condition: Fields) -> dict[str, Tensor]:
        """fields: those of `SiteCodec.encode` with noise; t (B,); `condition` is not used. Returns "lattice" (B, 6) and
        PARAMETERS (B, S, 3)."""
        with torch.autocast(t.device.type, enabled=False):
            data = self.codec.decode(fields)
            g = geometry(self.codec, fields, data, self.edges)
            distances = self.radial(g.graph.distance, g.graph.reach)
            here, there = harmonics(g.unit), harmonics(_directions(g.graph.back, g.graph.distance))
        crystal, end = g.graph.crystal, g.graph.end
        sizes = torch.stack([data.num_atoms, data.num_sites], -1).to(t).log()
        c = self.time(sinusoidal(t, self.element.embedding_dim)) + self.size(sizes)
        h = (self.element(data.atomic_numbers) + self.position(position_numbers(data)))[data.mask]
        m = self.first(torch.cat([h[:, None].expand(-1, self.edges, -1), _at(h, end), distances], -1))
        for layer in self.layers:
            m, h = layer(m, h, c, distances, g.envelope, here, there, end, crystal)
        w = self.out(self.norm(m)).float() * g.envelope[..., None]
        return {"lattice": self._lattice(fields, t, w[..., 0], g), PARAMETERS: _parameters(data, w[..., 1], g)}

    def _lattice(self, fields: Fields, t: Tensor, w: Tensor, g: SiteGeometry) -> Tensor:
        """The noise of the lattice: the mean over edges of w G / |G|^2 (section 4.3), added to the noise that x_t alone
        implies for standardised data (Karras et al. 2022, eq. 7)."""
        x, crystal = fields["lattice"], g.graph.crystal
        moves = w[..., None] * g.gradient / g.gradient.square().sum(-1, keepdim=True).clamp_min(1e-6)
        total = x.new_zeros(x.shape).index_add(0, crystal, moves.sum(1))
        count = x.new_zeros(len(x)).index_add(0, crystal, g.envelope.sum(1))
        sigma = at(self.lattice_noise.sigma(t), x)
        whole = (1 + sigma.square()).sqrt()
        eps = sigma * x / whole.square() - total / count.clamp_min(1e-3)[:, None] / whole
        return eps * fields[free_part("lattice")]


def _parameters(data: SymmetricBatch, w: Tensor, g: SiteGeometry) -> Tensor:
    """The change of each site's free parameters that comes closest to the displacement sum_e w_e u_e of its first atom
    (section 4.2): (B, S, 3), in units of the cell's length (the cube root of its volume)."""
    move = (w[..., None] * g.unit).sum(1)
    lattice = lattices(data.space_group, data.cell)
    unit = lat.volume(lattices(data.space_group, data.cell, primitive=False)).clamp_min(1e-3).pow(1 / 3)
    jacobian = first_matrices(data)[data.mask].mT @ lattice[g.graph.crystal]  # (N, 3, 3): how each parameter moves it
    stuck = torch.diag_embed((jacobian.square().sum(-1) == 0).to(w.dtype))
    jacobian = jacobian / unit[g.graph.crystal, None, None]
    gram = jacobian @ jacobian.mT + stuck
    # The ridge is also relative, because noisy angles can make a flat cell, whose Gram matrix is singular.
    ridge = (1e-6 * gram.diagonal(dim1=-2, dim2=-1).sum(-1)).clamp_min(1e-4)
    gram = gram + ridge[:, None, None] * torch.eye(3, dtype=w.dtype, device=w.device)
    z = torch.linalg.solve(gram, (jacobian @ move[..., None]))[..., 0]
    return w.new_zeros(data.parameters.shape).masked_scatter(data.mask[..., None].expand_as(data.parameters), z)


class Interaction(nn.Module):
    """Updates messages m (N, K, dim) and sites h (N, dim) from each other and from messages at the ends of edges."""

    def __init__(self, dim: int, inner: int = 32) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(dim, elementwise_affine=False) for _ in range(2))
        self.condition = nn.Linear(dim, 4 * dim)
        self.own, self.other = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim, bias=False)
        self.down, self.up = nn.Linear(dim, inner), nn.Linear(inner, dim)
        self.radial = nn.Linear(RADIALS, len(DEGREES) * inner, bias=False)
        self.mlp, self.site = mlp(dim, 2 * dim, dim), mlp(3 * dim, dim, dim)
        for module in (self.up, self.mlp[-1], self.site[-1], self.condition):
            nn.init.zeros_(module.weight)  # type: ignore[arg-type]
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(
        self,
        m: Tensor,
        h: Tensor,
        c: Tensor,
        distances: Tensor,
        envelope: Tensor,
        here: Tensor,
        there: Tensor,
        end: Tensor,
        crystal: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """c (B, dim): condition of each crystal. distances (N, K, RADIALS), envelope (N, K). here, there (N, K, 16):
        spherical harmonics of an edge's direction from its start, and from its end. end (N, K): the site at the end of
        an edge. crystal (N,): the crystal of a site."""
        shift1, scale1, shift2, scale2 = self.condition(F.silu(c))[crystal][:, None].chunk(4, -1)
        x = self.norm1(m) * (1 + scale1) + shift1 + self.own(h)[:, None] + _at(self.other(h), end)
        x = F.silu(self.down(x))
        weights = self.radial(distances).unflatten(-1, (len(DEGREES), -1)) * envelope[..., None, None]
        around = [  # of each site, by degree: (N, 2 l + 1, inner)
            y.mT.to(x.dtype) @ (x * weight)
            for y, weight in zip(here.split(DEGREES, -1), weights.unbind(2), strict=True)
        ]
        incoming = _at(torch.cat(around, 1).flatten(1), end).unflatten(-1, (sum(DEGREES), -1))
        m = m + self.up((there[:, :, None].to(x.dtype) @ incoming)[:, :, 0])
        m = m + self.mlp(self.norm2(m) * (1 + scale2) + shift2)
        near = (m * envelope[..., None]).sum(1) / math.sqrt(m.shape[1])
        return m, h + self.site(torch.cat([h, near, _mean(near, crystal, len(c))], -1))


class Distances(nn.Module):
    """Gaussian features of distances d, evenly spaced in log(1 + d / SOFT), and the ratio of d to the site's reach."""

    centres: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("centres", torch.linspace(0, math.log1p(FARTHEST / SOFT), RADIALS - 1), persistent=False)

    def forward(self, distance: Tensor, reach: Tensor) -> Tensor:
        """Distances (N, K) and reaches (N, 1), in angstrom, to (N, K, RADIALS)."""
        gaps = torch.log1p(distance / SOFT)[..., None] - self.centres
        features = torch.exp(-(gaps / self.centres[1]).square())
        return torch.cat([features, (distance / reach.clamp_min(1e-6))[..., None]], -1)


def _directions(vector: Tensor, distance: Tensor) -> Tensor:
    """Unit vectors (N, K, 3) of edges; nearly zero for two atoms at the same place, which have no direction."""
    return vector / distance.clamp_min(1e-3)[..., None]


def _at(rows: Tensor, index: Tensor) -> Tensor:
    """The rows (N, D) that `index` (N, K) selects: (N, K, D)."""
    return rows.index_select(0, index.flatten()).unflatten(0, index.shape)


def _mean(rows: Tensor, crystal: Tensor, crystals: int) -> Tensor:
    """For each site the mean over all sites of its crystal: (N, D) -> (N, D)."""
    total = rows.new_zeros(crystals, rows.shape[1]).index_add(0, crystal, rows)
    count = crystal.bincount(minlength=crystals).clamp_min(1).to(rows.dtype)
    return (total / count[:, None])[crystal]
