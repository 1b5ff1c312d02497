"""`CrystalBatch`: many crystals as dense padded tensors. It needs only torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from nucleate.crystal import lattice as lat
from nucleate.crystal.prepared import read_prepared, write_prepared
from nucleate.errors import NucleateError


@dataclass(frozen=True)
class CrystalBatch:
    """B crystals of at most A atoms.

    lattice: (B, 3, 3) float32, angstrom, rows are lattice vectors.
    frac_coords: (B, A, 3) float32, fractional; padding is zero.
    atomic_numbers: (B, A) int64; padding is zero.
    properties: name -> (B,) float32, NaN where a crystal has no value.

    Example:
        >>> import nucleate
        >>> batch = nucleate.CrystalBatch.from_arrays([[[4, 0, 0], [0, 4, 0], [0, 0, 4]]], [[[0, 0, 0]]], [[84]])
        >>> batch.lattice.shape, batch.atomic_numbers.tolist()
        (torch.Size([1, 3, 3]), [[84]])
    """

    lattice: Tensor
    frac_coords: Tensor
    atomic_numbers: Tensor
    properties: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        b, a = self.atomic_numbers.shape
        for name, values in self.properties.items():
            if values.shape != (b,):
                raise ValueError(f"property {name!r} has shape {tuple(values.shape)}, not ({b},)")
        if self.lattice.shape != (b, 3, 3) or self.frac_coords.shape != (b, a, 3):
            raise ValueError(
                f"shapes disagree: lattice {tuple(self.lattice.shape)}, frac_coords {tuple(self.frac_coords.shape)}, "
                f"atomic_numbers {tuple(self.atomic_numbers.shape)}"
            )

    def __len__(self) -> int:
        return len(self.lattice)

    @property
    def mask(self) -> Tensor:
        """(B, A) bool, true for atoms and false for padding."""
        return self.atomic_numbers > 0

    @property
    def num_atoms(self) -> Tensor:
        """(B,) int64, the number of atoms in each cell."""
        return self.mask.sum(1)

    @property
    def volume(self) -> Tensor:
        """(B,) the volume of each cell in cubic angstrom."""
        return lat.volume(self.lattice)

    def __getitem__(self, index: Tensor | slice | Sequence[int]) -> CrystalBatch:
        """Some of the crystals as a batch, padded to the largest of them."""
        if not isinstance(index, slice | Tensor):
            index = torch.as_tensor(index)
        z = self.atomic_numbers[index]
        width = int((z > 0).sum(1).max()) if len(z) else 0
        properties = {k: v[index] for k, v in self.properties.items()}
        return CrystalBatch(self.lattice[index], self.frac_coords[index, :width], z[:, :width], properties)

    def to(self, device: torch.device | str) -> CrystalBatch:
        properties = {k: v.to(device) for k, v in self.properties.items()}
        return CrystalBatch(
            self.lattice.to(device), self.frac_coords.to(device), self.atomic_numbers.to(device), properties
        )

    def with_properties(self, properties: Mapping[str, Tensor]) -> CrystalBatch:
        """The same crystals with other properties, name -> (B,)."""
        return CrystalBatch(self.lattice, self.frac_coords, self.atomic_numbers, dict(properties))

    @classmethod
    def join(cls, batches: Sequence[CrystalBatch]) -> CrystalBatch:
        """The crystals of several batches as one batch, in the same order. A property that one of the batches lacks is
        NaN for its crystals."""
        width = max((b.atomic_numbers.shape[1] for b in batches), default=0)
        names = dict.fromkeys(name for b in batches for name in b.properties)
        pad = [width - b.atomic_numbers.shape[1] for b in batches]
        return cls(
            torch.cat([b.lattice for b in batches]),
            torch.cat([nn.functional.pad(b.frac_coords, (0, 0, 0, n)) for b, n in zip(batches, pad, strict=True)]),
            torch.cat([nn.functional.pad(b.atomic_numbers, (0, n)) for b, n in zip(batches, pad, strict=True)]),
            {k: torch.cat([b.properties.get(k, torch.full((len(b),), torch.nan)) for b in batches]) for k in names},
        )

    @classmethod
    def from_arrays(
        cls, lattices: Sequence, frac_coords: Sequence, atomic_numbers: Sequence, max_atoms: int | None = None
    ) -> CrystalBatch:
        """A batch from one array per crystal: lattices (3, 3) in angstrom, frac_coords (n, 3), atomic_numbers (n,).

        max_atoms: the size to pad to (default: that of the largest crystal). Raises NucleateError for a crystal that is
        larger.
        """
        sizes = [len(z) for z in atomic_numbers]
        width = max_atoms or max(sizes, default=0)
        if sizes and max(sizes) > width:
            raise NucleateError(f"a crystal has {max(sizes)} atoms, more than the {width} allowed here")
        frac = torch.zeros(len(sizes), width, 3)
        z = torch.zeros(len(sizes), width, dtype=torch.int64)
        for i, n in enumerate(sizes):
            frac[i, :n] = torch.as_tensor(frac_coords[i], dtype=torch.float32).reshape(n, 3) % 1.0
            z[i, :n] = torch.as_tensor(atomic_numbers[i], dtype=torch.int64)
        lattice = (
            torch.stack([torch.as_tensor(v, dtype=torch.float32) for v in lattices]) if sizes else torch.zeros(0, 3, 3)
        )
        return cls(lattice, frac, z)

    def save(self, path: str | Path) -> None:
        """Write a safetensors file: lattice, coordinates and properties as float32, atomic numbers as uint8."""
        tensors = {
            "lattice": self.lattice,
            "frac_coords": self.frac_coords,
            "atomic_numbers": self.atomic_numbers.to(torch.uint8),
        }
        write_prepared(path, tensors, self.properties)

    @classmethod
    def load(cls, path: str | Path) -> CrystalBatch:
        """The batch in a file of `save`. Raises NucleateError for any other file."""
        (lattice, frac, z), properties = read_prepared(path, ("lattice", "frac_coords", "atomic_numbers"), "crystals")
        return cls(lattice, frac, z.long(), properties)
