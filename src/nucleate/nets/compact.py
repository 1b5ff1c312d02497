"""The network of the compact representation (Yang et al. 2024, section 2.3, figure 2 and appendix A.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise, repeat

import torch
from torch import Tensor, nn

from nucleate.codecs.compact import SPECIES, WIDEST, CompactCodec
from nucleate.diffusion.gaussian import GaussianVP
from nucleate.diffusion.process import Fields
from nucleate.errors import NucleateError
from nucleate.nets.condition import ConditionEmbedding
from nucleate.nets.gaussian import PHASES, CellTokens, PositionFeatures, Relative, as_noise
from nucleate.nets.layers import AdaptiveBlock, mlp, phases

# The highest of these Fourier features of the atomic number changes by about one radian between neighbouring elements
# where the codec has 90 of them.
SPECIES_FREQUENCIES = 16


class CompactLevel(nn.ModuleList):
    """The blocks of one width, applied one after the other."""

    def forward(self, z: Tensor, z_c: Tensor, biases: Iterator[Tensor], phase: Tensor | None) -> Tensor:
        for block in self:
            z = block(z, z_c, next(biases), phase)
        return z


class CompactNetwork(nn.Module):
    """Predicts the noise of A x 4 noisy numbers (positions and elements) and of a noisy cell.

    It is a U-Net of perceptrons and order-invariant attention. The number of atoms stays the same, while the width
    grows level by level (`network.widths`) and shrinks again, with skip connections by concatenation. Each level has
    `network.layers` blocks on its way in and as many on its way out. The lengths and the angles of the cell are two
    more tokens beside the atoms. With `network.distance` attention also depends on the relative positions of the
    atoms (`Relative`), which is not so in the paper.

    fields: "lattice" (B, 6), "frac_coords" (B, A, 3), SPECIES (B, A, 1), "mask" (B, A). Cost and memory grow linearly
    with the number of atoms; those of attention grow with its square.
    """

    def __init__(
        self,
        codec: CompactCodec,
        max_atoms: int,
        processes: Mapping[str, GaussianVP],
        *,
        dim: int,
        layers: int,
        heads: int,
        frequencies: int,
        pair_dim: int,
        widths: tuple[int, ...] = (),
        distance: bool = False,
        condition_on: tuple[str, ...] = (),
    ) -> None:
        """dim: the only width, if `widths` is empty. Raises NucleateError for widths that `heads` does not divide."""
        super().__init__()
        widths = widths or (dim,)
        if any(w % heads for w in widths):
            raise NucleateError(f"network.widths must be multiples of the {heads} heads, not {list(widths)}")
        self.processes = processes
        dim = widths[0]
        self.condition = ConditionEmbedding(dim, codec.num_elements, max_atoms, condition_on)
        self.position = PositionFeatures(dim, frequencies)
        self.species = nn.Linear(1 + 2 * SPECIES_FREQUENCIES, dim, bias=False)
        self.start = mlp(dim, 2 * dim, dim)
        self.cell = CellTokens(dim)
        depth = (2 * len(widths) - 1) * layers
        self.relative = Relative(codec, dim, depth, pair_dim, heads) if distance else None

        def blocks(width: int) -> CompactLevel:
            num_phases = PHASES if distance else 0
            return CompactLevel(AdaptiveBlock(width, heads, dim, num_phases) for _ in range(layers))

        self.down = nn.ModuleList(blocks(w) for w in widths[:-1])
        self.wider = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.middle = blocks(widths[-1])
        self.narrower = nn.ModuleList(nn.Linear(a + b, a) for a, b in pairwise(widths))
        self.up = nn.ModuleList(blocks(w) for w in widths[:-1])
        self.norm = nn.LayerNorm(dim)
        self.read = nn.Linear(dim, 4)
        nn.init.zeros_(self.read.weight)

    def forward(self, fields: Fields, t: Tensor, condition: Fields) -> dict[str, Tensor]:
        mask, lattice, frac = fields["mask"], fields["lattice"], fields["frac_coords"]
        species = fields[SPECIES]
        z_c = self.condition(t, mask, condition)
        species_features = torch.cat([species, phases(species / (2 * WIDEST), SPECIES_FREQUENCIES)], -1)
        z = self.start(self.position(frac) + self.species(species_features))
        z = torch.cat([self.cell(lattice), z], 1)
        bias = torch.zeros(len(mask), z.shape[1], device=z.device)
        bias[:, 2:].masked_fill_(~mask, -1e9)
        bias = bias[:, None, None]
        biases, phase, geometry = repeat(bias), None, None
        if self.relative is not None:
            alphas = tuple(self.processes[k].alpha_bar(t).sqrt() for k in ("frac_coords", "lattice"))
            geometry = self.relative(frac, lattice, mask.sum(1), alphas, z_c, bias)
            biases, phase = iter(geometry.biases), geometry.phase
            z = torch.cat([z[:, :2], z[:, 2:] + geometry.environment], 1)
        skips = []
        for stage, widen in zip(self.down, self.wider, strict=True):
            z = stage(z, z_c, biases, phase)
            skips.append(z)
            z = widen(z)
        z = self.middle(z, z_c, biases, phase)
        for stage, narrow, skip in zip(reversed(self.up), reversed(self.narrower), reversed(skips), strict=True):
            z = narrow(torch.cat([skip, z], -1))
            z = stage(z, z_c, biases, phase)
        z = self.norm(z)
        atoms = self.read(z[:, 2:]).to(lattice.dtype)
        v = atoms[..., :3]
        if self.relative is not None and geometry is not None:
            v = v + self.relative.moves(geometry, z[:, 2:]).to(v)
        out = {
            "lattice": self.cell.read(z[:, :2]).to(lattice.dtype),
            "frac_coords": v,
            SPECIES: atoms[..., 3:],
        }
        return {
            k: as_noise(fields[k], v, self.processes[k].alpha_bar(t)) for k, v in out.items() if k in self.processes
        }
