"""The embedding of conditions: one vector for each crystal (Takahara et al. 2024, eq. 15)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nucleate.diffusion.process import Fields
from nucleate.nets.layers import mlp, sinusoidal


class ConditionEmbedding(nn.Module):
    """z_c = MLP(z_t, z_1, z_2, ...): the time, the number of atoms, and each conditioned quantity.

    A quantity that is absent from `condition` gets its learned null vector, and so does a row whose `<name>_present`
    (B,) is false. This is used for condition dropout in training and for the unconditional branch of guidance.
    Quantities: "chemical_system" (B, num_elements + 1), ones where an element is in the system; any other name is a
    standardised property (B, 1), linearly projected as in the paper.
    """

    def __init__(self, dim: int, num_elements: int, max_atoms: int, condition_on: tuple[str, ...]) -> None:
        super().__init__()
        sizes = {name: num_elements + 1 if name == "chemical_system" else 1 for name in condition_on}
        self.dim, self.names = dim, condition_on
        self.num_atoms = nn.Embedding(max_atoms + 1, dim)
        self.project = nn.ModuleDict({name: nn.Linear(sizes[name], dim) for name in condition_on})
        self.null = nn.ParameterDict({name: nn.Parameter(torch.zeros(dim)) for name in condition_on})
        self.out = mlp(dim * (2 + len(condition_on)), dim, dim)

    def forward(self, t: Tensor, mask: Tensor, condition: Fields) -> Tensor:
        parts = [sinusoidal(t, self.dim), self.num_atoms(mask.sum(1))]
        for name in self.names:
            null = self.null[name].expand(len(t), -1)
            value = condition.get(name)
            if value is not None:
                present = condition.get(f"{name}_present")
                value = self.project[name](value)
                null = value if present is None else torch.where(present[:, None], value, null)
            parts.append(null)
        return self.out(torch.cat(parts, -1))

    def widened(self, weight: Tensor, names: tuple[str, ...]) -> Tensor:
        """Adapts the first weight of `out`, (d, d (2 + n)), of an embedding with the n quantities `names` to this one.

        Quantities that both embeddings have keep their columns. The columns of new quantities are zero.
        """
        own = torch.zeros(self.dim, self.dim * (2 + len(self.names)), device=weight.device)
        blocks = [None, None, *names]
        for i, name in enumerate([None, None, *self.names]):
            if i < 2 or name in names:
                j = i if i < 2 else blocks.index(name)
                own[:, i * self.dim : (i + 1) * self.dim] = weight[:, j * self.dim : (j + 1) * self.dim]
        return own
