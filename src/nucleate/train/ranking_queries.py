"""What a fit of the ranking asks the library: of crystals of one ratio, which vote, and which answer is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from nucleate.retrieval.ranking import NEVER
from nucleate.retrieval.relatives import ROLES, Relatives

NEAR_HULL = 0.05  # eV/atom; crystals up to it, and those that were made, are looked for as "stable"
LeaveOut = Literal["formula", "crystal"]


@dataclass(frozen=True, eq=False)
class RatioQueries:
    """The relatives of a ratio as tensors (`Relatives`), and what is asked of them.

    rows: (n,) of the library's table; formula: (n,) numbers of their formulas; wanted: (n,) the decorated prototype of
    each relative itself; stable: (n,) whether it is near the hull or was made.
    """

    relatives: Relatives
    rows: np.ndarray
    formula: Tensor
    wanted: Tensor
    stable: Tensor
    elements: Tensor
    roles: Tensor
    kinds: Tensor
    quality: Tensor
    facts: Tensor
    sites: Tensor
    share: Tensor
    ratio: Tensor
    exchanges: Tensor
    assignments: Tensor
    keys: Tensor
    units: Tensor
    num_keys: int

    @classmethod
    def of(cls, relatives: Relatives) -> RatioQueries:
        table, r = relatives.library.table, relatives
        identity = np.flatnonzero((r.assignments == np.arange(r.assignments.shape[1])).all(1))[0]
        height, made = table.e_above_hull[r.rows], table.experimental[r.rows]
        reduced = r.reduced / r.reduced.sum()
        return cls(
            relatives=r,
            rows=r.rows,
            formula=torch.from_numpy(table.formula_numbers[r.rows].astype(np.int64)),
            wanted=torch.from_numpy(r.keys[r.pattern, identity]),
            stable=torch.from_numpy((height <= NEAR_HULL) | (made == 1)),
            elements=torch.from_numpy(r.elements),
            roles=torch.from_numpy(r.roles),
            kinds=torch.from_numpy(r.elements * ROLES + r.roles),
            quality=as_tensor(r.quality),
            facts=as_tensor(r.facts[r.pattern]),
            sites=as_tensor(np.log(r.sites)[r.pattern]),
            share=as_tensor(np.log(reduced)),
            ratio=as_tensor(reduced),
            exchanges=as_tensor(np.log(r.exchanges)[r.pattern]),
            assignments=torch.from_numpy(r.assignments),
            keys=torch.from_numpy(r.keys[r.pattern].ravel()),
            units=torch.from_numpy(r.units[r.first[0]]),
            num_keys=r.num_keys,
        )

    def loss(
        self, model: nn.Module, asked: Sequence[int], leave_out: LeaveOut = "formula", told: bool = False
    ) -> Tensor:
        """(2, B), with `told` (4, B): negative logarithms of the shares of what is right; asked: places of the crystals
        asked for. Rows: any crystal and a stable one, and the same where the formula units of the primitive cell are
        told; those for stable ones are nan where the crystal is none."""
        index = torch.tensor(asked)
        same = self.formula[None] == self.formula[index, None]  # (B, n)
        visible = ~same
        if leave_out == "crystal":
            visible = torch.ones_like(same)
            visible[torch.arange(len(index)), index] = False
        keys, none = model(self, self.elements[index], self.roles[index], visible, same.float())
        wanted = self.wanted[index].expand(2, -1)[..., None]
        none = none[..., None]
        own = keys.gather(2, wanted)
        own = torch.where(own > NEVER / 2, own, none)
        stable = torch.where(self.stable[index], 0.0, math.nan)
        lost: list[Tensor] = []
        for votes in (keys, self._of_size(keys, self.wanted[index])) if told else (keys,):
            of_all = torch.logsumexp(torch.cat([votes, none], dim=2), dim=2)
            lost += [of_all[0] - own[0, :, 0], of_all[1] - own[1, :, 0] + stable]
        return torch.stack(lost)

    def _of_size(self, keys: Tensor, wanted: Tensor) -> Tensor:
        """The votes (2, B, K) without those for prototypes of another size than the wanted ones (B,)."""
        other = self.units[None] != self.units[wanted][:, None]
        return keys.masked_fill(other[None], NEVER)


def as_tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
