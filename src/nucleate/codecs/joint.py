"""The joint codec of lattice, fractional coordinates and species (Takahara et al. 2024, section 2).

Crystals are padded tensors here, so that training needs no package of chemistry: lattice (B, 3, 3), frac_coords
(B, A, 3), atomic_numbers (B, A) with 0 for padding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from nucleate.codecs.state import CodecState
from nucleate.crystal import lattice as lat
from nucleate.crystal.batch import CrystalBatch
from nucleate.diffusion.process import Fields
from nucleate.diffusion.rng import Streams

SHARPEST = 10.0  # degrees; decoded angles of a cell are between this and 180 minus this
SMALLEST_STD = 0.02  # the smallest scale of a number (about 1 degree), because in cubic data the angles do not vary


@dataclass(frozen=True)
class JointCodec:
    """Encodes crystals as fields and decodes fields.

    mean, std: six numbers each, which standardise the lattice field over the training data. num_elements: the classes
    of species are the atomic numbers 1 to num_elements. per_atom: names of the fields whose second axis runs over
    atoms. lattice: how the cell is represented. "log-metric": (log(G)/2 - log(num_atoms)/3 * 1 - mean) / std, (B, 6),
    with the metric tensor G; it does not depend on the orientation, and the growth of the volume with the number of
    atoms is removed. "parameters": the same with the logarithms of the lengths and with the angles in radians; angles
    that no cell can have are decoded to a flat cell. "matrix": L / (num_atoms^(1/3) * std_0), (B, 3, 3), for
    equivariant networks.
    """

    lattice: str = "log-metric"
    num_elements: int = 100
    mean: tuple[float, ...] = (0.0,) * 6
    std: tuple[float, ...] = (1.0,) * 6

    per_atom: ClassVar[frozenset[str]] = frozenset({"frac_coords", "atomic_numbers", "mask"})

    @property
    def state(self) -> CodecState:
        """What `fitted` has measured on the training crystals."""
        return CodecState(mean=self.mean, std=self.std)

    def fitted(self, data: CrystalBatch) -> Self:
        """The same codec with everything that it has to know about the training crystals."""
        return self.standardised(data.lattice, data.num_atoms)

    def standardised(self, lattice: Tensor, num_atoms: Tensor) -> Self:
        """The same codec with a lattice field that is standardised over the crystals lattice (N, 3, 3), num_atoms
        (N,)."""
        if self.lattice == "matrix":
            scale = (lattice / num_atoms[:, None, None] ** (1 / 3)).square().mean().sqrt()
            return replace(self, std=(float(scale),) * 6)
        raw = replace(self, mean=(0.0,) * 6, std=(1.0,) * 6).encode_lattice(lattice, num_atoms)
        std = raw.std(0, correction=min(len(raw) - 1, 1)).clamp_min(SMALLEST_STD)
        return replace(self, mean=tuple(raw.mean(0).tolist()), std=tuple(std.tolist()))

    def _trend(self, num_atoms: Tensor, like: Tensor) -> Tensor:
        trend = like.new_zeros(len(num_atoms), 6)
        trend[:, :3] = (num_atoms.to(like.dtype).log() / 3)[:, None]
        return trend

    def encode_lattice(self, lattice: Tensor, num_atoms: Tensor) -> Tensor:
        if self.lattice == "matrix":
            return lattice / (num_atoms[:, None, None] ** (1 / 3) * self.std[0])
        mean, std = lattice.new_tensor(self.mean), lattice.new_tensor(self.std)
        if self.lattice == "parameters":
            lengths, angles = lat.lengths_angles(lattice).split(3, -1)
            numbers = torch.cat([lengths.log(), angles.deg2rad()], -1)
        else:
            numbers = lat.to_log_metric(lattice)
        return (numbers - self._trend(num_atoms, lattice) - mean) / std

    def decode_lattice(self, field: Tensor, num_atoms: Tensor) -> Tensor:
        if self.lattice == "matrix":
            return field * (num_atoms[:, None, None] ** (1 / 3) * self.std[0])
        mean, std = field.new_tensor(self.mean), field.new_tensor(self.std)
        numbers = field * std + mean + self._trend(num_atoms, field)
        if self.lattice == "parameters":
            lengths, angles = numbers.split(3, -1)
            low, high = SHARPEST, 180 - SHARPEST
            return lat.from_lengths_angles(torch.cat([lengths.exp(), angles.rad2deg().clamp(low, high)], -1))
        return lat.from_log_metric(numbers)

    def lattice_shape(self) -> tuple[int, ...]:
        return (3, 3) if self.lattice == "matrix" else (6,)

    def encode(self, lattice: Tensor, frac_coords: Tensor, atomic_numbers: Tensor) -> dict[str, Tensor]:
        mask = atomic_numbers > 0
        return {
            "lattice": self.encode_lattice(lattice, mask.sum(1)),
            "frac_coords": frac_coords % 1.0,
            "atomic_numbers": atomic_numbers,
            "mask": mask,
        }

    def training_fields(self, data: CrystalBatch, index: Tensor, width: int, rng: Streams) -> dict[str, Tensor]:
        """The fields of the crystals `index` (b,) of the training data, with `width` atoms.

        rng: for codecs with several representations of a crystal, of which a random one is chosen.
        """
        z = data.atomic_numbers[index, :width]
        return self.encode(data.lattice[index], data.frac_coords[index, :width], z)

    def blank(self, atomic_numbers: Tensor) -> dict[str, Tensor]:
        """The fields from which sampling starts: tensors in the right shape for the fields that diffuse, and the values
        of the others. atomic_numbers: (B, A)."""
        b, a = atomic_numbers.shape
        return {
            "lattice": torch.zeros(b, *self.lattice_shape(), device=atomic_numbers.device),
            "frac_coords": torch.zeros(b, a, 3, device=atomic_numbers.device),
            "atomic_numbers": atomic_numbers,
            "mask": atomic_numbers > 0,
        }

    def decode(self, fields: Fields) -> tuple[Tensor, Tensor, Tensor]:
        """lattice (B, 3, 3), frac_coords (B, A, 3) in [0, 1), atomic_numbers (B, A); padding is zero."""
        mask = fields["mask"]
        lattice = self.decode_lattice(fields["lattice"], mask.sum(1))
        return lattice, (fields["frac_coords"] % 1.0) * mask[..., None], fields["atomic_numbers"] * mask
