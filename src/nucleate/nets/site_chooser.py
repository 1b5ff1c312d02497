"""A transformer that decides formula units, space group and Wyckoff positions of a composition, one after another."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nucleate.crystal.wyckoff import GROUP_NUMBERS, get_space_group
from nucleate.nets.layers import mlp, require_heads
from nucleate.nets.oxidation import FormulaBlock

MOST_UNITS = 63
MOST_PLACES = 27  # Wyckoff positions of a space group
MOST_ATOMS = 255
MOST_ELEMENTS = 16
NEVER = -1e9  # in the place of the logarithm of zero
NAMELESS = 0.1  # how often in training the network is told only what the elements are like


class SiteQueries(NamedTuple):
    """B crystals in the making, with up to E elements and D decisions.

    elements (B, E): atomic numbers in writing order, 0 beyond; reduced (B, E): atoms in a formula unit; wish (B,):
    whether a stable crystal is looked for (`train.site_decisions.ANY` and so on); tokens (B, D, 5): what is known
    before each decision (`train.site_decisions.token_of`); length (B,): the number of tokens of each.
    """

    elements: Tensor
    reduced: Tensor
    wish: Tensor
    tokens: Tensor
    length: Tensor


class SiteChooserNetwork(nn.Module):
    """Tokens of the elements, which see each other, and of decisions, which see those before them.

    A Wyckoff position is known by what it is (site symmetry, atoms, free parameters), beside a vector of its own, and
    the next one is chosen by the product of its vector with the network's; so positions of rare groups are not unknown.
    elements (119, F): what the elements are like.
    """

    likeness: Tensor
    index: Tensor
    facts: Tensor

    def __init__(
        self,
        likeness: Tensor | int,
        *,
        dim: int = 160,
        layers: int = 4,
        heads: int = 5,
        hidden: int = 320,
        dropout: float = 0.05,
    ) -> None:
        """likeness: features of the elements (119, F), or their number F where they come with the weights. hidden:
        width of the feed-forward layers."""
        super().__init__()
        require_heads(dim, heads)
        features = likeness if isinstance(likeness, Tensor) else torch.zeros(119, likeness)
        self.dim = dim
        index, facts, symmetries = position_facts()
        self.register_buffer("likeness", features.float())
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("facts", facts, persistent=False)
        self.element, self.like = nn.Embedding(119, dim), mlp(features.shape[1], dim, dim)
        self.amount, self.share = nn.Embedding(MOST_UNITS + 1, dim), nn.Linear(2, dim)
        self.rank, self.wish = nn.Embedding(MOST_ELEMENTS + 1, dim), nn.Embedding(3, dim)
        self.position, self.symmetry = nn.Embedding(len(facts), dim), nn.Embedding(symmetries, dim)
        self.size, self.free, self.letter = nn.Embedding(64, dim), nn.Embedding(4, dim), nn.Embedding(MOST_PLACES, dim)
        self.units, self.group = nn.Embedding(MOST_UNITS + 1, dim), nn.Embedding(len(GROUP_NUMBERS) + 1, dim)
        self.left, self.following = nn.Embedding(64, dim), nn.Linear(dim, dim)
        self.blocks = nn.ModuleList(FormulaBlock(dim, heads, hidden, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.to_units, self.to_group = nn.Linear(dim, MOST_UNITS + 1), nn.Linear(dim, len(GROUP_NUMBERS) + 1)
        self.to_place = nn.Linear(dim, dim)
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                own = module is self.element or module is self.position
                nn.init.normal_(module.weight, std=0.02 if own else 0.05)

    def positions(self) -> Tensor:
        """(1732, dim) a vector for each Wyckoff position of all groups; the first is of none."""
        symmetry, size, free, letter = self.facts.unbind(1)
        return self.position.weight + self.symmetry(symmetry) + self.size(size) + self.free(free) + self.letter(letter)

    def forward(self, asked: SiteQueries) -> tuple[Tensor, Tensor]:
        """The state before each decision (B, D, dim), and the vectors of all positions."""
        width, tokens = asked.elements.shape[1], asked.tokens.shape[1]
        names = self.element(asked.elements)
        if self.training:
            names = names * (torch.rand(len(names), 1, 1, device=names.device) > NAMELESS)
        kinds = names + self.like(self.likeness)[asked.elements]
        share = asked.reduced / asked.reduced.sum(1, keepdim=True)
        logs = torch.stack([share, torch.log1p(asked.reduced.float())], dim=-1)
        rank = self.rank(torch.arange(width, device=names.device).clamp(max=MOST_ELEMENTS))
        wish = self.wish(asked.wish)[:, None]
        given = kinds + self.amount(asked.reduced.clamp(max=MOST_UNITS)) + self.share(logs) + rank + wish
        table = self.positions()
        units, group, last, slot, left = asked.tokens.unbind(-1)
        known = self.units(units) + self.group(group) + self.left(left.clamp(max=63)) + wish
        before = F.embedding(self.index[group, (last - 1).clamp(min=0)], table) * (last > 0)[..., None]
        chosen = (slot - 1).clamp(min=0)[..., None].expand(-1, -1, self.dim)
        next_one = torch.gather(kinds, 1, chosen) * (slot > 0)[..., None]
        order = self.rank(slot.clamp(max=MOST_ELEMENTS))
        z = torch.cat([given, known + before + self.following(next_one) + order], dim=1)
        bias = self._bias(asked, width, tokens)
        for block in self.blocks:
            z = block(z, bias)
        return self.norm(z[:, width:]), table

    def _bias(self, asked: SiteQueries, width: int, tokens: int) -> Tensor:
        """(B, 1, E + D, E + D): 0 where a token may look, NEVER elsewhere."""
        device = asked.elements.device
        size = width + tokens
        seen = torch.ones(size, size, dtype=torch.bool, device=device).tril()
        seen[:width, :width] = True
        there = torch.arange(tokens, device=device)[None] < asked.length[:, None]
        real = torch.cat([asked.elements > 0, there], dim=1)
        seen = (seen[None] & real[:, None]) | torch.eye(size, dtype=torch.bool, device=device)
        return torch.where(seen, 0.0, NEVER)[:, None]

    def unit_logits(self, state: Tensor) -> Tensor:
        """(n, dim) before the first decision -> (n, 64), for each number of formula units; the first is of none."""
        return self.to_units(state).float()

    def group_logits(self, state: Tensor) -> Tensor:
        """(n, dim) before the second decision -> (n, 231), by number of the space group; the first is of none."""
        return self.to_group(state).float()

    def place_logits(self, state: Tensor, table: Tensor, group: Tensor) -> Tensor:
        """(n, dim) before a position of space groups (n,) is chosen -> (n, 27); what a group lacks has no meaning."""
        keys = F.embedding(self.index[group], table)
        query = self.to_place(state)
        with torch.autocast(state.device.type, enabled=False):  # bf16 would round logits to two digits
            return (keys.float() @ query.float()[..., None])[..., 0] * (2 * self.dim**-0.5)


def masked(logits: Tensor, open_: Tensor) -> Tensor:
    """Logarithms of probabilities among what is open, NEVER elsewhere, from logits (n, k) and open_ (n, k) bool."""
    return torch.log_softmax(logits.masked_fill(~open_, NEVER), dim=-1).masked_fill(~open_, NEVER)


def position_facts() -> tuple[Tensor, Tensor, int]:
    """index (231, 27): of each group and place the row of facts, 0 beyond; facts (1732, 4): the number of its site
    symmetry, atoms in the primitive cell (63 at most), free parameters, place; how many site symmetries there are."""
    groups = [get_space_group(n).positions for n in GROUP_NUMBERS]
    symbols = sorted({_symmetry(p.site_symmetry) for own in groups for p in own})
    index = torch.zeros(len(groups) + 1, MOST_PLACES, dtype=torch.int64)
    rows = [(0, 0, 0, 0)]
    for number, own in enumerate(groups, start=1):
        for place, p in enumerate(own):
            index[number, place] = len(rows)
            rows.append((symbols.index(_symmetry(p.site_symmetry)) + 1, min(p.size, 63), p.free, place))
    return index, torch.tensor(rows), len(symbols) + 1


def _symmetry(symbol: str) -> str:
    """An oriented symbol without its orientation: ".m." and "m.." are the same."""
    return "".join(sorted(symbol.replace(".", "")))
