"""The codec of crystals in a given space group: the free numbers of the cell and the free parameters of the sites
(Sultanov et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from nucleate.codecs.joint import SMALLEST_STD
from nucleate.codecs.state import CodecState
from nucleate.crystal.orbits import NUM_POSITIONS, SymmetricBatch, free_cell, free_parameters, position_numbers
from nucleate.crystal.wyckoff import GROUP_NUMBERS, get_space_group, smoothed_frequencies
from nucleate.diffusion.loop import MASK_FIELD, free_part
from nucleate.diffusion.process import Fields
from nucleate.diffusion.rng import Streams

PARAMETERS = "parameters"  # the field of the free parameters of sites, (B, S, 3)
# The k of phi, in angstrom: below it, phi turns from a linear into an exponential function. Lengths are divided by the
# cube root of the number of atoms first.
BEND = 2.0


@dataclass(frozen=True)
class SiteCodec:
    """Encodes symmetric crystals as fields and decodes fields.

    Fields: "lattice" (B, 6), the L3 of Sultanov et al. 2023 (section 2). The lengths a, b, c of the conventional cell,
    divided by the cube root of its number of atoms, are phi(x) = k log(exp(x / k) + 1) of the numbers x, so that every
    number is a valid length; the angles are represented by log tan(angle / 2), so that every number is a valid angle.
    PARAMETERS (B, S, 3): those of the sites, on the torus. Of both, only the elements that are true in the field
    `free_part` matter. mean, std: six numbers each, which standardise the lattice field over those training crystals in
    which the number is free. num_elements: the elements are 1 to num_elements. counts: for each Wyckoff position of all
    space groups the number of sites in the training crystals, then for each space group the number of crystals.
    """

    num_elements: int = 100
    mean: tuple[float, ...] = (0.0,) * 6
    std: tuple[float, ...] = (1.0,) * 6
    counts: tuple[int, ...] = ()

    per_atom: ClassVar[frozenset[str]] = frozenset({PARAMETERS, "atomic_numbers", "mask"})

    @property
    def state(self) -> CodecState:
        return CodecState(self.mean, self.std, counts=self.counts)

    def fitted(self, data: SymmetricBatch) -> Self:
        """The same codec with everything that it has to know about the training crystals."""
        raw = replace(self, mean=(0.0,) * 6, std=(1.0,) * 6)._to_field(data)
        mean, std = [], []
        for values, free in zip(raw.T, free_cell(data.space_group).T, strict=True):
            known = values[free]
            mean.append(float(known.mean()) if len(known) else 0.0)
            std.append(max(float(known.std(correction=0)) if len(known) else 1.0, SMALLEST_STD))
        sites = position_numbers(data)[data.mask].bincount(minlength=NUM_POSITIONS)
        crystals = data.space_group.bincount(minlength=len(GROUP_NUMBERS) + 1)[1:]
        return replace(self, mean=tuple(mean), std=tuple(std), counts=(*sites.tolist(), *crystals.tolist()))

    def encode(self, data: SymmetricBatch) -> dict[str, Tensor]:
        return self._given(data) | {"lattice": self._to_field(data), PARAMETERS: data.parameters % 1.0}

    def training_fields(self, data: SymmetricBatch, index: Tensor, width: int, rng: Streams) -> dict[str, Tensor]:
        """The fields of the crystals `index` (b,) of the training data, padded to the crystal with the most sites."""
        return self.encode(data[index])

    def blank(self, data: SymmetricBatch) -> dict[str, Tensor]:
        """The fields from which sampling starts. The cell and the parameters of `data` are not used."""
        return self._given(data) | {"lattice": torch.zeros_like(data.cell), PARAMETERS: data.parameters}

    def decode(self, fields: Fields) -> SymmetricBatch:
        given = fields["space_group"], fields["positions"], fields["atomic_numbers"]
        space_group, positions, numbers = given
        field = fields["lattice"]
        bare = SymmetricBatch(space_group, field, positions, fields[PARAMETERS] % 1.0, numbers)
        lengths, angles = (field * field.new_tensor(self.std) + field.new_tensor(self.mean)).split(3, -1)
        lengths = BEND * torch.nn.functional.softplus(lengths / BEND) * _size(bare)
        return replace(bare, cell=torch.cat([lengths, (2 * angles.exp().atan()).rad2deg()], -1))

    def frequencies(self, space_group: int) -> dict[str, float]:
        """Wyckoff letter -> mean number of sites on it in a training crystal of the space group
        (`smoothed_frequencies`)."""
        first = sum(len(get_space_group(n).positions) for n in GROUP_NUMBERS if n < space_group)
        found = self.counts[first : first + len(get_space_group(space_group).positions)]
        return smoothed_frequencies(space_group, found, self.crystals(space_group))

    def crystals(self, space_group: int) -> int:
        """The number of training crystals in the space group."""
        return self.counts[NUM_POSITIONS + space_group - 1]

    def _to_field(self, data: SymmetricBatch) -> Tensor:
        lengths, angles = data.cell.split(3, -1)
        x = lengths / _size(data) / BEND
        numbers = torch.cat([BEND * (x + torch.log(-torch.expm1(-x))), (angles.deg2rad() / 2).tan().log()], -1)
        return (numbers - data.cell.new_tensor(self.mean)) / data.cell.new_tensor(self.std)

    def _given(self, data: SymmetricBatch) -> dict[str, Tensor]:
        return {
            "space_group": data.space_group,
            "positions": data.positions,
            "atomic_numbers": data.atomic_numbers,
            MASK_FIELD: data.mask,
            free_part("lattice"): free_cell(data.space_group),
            free_part(PARAMETERS): free_parameters(data),
        }


def _size(data: SymmetricBatch) -> Tensor:
    """(B, 1): the cube root of the number of atoms in the conventional cell."""
    return data.atoms_in_cell.to(data.cell.dtype).pow(1 / 3)[:, None]
