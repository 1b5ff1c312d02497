"""`FormulaBatch`: many formulas as dense padded tensors. Needs torch alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from nucleate.crystal.prepared import read_prepared, write_prepared


@dataclass(frozen=True)
class FormulaBatch:
    """B formulas of at most A atoms, each atom written out: SrTiO3 is 38 22 8 8 8.

    atomic_numbers: (B, A) int64, equal elements side by side; padding is zero.
    properties: name -> (B,) float32, NaN where a formula has no value.
    """

    atomic_numbers: Tensor
    properties: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, values in self.properties.items():
            if values.shape != self.atomic_numbers.shape[:1]:
                raise ValueError(f"property {name!r} has shape {tuple(values.shape)}, not ({len(self)},)")

    def __len__(self) -> int:
        return len(self.atomic_numbers)

    @property
    def mask(self) -> Tensor:
        """(B, A) bool, true for atoms."""
        return self.atomic_numbers > 0

    def to(self, device: torch.device | str) -> FormulaBatch:
        return FormulaBatch(self.atomic_numbers.to(device), {k: v.to(device) for k, v in self.properties.items()})

    @property
    def num_atoms(self) -> Tensor:
        """(B,) int64."""
        return self.mask.sum(1)

    def __getitem__(self, index: Tensor) -> FormulaBatch:
        """Some of the formulas, padded no further than the longest of them."""
        z = self.atomic_numbers[index]
        width = int((z > 0).sum(1).max()) if len(z) else 0
        return FormulaBatch(z[:, :width], {k: v[index] for k, v in self.properties.items()})

    @classmethod
    def from_counts(
        cls, formulas: Sequence[Mapping[int, int]], properties: Mapping[str, Tensor] | None = None
    ) -> FormulaBatch:
        """A batch from mappings of atomic number to atoms, in the order in which the elements are to be written."""
        rows = [[z for z, n in formula.items() for _ in range(n)] for formula in formulas]
        out = torch.zeros(len(rows), max(map(len, rows), default=0), dtype=torch.int64)
        for i, row in enumerate(rows):
            out[i, : len(row)] = torch.tensor(row)
        return cls(out, dict(properties or {}))

    def save(self, path: str | Path) -> None:
        """Write safetensors (uint8 elements, float32 properties)."""
        write_prepared(path, {"formulas": self.atomic_numbers.to(torch.uint8)}, self.properties)

    @classmethod
    def load(cls, path: str | Path) -> FormulaBatch:
        """Read what `save` wrote; raises NucleateError on any other file."""
        (formulas,), properties = read_prepared(path, ("formulas",), "formulas")
        return cls(formulas.long(), properties)
