"""The network of the compact representation in bins: a transformer over the atoms and the cell."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nucleate.codecs.bins import CELL, CELL_OFFSET, COORDINATES, OFFSET, BinCodec
from nucleate.codecs.unimat import ranks
from nucleate.diffusion.process import Fields
from nucleate.nets.condition import ConditionEmbedding
from nucleate.nets.layers import AdaptiveBlock


class BinTransformer(nn.Module):
    """Predicts from partly hidden tokens the logits of all tokens, and the offsets within the bins.

    The features of an atom are the sum of learned vectors of its element, its place in the crystal, its place among the
    atoms of its element, and the tokens of its three coordinates. The cell is one more token beside the atoms, the sum
    of learned vectors of the number of atoms and its six tokens. The result depends on the order of the atoms, which
    `codecs.bins` defines.
    """

    def __init__(
        self,
        codec: BinCodec,
        max_atoms: int,
        *,
        dim: int,
        layers: int,
        heads: int,
        condition_on: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.condition = ConditionEmbedding(dim, codec.num_elements, max_atoms, condition_on)
        self.element = nn.Embedding(codec.num_elements + 1, dim)
        self.place = nn.Embedding(max_atoms, dim)
        self.rank = nn.Embedding(max_atoms, dim)
        self.size = nn.Embedding(max_atoms + 1, dim)
        self.coordinates = nn.ModuleList(nn.Embedding(COORDINATES + 1, dim) for _ in range(3))
        self.cell = nn.ModuleList(nn.Embedding(CELL + 1, dim) for _ in range(6))
        self.blocks = nn.ModuleList(AdaptiveBlock(dim, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.read_atoms = nn.Linear(dim, 3 * (COORDINATES + 2))
        self.read_element = None if codec.given else nn.Linear(dim, codec.num_elements + 1)
        self.read_cell = nn.Linear(dim, 6 * (CELL + 2))
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.3)

    def forward(self, fields: Fields, t: Tensor, condition: Fields) -> dict[str, Tensor]:
        z, mask, frac, lattice = (fields[k] for k in ("atomic_numbers", "mask", "frac_coords", "lattice"))
        z_c = self.condition(t, mask, condition)
        place = torch.arange(z.shape[1], device=z.device)
        atoms = self.element(z) + self.place(place) + self.rank(ranks(z) * mask * (z > 0))
        for i, table in enumerate(self.coordinates):
            atoms = atoms + table(frac[..., i])
        cell = self.size(mask.sum(1))
        for i, table in enumerate(self.cell):
            cell = cell + table(lattice[:, i])
        x = torch.cat([cell[:, None], atoms], 1)
        bias = torch.zeros(len(z), x.shape[1], device=z.device)
        bias[:, 1:].masked_fill_(~mask, -1e9)
        for block in self.blocks:
            x = block(x, z_c, bias[:, None, None])
        x = self.norm(x)
        atoms = self.read_atoms(x[:, 1:]).unflatten(-1, (3, -1)).float()
        cell = self.read_cell(x[:, 0]).unflatten(-1, (6, -1)).float()
        elements = {} if self.read_element is None else {"atomic_numbers": self.read_element(x[:, 1:]).float()}
        return {
            "frac_coords": atoms[..., :-1],
            OFFSET: atoms[..., -1],
            "lattice": cell[..., :-1],
            CELL_OFFSET: cell[..., -1],
            **elements,
        }
