"""The compact codec of GenMS (Yang et al., arXiv 2409.06762, section 2.3): a crystal as A x 4 numbers, which are the
position and the element of each atom, and its cell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import torch
from torch import Tensor

from nucleate.chem.elements import element_symbol
from nucleate.codecs.cell import at_random_origin, to_frac, to_numbers
from nucleate.codecs.joint import JointCodec
from nucleate.codecs.state import CodecState
from nucleate.crystal.batch import CrystalBatch
from nucleate.diffusion.process import Fields
from nucleate.diffusion.rng import Streams

SPECIES = "species"  # the field of the elements as numbers, (B, A, 1)
WIDEST = 3.0**0.5  # elements become numbers from -WIDEST to WIDEST; evenly spread ones have the variance 1


@dataclass(frozen=True)
class CompactCodec(JointCodec):
    """Encodes crystals as fields and decodes fields.

    Fields: "lattice" (B, 6), "frac_coords" (B, A, 3), SPECIES (B, A, 1) and "mask" (B, A). The A x 4 numbers of the
    source are two fields here, so that the elements can be given. elements: the sorted atomic numbers of the training
    data; no others are decoded. species_scale: "atomic-number" numbers the elements by their atomic number as in the
    source, "pettifor" by the modified Pettifor scale, on which neighbours are chemically similar. random_origin: as in
    `UniMatCodec`.
    """

    species_scale: str = "atomic-number"
    random_origin: bool = False
    elements: tuple[int, ...] = ()

    per_atom: ClassVar[frozenset[str]] = JointCodec.per_atom | {SPECIES}

    @property
    def state(self) -> CodecState:
        return CodecState(self.mean, self.std, self.elements)

    def fitted(self, data: CrystalBatch) -> Self:
        """As `JointCodec.fitted`, and with the elements of the data."""
        elements = data.atomic_numbers[data.mask].unique().tolist()
        return replace(self, elements=tuple(elements)).standardised(data.lattice, data.num_atoms)

    @cached_property
    def numbers(self) -> Tensor:
        """The number that stands for each atomic number, (num_elements + 1,); it is 0 for elements that the training
        data lacks."""
        place = {z: float(z) for z in self.elements}
        if self.species_scale == "pettifor":
            from nucleate.chem.distance import MODIFIED_PETTIFOR

            order = {s: i for i, s in enumerate(MODIFIED_PETTIFOR)}
            ranked = sorted(self.elements, key=lambda z: order.get(element_symbol(z), len(order) + z))
            place = {z: float(i) for i, z in enumerate(ranked)}
        low, high = min(place.values()), max(place.values())
        table = torch.zeros(self.num_elements + 1)
        for z, position in place.items():
            table[z] = WIDEST * (2 * (position - low) / (high - low) - 1) if high > low else 0.0
        return table

    def encode(self, lattice: Tensor, frac_coords: Tensor, atomic_numbers: Tensor) -> dict[str, Tensor]:
        mask = atomic_numbers > 0
        species = self.numbers.to(lattice.device)[atomic_numbers]
        return {
            "lattice": self.encode_lattice(lattice, mask.sum(1)),
            "frac_coords": to_numbers(frac_coords) * mask[..., None],
            SPECIES: (species * mask)[..., None],
            "mask": mask,
        }

    def training_fields(self, data: CrystalBatch, index: Tensor, width: int, rng: Streams) -> dict[str, Tensor]:
        """As `JointCodec.training_fields`; with `random_origin` the origin is moved to a random atom."""
        frac = data.frac_coords[index, :width]
        if self.random_origin:
            frac = at_random_origin(frac, data.num_atoms[index], rng)
        return self.encode(data.lattice[index], frac, data.atomic_numbers[index, :width])

    def blank(self, atomic_numbers: Tensor) -> dict[str, Tensor]:
        """See `JointCodec.blank`."""
        like = super().blank(atomic_numbers)
        species = self.numbers.to(atomic_numbers.device)[like.pop("atomic_numbers")] * like["mask"]
        return like | {SPECIES: species[..., None]}

    def decode(self, fields: Fields) -> tuple[Tensor, Tensor, Tensor]:
        """lattice (B, 3, 3), frac_coords (B, A, 3) in [0, 1), and atomic_numbers (B, A), which are those of the nearest
        elements."""
        mask = fields["mask"]
        known = torch.tensor(self.elements, device=mask.device)
        distance = (fields[SPECIES] - self.numbers.to(fields[SPECIES])[known]).abs()
        lattice = self.decode_lattice(fields["lattice"], mask.sum(1))
        return lattice, to_frac(fields["frac_coords"]) * mask[..., None], known[distance.argmin(-1)] * mask
