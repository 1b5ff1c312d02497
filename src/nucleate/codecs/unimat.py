"""UniMat's codec (Yang et al., arXiv 2311.09235, section 2.1): the positions of a crystal's atoms in slots on the
periodic table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from nucleate.codecs.cell import SCALE, START, at_random_origin, to_frac, to_numbers
from nucleate.codecs.joint import JointCodec
from nucleate.codecs.state import CodecState
from nucleate.crystal.batch import CrystalBatch
from nucleate.crystal.table import COLUMNS, ROWS, grid_place
from nucleate.diffusion.process import Fields
from nucleate.diffusion.rng import Streams

SLOTS = "slots"  # the field of the table, (B, P, L, 3)
NULL = (-1.0 - (START + 0.5)) * SCALE  # the null location x = y = z = -1 in the numbers of `codecs.cell`


@dataclass(frozen=True)
class UniMatCodec(JointCodec):
    """Encodes crystals as fields and decodes fields.

    Fields: "lattice" (B, 6) and SLOTS (B, P, L, 3). Each of the P elements has L slots, each with the position of an
    atom or with the null location. This is the L x H x W x 3 tensor of the source without those places of the H x W
    grid that have no element in the data; `to_grid` and `from_grid` add and remove these places. If the composition is
    given exactly, it is known which slots are empty. Then the fields are "lattice", "frac_coords" (B, A, 3) with the
    positions in the occupied slots, and "atomic_numbers" (B, A).

    slots: L, the largest number of atoms of one element. periods: rows of the periodic table, 1 to 7, and 8 and 9 for
    lanthanides and actinides. groups: its columns, 1 to 18. Empty tuples stand for all rows or columns. random_origin:
    in training the origin is moved to a random atom, for data in which the origin has no meaning. elements: the sorted
    atomic numbers of the P elements. counts: the number of atoms of each element in `crystals` training crystals.
    given: whether the composition is given.
    """

    slots: int = 12
    periods: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    random_origin: bool = False
    elements: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    crystals: int = 1
    given: bool = False

    @property
    def state(self) -> CodecState:
        return CodecState(self.mean, self.std, self.elements, self.counts, self.crystals)

    @cached_property
    def places(self) -> list[int]:
        """The atomic numbers in the chosen rows and columns of the periodic table."""
        # Lanthanides and actinides have no groups, although the table has them in columns; so a choice of groups
        # leaves them out.
        rows = self.periods or range(1, (8 if self.groups else ROWS + 1))
        columns = self.groups or range(1, COLUMNS + 1)
        grid = [(z, *grid_place(z)) for z in range(1, self.num_elements + 1)]
        return [z for z, row, column in grid if row + 1 in rows and column + 1 in columns]

    @property
    def rates(self) -> Tensor:
        """The share of the slots of each element that is occupied in the training crystals, (P,)."""
        return torch.tensor(self.counts, dtype=torch.float32) / (self.crystals * self.slots)

    @cached_property
    def index(self) -> Tensor:
        """Atomic number -> index among the P elements, or -1 if it is none of them: (num_elements + 1,)."""
        table = torch.full((self.num_elements + 1,), -1)
        table[list(self.elements)] = torch.arange(len(self.elements))
        return table

    @cached_property
    def _axes(self) -> tuple[list[int], list[int]]:
        """The rows and columns of the periodic table that the smallest grid with the chosen part of it has."""
        every = [grid_place(z) for z in self.places]
        return sorted({r for r, _ in every}), sorted({c for _, c in every})

    @cached_property
    def grid(self) -> tuple[list[int], list[int]]:
        """The rows (P,) and columns (P,) of the P elements in the grid."""
        (rows, columns), places = self._axes, [grid_place(z) for z in self.elements]
        return [rows.index(r) for r, _ in places], [columns.index(c) for _, c in places]

    @property
    def grid_shape(self) -> tuple[int, int]:
        """(H, W), the number of rows and of columns of the grid."""
        rows, columns = self._axes
        return len(rows), len(columns)

    def fitted(self, data: CrystalBatch) -> Self:
        """As `JointCodec.fitted`, and with the elements of the data and the number of their atoms."""
        counts = data.atomic_numbers[data.mask].bincount(minlength=self.num_elements + 1)
        elements = counts.nonzero()[:, 0].tolist()
        known = replace(self, elements=tuple(elements), counts=tuple(counts[elements].tolist()), crystals=len(data))
        return known.standardised(data.lattice, data.num_atoms)

    def standardised(self, lattice: Tensor, num_atoms: Tensor) -> Self:
        """As `JointCodec.standardised`. The growth of the volume with the number of atoms is removed only if the
        composition is given, because otherwise the number of atoms is not known while the slots are still noise."""
        return super().standardised(lattice, num_atoms if self.given else torch.ones_like(num_atoms))

    def encode(
        self, lattice: Tensor, frac_coords: Tensor, atomic_numbers: Tensor, rng: Streams | None = None
    ) -> dict[str, Tensor]:
        """The fields of crystals: lattice (B, 3, 3), frac_coords (B, A, 3), atomic_numbers (B, A).

        Atoms take slots in their own order, or with `rng` in a random order (the random shuffling of section 2.1). The
        crystals must fit into the slots (`unfitting`).
        """
        mask, numbers = atomic_numbers > 0, to_numbers(frac_coords)
        if self.given:
            return {
                "lattice": self.encode_lattice(lattice, mask.sum(1)),
                "frac_coords": numbers * mask[..., None],
                "atomic_numbers": atomic_numbers,
                "mask": mask,
            }
        column = self.index.to(atomic_numbers.device)[atomic_numbers]
        b, p, length = len(mask), len(self.elements), self.slots
        slot = ranks(atomic_numbers)
        if rng is not None:
            order = torch.argsort(rng.uniform((b, p, length)), dim=-1).to(slot.device)
            crystal = torch.arange(b, device=slot.device)[:, None]
            slot = order[crystal, column.clamp_min(0), slot.clamp_max(length - 1)]
        slots = numbers.new_full((b, p, length, 3), NULL)
        row, atom = mask.nonzero(as_tuple=True)
        slots[row, column[row, atom], slot[row, atom]] = numbers[row, atom]
        one = torch.ones(b, device=mask.device)
        return {"lattice": self.encode_lattice(lattice, one), SLOTS: slots, "mask": torch.ones_like(mask[:, :1])}

    def training_fields(self, data: CrystalBatch, index: Tensor, width: int, rng: Streams) -> dict[str, Tensor]:
        """As `JointCodec.training_fields`; atoms take slots in a random order, and with `random_origin` the origin is
        moved to a random atom."""
        lattice, frac = data.lattice[index], data.frac_coords[index, :width]
        if self.random_origin:
            frac = at_random_origin(frac, data.num_atoms[index], rng)
        return self.encode(lattice, frac, data.atomic_numbers[index, :width], rng)

    def blank(self, atomic_numbers: Tensor) -> dict[str, Tensor]:
        """As `JointCodec.blank`. If the composition is not given, only the number of rows of atomic_numbers is used."""
        like = super().blank(atomic_numbers)
        if self.given:
            return like
        slots = torch.zeros(len(atomic_numbers), len(self.elements), self.slots, 3, device=atomic_numbers.device)
        return {"lattice": like["lattice"], SLOTS: slots, "mask": like["mask"][:, :1]}

    def decode(self, fields: Fields) -> tuple[Tensor, Tensor, Tensor]:
        """lattice (B, 3, 3), frac_coords (B, A, 3) in [0, 1) and atomic_numbers (B, A), ordered by element and slot.

        A slot has an atom if the mean of its three numbers is closer to the cell than to the null location. A crystal
        may have no atoms.
        """
        if self.given:
            mask = fields["mask"]
            lattice = self.decode_lattice(fields["lattice"], mask.sum(1))
            return lattice, to_frac(fields["frac_coords"]) * mask[..., None], fields["atomic_numbers"] * mask
        slots = fields[SLOTS].flatten(1, 2)
        occupied = slots.mean(-1) > (NULL - 1) / 2
        numbers = torch.tensor(self.elements, device=slots.device).repeat_interleave(self.slots)
        width = int(occupied.sum(1).max())
        first = torch.argsort(occupied.to(torch.int8), dim=1, descending=True, stable=True)[:, :width]
        here = occupied.gather(1, first)
        frac = to_frac(slots.gather(1, first[..., None].expand(-1, -1, 3))) * here[..., None]
        lattice = self.decode_lattice(fields["lattice"], torch.ones(len(slots), device=slots.device))
        return lattice, frac, numbers[first] * here

    def to_grid(self, slots: Tensor, fill: float = NULL) -> Tensor:
        """Slots (B, P, L, C) on the grid: (B, C, L, H, W), with `fill` at places without an element."""
        b, _, length, channels = slots.shape
        out = slots.new_full((b, *self.grid_shape, length, channels), fill)
        out[:, self.grid[0], self.grid[1]] = slots
        return out.permute(0, 4, 3, 1, 2)

    def from_grid(self, grid: Tensor) -> Tensor:
        """The inverse of `to_grid`."""
        return grid.permute(0, 3, 4, 2, 1)[:, self.grid[0], self.grid[1]]


def ranks(atomic_numbers: Tensor) -> Tensor:
    """For each atom the number of earlier atoms of the same element in its crystal: (B, A)."""
    same_element = atomic_numbers[:, :, None] == atomic_numbers[:, None]
    return same_element.tril(-1).sum(-1)


def unfitting(elements: Sequence[int], slots: int, atomic_numbers: Tensor) -> Tensor:
    """Which crystals (B, A) do not fit: those with an element that is not in `elements`, or with more atoms of one
    element than slots. The result is (B,) bool."""
    mask = atomic_numbers > 0
    inside = torch.isin(atomic_numbers, torch.tensor(elements, device=mask.device))
    return (mask & (~inside | (ranks(atomic_numbers) >= slots))).any(1)
