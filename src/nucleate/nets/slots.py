"""The sparse network of UniMat: attention over the slots that probably hold an atom.

The position of a slot is the place of its element in the periodic table. The tensor of Yang et al. 2023 is nearly
empty, for example 10 atoms in 1,000 slots, and the dense U-Net computes on all of it, which is its limitation. Here the
probability that a slot holds an atom is first computed without a network (`nets.occupancy`). A perceptron that reads
the columns of all elements corrects it, and attention runs over the most probable slots only. If the composition is
given exactly, these slots are the atoms, and nothing else is computed.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nucleate.codecs.unimat import SLOTS, UniMatCodec
from nucleate.crystal.table import COLUMNS, ROWS, grid_place
from nucleate.diffusion.gaussian import GaussianVP
from nucleate.diffusion.process import Fields
from nucleate.nets.gaussian import PHASES, CellTokens, PositionFeatures, Relative, as_noise
from nucleate.nets.layers import AdaptiveBlock, mlp
from nucleate.nets.occupancy import BARRED, allowed_elements, atom_noise, mixed
from nucleate.nets.table import TableNetwork, squashed

CONTEXT = 8  # number of features that each column passes to its slots


class Place(nn.Module):
    """Embeds an element by its place in the periodic table: the sum of a vector of its row and one of its column."""

    places: Tensor

    def __init__(self, dim: int, num_elements: int) -> None:
        super().__init__()
        table = torch.tensor([(0, 0), *(grid_place(z) for z in range(1, num_elements + 1))])
        self.register_buffer("places", table, persistent=False)
        self.row, self.column = nn.Embedding(ROWS, dim), nn.Embedding(COLUMNS, dim)

    def forward(self, atomic_numbers: Tensor) -> Tensor:
        """Atomic numbers (...) to vectors (..., dim)."""
        row, column = self.places[atomic_numbers].unbind(-1)
        return self.row(row) + self.column(column)


class Columns(nn.Module):
    """A perceptron over the columns of all elements together.

    Features (B, P, features) to log odds (B, P) that slots of a column hold an atom, and to the context (B, P, CONTEXT)
    that the column passes to its slots. P is the number of elements.
    """

    def __init__(self, size: int, features: int, dim: int, condition_dim: int, layers: int = 3) -> None:
        super().__init__()
        self.start = nn.Linear(size * features, dim)
        self.layers = nn.ModuleList(mlp(dim, 2 * dim, dim) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(dim, elementwise_affine=False) for _ in range(layers))
        self.conditions = nn.ModuleList(nn.Linear(condition_dim, 2 * dim) for _ in range(layers))
        self.out = nn.Linear(dim, size * (1 + CONTEXT))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Tensor, z_c: Tensor) -> tuple[Tensor, Tensor]:
        h = self.start(features.flatten(1))
        for layer, norm, condition in zip(self.layers, self.norms, self.conditions, strict=True):
            shift, scale = condition(F.silu(z_c)).chunk(2, -1)
            h = h + layer(norm(h) * (1 + scale) + shift)
        out = self.out(h).unflatten(-1, (-1, 1 + CONTEXT))
        return out[..., 0], out[..., 1:]


class SlotTransformer(TableNetwork):
    """Predicts the noise of a noisy table and of a noisy cell (Yang et al. 2023, eq. 1).

    fields: "lattice" (B, 6) and SLOTS (B, P, L, 3), for P elements with L slots each; or for a given composition
    "frac_coords" (B, A, 3), "atomic_numbers" (B, A), "mask" (B, A). condition: "chemical_system" (B, num_elements + 1)
    excludes the columns of all other elements (the "composition type" of the paper, H x W); and any property. The
    output is equivariant under permutation of the slots of an element and of atoms.
    """

    def __init__(
        self,
        codec: UniMatCodec,
        max_atoms: int,
        processes: Mapping[str, GaussianVP],
        *,
        dim: int,
        layers: int,
        heads: int,
        frequencies: int,
        seen: int,
        pair_dim: int,
        distance: bool = False,
        condition_on: tuple[str, ...] = (),
    ) -> None:
        """seen: how many slots, the most probable ones, attention runs over. distance: whether attention also depends
        on the relative positions of atoms (`Relative`, with `pair_dim` features of a pair)."""
        super().__init__(codec, max_atoms, processes, dim, condition_on)
        size = len(codec.elements)
        self.seen = min(seen, size * codec.slots)
        self.place = Place(dim, codec.num_elements)
        self.position, self.cell = PositionFeatures(dim, frequencies), CellTokens(dim)
        self.relative = Relative(codec, dim, layers, pair_dim, heads) if distance else None
        num_phases = PHASES if distance else 0
        self.blocks = nn.ModuleList(AdaptiveBlock(dim, heads, phases=num_phases) for _ in range(layers))
        self.norm, self.read = nn.LayerNorm(dim), nn.Linear(dim, 4)  # v (3 numbers) and a correction of the log odds
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)
        self.position_field = "frac_coords" if codec.given else SLOTS
        self.columns: Columns | None = None
        if not codec.given:
            self.columns = Columns(size, 4, 3 * dim, dim)
            self.context = nn.Linear(CONTEXT + 1, dim)

    def attend(
        self, x: Tensor, z: Tensor, lattice: Tensor, num_atoms: Tensor, t: Tensor, z_c: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Apply the blocks to the cell and to K atoms with features z (B, K, d) at positions x (B, K, 3).

        bias (B, K) is added to the scores of the keys. Returns v of the cell (B, 6), and for each atom v and the
        correction of its log odds (B, K, 4).
        """
        z = torch.cat([self.cell(lattice), z + self.position(x)], 1)
        bias = F.pad(bias, (2, 0))[:, None, None]
        biases, phase, geometry = (bias,) * len(self.blocks), None, None
        if self.relative is not None:
            alphas = tuple(self.processes[k].alpha_bar(t).sqrt() for k in (self.position_field, "lattice"))
            geometry = self.relative(x, lattice, num_atoms, alphas, z_c, bias)
            biases, phase = geometry.biases, geometry.phase
            z = torch.cat([z[:, :2], z[:, 2:] + geometry.environment], 1)
        for block, block_bias in zip(self.blocks, biases, strict=True):
            z = block(z, z_c, block_bias, phase)
        z = self.norm(z)
        atoms = self.read(z[:, 2:]).to(lattice.dtype)
        if self.relative is not None and geometry is not None:
            atoms = atoms + F.pad(self.relative.moves(geometry, z[:, 2:]), (0, 1)).to(atoms)
        return self.cell.read(z[:, :2]).to(lattice.dtype), atoms

    def forward(self, fields: Fields, t: Tensor, condition: Fields) -> dict[str, Tensor]:
        lattice, mask = fields["lattice"], fields["mask"]
        z_c = self.condition(t, mask, condition)
        if self.columns is not None:
            v, slots = self._table(fields[SLOTS], lattice, t, z_c, condition, self.columns)
            out = {SLOTS: slots}
        else:
            frac = fields["frac_coords"]
            bias = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, -1e9)
            v, atoms = self.attend(frac, self.place(fields["atomic_numbers"]), lattice, mask.sum(1), t, z_c, bias)
            out = {"frac_coords": atom_noise(frac, atoms[..., :3], self.processes["frac_coords"].alpha_bar(t))}
        return {"lattice": as_noise(lattice, v, self.processes["lattice"].alpha_bar(t))} | out

    def _table(
        self, x: Tensor, lattice: Tensor, t: Tensor, z_c: Tensor, condition: Fields, columns: Columns
    ) -> tuple[Tensor, Tensor]:
        """v of the cell (B, 6), and the noise of all slots (B, P, L, 3)."""
        abar = self.processes[SLOTS].alpha_bar(t)
        logit = self.log_odds(x, abar)
        allowed = allowed_elements(condition, self.elements, len(x))
        expected = torch.sigmoid(logit).sum(-1)
        summary = squashed(torch.stack([logit.amax(-1), logit.logsumexp(-1)], -1))
        update, context = columns(torch.cat([expected[..., None], summary, allowed.to(x)[..., None]], -1), z_c)
        logit = (logit + update.to(x)[..., None]).masked_fill(~allowed[..., None], BARRED)
        flat, positions = logit.flatten(1), x.flatten(1, 2)
        best, index = flat.topk(self.seen, dim=1)
        column = index // x.shape[2]
        slot_features = context.to(x).gather(1, column[..., None].expand(-1, -1, CONTEXT))
        slot_features = torch.cat([slot_features, squashed(best)[..., None]], -1)
        three = index[..., None].expand(-1, -1, 3)
        z, one = self.place(self.elements[column]) + self.context(slot_features), torch.ones_like(t, dtype=torch.long)
        # attention weighs each slot by the probability that it holds an atom
        v, atoms = self.attend(positions.gather(1, three), z, lattice, one, t, z_c, F.logsigmoid(best).detach())
        flat = flat.scatter_add(1, index, atoms[..., 3])
        slot_v = torch.zeros_like(positions).scatter(1, three, atoms[..., :3])
        return v, mixed(x, slot_v.view_as(x), flat.view_as(logit), abar)
