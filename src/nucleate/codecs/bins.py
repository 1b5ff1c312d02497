"""The compact representation in bins: the numbers of a crystal as tokens (bins) and offsets within the bins.

GenMS (Yang et al. 2024, section 2.3) describes a crystal by A x 4 real numbers and six numbers of the cell. Here each
coordinate falls into one of COORDINATES equal bins of the cell's edge, and each number of the cell into a bin of its
own scale. The offset is the distance to the middle of the bin. In canonical cells (`data.frame`) many coordinates are
on special positions, which lie in the middle of a bin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import torch
from torch import Tensor

from nucleate.chem.elements import WRITING_ORDER, element_symbol
from nucleate.codecs.state import CodecState
from nucleate.crystal import lattice as lat
from nucleate.crystal.batch import CrystalBatch
from nucleate.diffusion.process import Fields
from nucleate.diffusion.rng import Streams

COORDINATES = 48  # bins of an edge; halves, thirds, quarters, sixths, eighths and twelfths are the middles of bins
LENGTHS = 240  # bins of the logarithm of length / num_atoms^(1/3), each 1.3 % wide
SHORTEST, LONGEST = 0.8, 20.0  # angstrom: the range of length / num_atoms^(1/3)
ANGLES = 171  # bins of one degree, with middles at 5, 6 ... 175 degrees
FLATTEST = 5.0  # degrees: the smallest angle
CELL = max(LENGTHS, ANGLES)  # the number of tokens of each number of the cell
OFFSET, CELL_OFFSET = "offset", "lattice_offset"  # the fields of the offsets, in units of a bin


@dataclass(frozen=True)
class BinCodec:
    """Encodes crystals as fields and decodes fields.

    Fields: "frac_coords" (B, A, 3) and "lattice" (B, 6), tokens from 1 on (0 is hidden); OFFSET (B, A, 3) and
    CELL_OFFSET (B, 6), from -0.5 to 0.5 of a bin; "atomic_numbers" (B, A), which serve as tokens; "mask" (B, A). Atoms
    are sorted so that the most electropositive elements come first; those of one element keep the order of the data.
    elements: the sorted atomic numbers of the training data. given: whether the composition is given; otherwise the
    elements are drawn as well.
    """

    num_elements: int = 100
    elements: tuple[int, ...] = ()
    given: bool = True

    per_atom: ClassVar[frozenset[str]] = frozenset({"frac_coords", OFFSET, "atomic_numbers"})

    @property
    def state(self) -> CodecState:
        return CodecState((), (), self.elements)

    def fitted(self, data: CrystalBatch) -> Self:
        """The same codec with the elements of the training crystals."""
        return replace(self, elements=tuple(data.atomic_numbers[data.mask].unique().tolist()))

    @cached_property
    def place(self) -> Tensor:
        """The place of each atomic number in the order of atoms, (num_elements + 1,); padding comes last."""
        written = [float(WRITING_ORDER[element_symbol(z)]) for z in range(1, self.num_elements + 1)]
        return torch.tensor([torch.inf, *written])

    def order(self, atomic_numbers: Tensor) -> Tensor:
        """The indices that sort the atoms of each crystal, (B, A)."""
        return torch.argsort(self.place.to(atomic_numbers.device)[atomic_numbers], dim=1, stable=True)

    def encode(self, lattice: Tensor, frac_coords: Tensor, atomic_numbers: Tensor) -> dict[str, Tensor]:
        order = self.order(atomic_numbers)
        z, frac = atomic_numbers.gather(1, order), frac_coords.gather(1, order[..., None].expand(-1, -1, 3))
        mask = z > 0
        steps = frac * COORDINATES
        cell = _cell_numbers(lattice, mask.sum(1))
        bins = cell.round()
        tokens = (steps.round() % COORDINATES).long() + 1
        most = torch.tensor([LENGTHS] * 3 + [ANGLES] * 3, device=cell.device)
        clipped = bins.clamp_min(0).minimum(most - 1.0)
        return {
            "lattice": clipped.long() + 1,
            "frac_coords": tokens.where(mask[..., None], 1),
            OFFSET: (steps - steps.round()) * mask[..., None],
            CELL_OFFSET: (cell - clipped).clamp(-0.5, 0.5),
            "atomic_numbers": z,
            "mask": mask,
        }

    def training_fields(self, data: CrystalBatch, index: Tensor, width: int, rng: Streams) -> dict[str, Tensor]:
        """The fields of the crystals `index` (b,) of the training data, with `width` atoms."""
        z = data.atomic_numbers[index, :width]
        return self.encode(data.lattice[index], data.frac_coords[index, :width], z)

    def blank(self, atomic_numbers: Tensor) -> dict[str, Tensor]:
        """The fields from which sampling starts: all tokens are hidden, except those of padding. If the composition is
        not given, only the number of atoms in atomic_numbers (B, A) is used."""
        z = atomic_numbers.gather(1, self.order(atomic_numbers))
        mask = z > 0
        if not self.given:
            z = torch.zeros_like(z).where(mask, 1)
        b, a = z.shape
        hidden = torch.zeros(b, a, 3, dtype=torch.int64, device=z.device)
        return {
            "lattice": torch.zeros(b, 6, dtype=torch.int64, device=z.device),
            "frac_coords": hidden.where(mask[..., None], 1),
            OFFSET: torch.zeros(b, a, 3, device=z.device),
            CELL_OFFSET: torch.zeros(b, 6, device=z.device),
            "atomic_numbers": z,
            "mask": mask,
        }

    def decode(self, fields: Fields) -> tuple[Tensor, Tensor, Tensor]:
        """lattice (B, 3, 3), frac_coords (B, A, 3) in [0, 1), atomic_numbers (B, A); padding is zero."""
        mask = fields["mask"]
        numbers = (fields["lattice"] - 1).clamp_min(0) + fields[CELL_OFFSET].clamp(-0.5, 0.5)
        frac = ((fields["frac_coords"] - 1) + fields[OFFSET].clamp(-0.5, 0.5)) / COORDINATES % 1.0
        frac = frac.where(frac < 1.0, 0.0) * mask[..., None]
        return _cell(numbers, mask.sum(1)), frac, fields["atomic_numbers"] * mask


def _cell_numbers(lattice: Tensor, num_atoms: Tensor) -> Tensor:
    """The lengths and angles of cells (B, 3, 3), in units of bins of their scales: (B, 6)."""
    lengths, angles = lat.lengths_angles(lattice).split(3, -1)
    low, high = torch.tensor(SHORTEST).log(), torch.tensor(LONGEST).log()
    reduced = (lengths / num_atoms[:, None] ** (1 / 3)).log()
    return torch.cat([(reduced - low) / (high - low) * (LENGTHS - 1), angles - FLATTEST], -1)


def _cell(numbers: Tensor, num_atoms: Tensor) -> Tensor:
    """The inverse of `_cell_numbers`."""
    lengths, angles = numbers.split(3, -1)
    low, high = torch.tensor(SHORTEST).log(), torch.tensor(LONGEST).log()
    reduced = (low + lengths / (LENGTHS - 1) * (high - low)).exp()
    return lat.from_lengths_angles(torch.cat([reduced * num_atoms[:, None] ** (1 / 3), angles + FLATTEST], -1))
