"""A small transformer over the elements of a composition that predicts their oxidation states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nucleate.errors import NucleateError
from nucleate.nets.layers import mlp, require_heads

COUNTS = 64  # numbers of atoms up to this one have an embedding of their own
GRID = torch.arange(-8.0, 10.01, 0.5)  # grid for charges that are fed back; wider than the range of oxidation states


def encode(compositions: Sequence[Mapping[str, int]], elements: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Reduced compositions to two padded tensors (B, L): the place of each element in `elements`, counted from 1, and
    its number of atoms.

    Padding is 0. Raises NucleateError for an element that is not in `elements`.
    """
    place = {s: i + 1 for i, s in enumerate(elements)}
    width = max(map(len, compositions), default=0)
    index, counts = torch.zeros(2, len(compositions), width, dtype=torch.long)
    for row, composition in enumerate(compositions):
        if missing := [s for s in composition if s not in place]:
            raise NucleateError(f"the network of oxidation states was not trained on {missing[0]}")
        index[row, : len(composition)] = torch.tensor([place[s] for s in composition])
        counts[row, : len(composition)] = torch.tensor(list(composition.values()))
    return index, counts


def assign_shares(logits: Tensor, mixed: Tensor, counts: Tensor, values: Tensor) -> Tensor:
    """The share of an element's atoms in each oxidation state, (B, L, S); the sum over the last axis is 1.

    logits (B, L, S) and mixed (B, L) are the network's outputs, counts (B, L) the numbers of atoms, values (S,) the
    states. All atoms are in the most probable state, unless mixed valence is more probable than not. Then whole numbers
    of atoms are in the two most probable states: those that make the formula neutral, if there are such numbers and no
    other element is mixed, otherwise those nearest to the ratio of the probabilities. An element with one atom in the
    reduced formula is counted as two atoms here, one in each state (Bi in BaBiO3).
    """
    best, state = logits.softmax(-1).topk(2, -1)
    mixed = (mixed > 0) & (counts > 0)
    atoms = torch.where(counts > 1, counts, 2).float()
    first = (atoms * best[..., 0] / best.sum(-1)).round()
    high, low = values[state[..., 0]], values[state[..., 1]]
    charge = counts * high
    # the mean state that would make the formula neutral, given the other elements
    needed = -(charge.sum(1, keepdim=True) - charge) / counts.clamp_min(1)
    neutral = atoms * (needed - low) / (high - low)  # atoms in the first state
    whole = ((neutral - neutral.round()).abs() < 1e-3) & (neutral > 0.5) & (neutral < atoms - 0.5)
    first = torch.where(whole & (mixed.sum(1, keepdim=True) == 1), neutral.round(), first)
    first = torch.where(mixed, torch.minimum(first.clamp_min(1), atoms - 1) / atoms, 1.0)
    return torch.zeros_like(logits).scatter(-1, state, torch.stack([first, 1 - first], -1))


class FormulaBlock(nn.Module):
    """Self-attention and a feed-forward layer, each with a layer norm before it."""

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.mlp = mlp(dim, hidden, dim)

    def forward(self, z: Tensor, bias: Tensor) -> Tensor:
        b, n, d = z.shape
        q, k, v = self.qkv(self.norm1(z)).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-1, -2) * (d // self.heads) ** -0.5 + bias).softmax(-1)  # (B, h, L, L)
        read = self.out((weights @ v).transpose(1, 2).reshape(b, n, d))
        z = z + F.dropout(read, self.dropout, self.training)
        return z + F.dropout(self.mlp(self.norm2(z)), self.dropout, self.training)


class OxidationNetwork(nn.Module):
    """Predicts oxidation states from elements and their numbers of atoms.

    There is one token for each element and no positions, so a permutation of the elements permutes the answers. After
    each block except the last, a draft of the answer is computed. From it each element gets as a further input the
    state that would make the formula neutral if the other elements had their drafted states (features on `GRID`). The
    network learns how to use this input, so its answer need not be neutral.
    """

    values: Tensor
    grid: Tensor

    def __init__(
        self,
        elements: int,
        states: Sequence[int],
        *,
        dim: int = 160,
        layers: int = 4,
        heads: int = 5,
        hidden: int = 320,
        dropout: float = 0.2,
    ) -> None:
        """elements: how many there are. states: the oxidation states. hidden: width of the feed-forward layers."""
        super().__init__()
        require_heads(dim, heads)
        self.dropout = dropout
        self.element = nn.Embedding(elements + 1, dim)
        self.count = nn.Embedding(COUNTS + 1, dim)  # the last one stands for all larger numbers
        self.amount = mlp(4, dim, dim)
        self.blocks = nn.ModuleList(FormulaBlock(dim, heads, hidden, dropout) for _ in range(layers))
        self.feedback = nn.ModuleList(nn.Linear(len(GRID), dim) for _ in range(layers - 1))
        self.norm = nn.LayerNorm(dim)
        self.states = nn.Linear(dim, len(states))
        self.mixed = nn.Linear(dim, 1)
        self.register_buffer("values", torch.tensor(states, dtype=torch.float32), persistent=False)
        self.register_buffer("grid", GRID.clone(), persistent=False)

    def needed(self, logits: Tensor, atoms: Tensor) -> Tensor:
        """Gaussian features (B, L, len(GRID)) of the state of each element that would make the formula neutral."""
        mean = logits.softmax(-1) @ self.values  # (B, L)
        charge = (mean * atoms).sum(1, keepdim=True)  # padding has no atoms
        need = (mean - charge / atoms.clamp_min(1)).clamp(GRID[0], GRID[-1])
        return torch.exp(-(((need[..., None] - self.grid) / 0.5) ** 2))

    def forward(self, elements: Tensor, counts: Tensor) -> tuple[list[Tensor], Tensor]:
        """elements, counts (B, L) as `encode` gives them.

        Returns the logits (B, L, S) of the share of an element's atoms in each state after every block, of which the
        last are the answer, and the logit (B, L) of mixed valence. Their values on padding have no meaning.
        """
        mask = elements > 0
        atoms = counts.float()
        total = atoms.sum(1, keepdim=True).expand_as(atoms)
        share = atoms / total
        amounts = torch.stack([share, share.clamp_min(1e-4).log(), atoms.clamp_min(1).log(), total.log()], -1)
        z = self.element(elements) + self.count((counts - 1).clamp(0, COUNTS)) + self.amount(amounts)
        z = F.dropout(z, self.dropout, self.training)
        bias = torch.zeros(mask.shape, device=z.device).masked_fill(~mask, -1e9)[:, None, None]
        drafts: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            z = block(z, bias)
            read = self.norm(z)
            drafts.append(self.states(read).float())
            if i < len(self.feedback):
                z = z + self.feedback[i](self.needed(drafts[-1], atoms))
        return drafts, self.mixed(read)[..., 0].float()
