"""`FormulaBatch`: many formulas as dense padded tensors. It needs only torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from nucleate.crystal.prepared import read_prepared, write_prepared


@dataclass(frozen=True)
class FormulaBatch:
    """B formulas of at most A atoms, in which every atom is one entry: SrTiO3 is 38 22 8 8 8.

    atomic_numbers: (B, A) int64, atoms of an element side by side; padding is zero.
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
        """(B, A) bool, true for atoms and false for padding."""
        return self.atomic_numbers > 0

    def to(self, device: torch.device | str) -> FormulaBatch:
        return FormulaBatch(self.atomic_numbers.to(device), {k: v.to(device) for k, v in self.properties.items()})

    @property
    def num_atoms(self) -> Tensor:
        """(B,) int64, the number of atoms of each formula."""
        return self.mask.sum(1)

    def __getitem__(self, index: Tensor) -> FormulaBatch:
        """Some of the formulas as a batch, padded to the longest of them."""
        z = self.atomic_numbers[index]
        width = int((z > 0).sum(1).max()) if len(z) else 0
        return FormulaBatch(z[:, :width], {k: v[index] for k, v in self.properties.items()})

    @classmethod
    def from_counts(
        cls, formulas: Sequence[Mapping[int, int]], properties: Mapping[str, Tensor] | None = None
    ) -> FormulaBatch:
        """A batch from mappings of atomic number -> atoms. The elements keep the order of each mapping."""
        rows = [[z for z, n in formula.items() for _ in range(n)] for formula in formulas]
        out = torch.zeros(len(rows), max(map(len, rows), default=0), dtype=torch.int64)
        for i, row in enumerate(rows):
            out[i, : len(row)] = torch.tensor(row)
        return cls(out, dict(properties or {}))

    def save(self, path: str | Path) -> None:
        """Write a safetensors file: atomic numbers as uint8, properties as float32."""
        write_prepared(path, {"formulas": self.atomic_numbers.to(torch.uint8)}, self.properties)

    @classmethod
    def load(cls, path: str | Path) -> FormulaBatch:
        """The batch in a file of `save`. Raises NucleateError for any other file."""
        (formulas,), properties = read_prepared(path, ("formulas",), "formulas")
        return cls(formulas.long(), properties)
