"""Trained property networks: files, and predictions for crystals. Imports no package of chemistry, as all training.

Structures of pymatgen come in by `crystals_of`, which needs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nucleate.crystal.batch import CrystalBatch
from nucleate.crystal.convert import SMALLEST_VOLUME
from nucleate.errors import NucleateError
from nucleate.nets.image_sums import count_images, image_sums
from nucleate.nets.property import PropertyNetwork
from nucleate.systems.base import PROPERTY
from nucleate.train.checkpoint import ModelInfo, load_network
from nucleate.train.shipped import require_weights

if TYPE_CHECKING:
    from pymatgen.core import Structure

MAX_ATOMS = 200  # memory grows with its square; a smaller cell of the same crystal gives the same prediction
MAX_IMAGES = 20_000  # images of a cell within the cutoff; a compact cell of one atom has some hundreds
_PAIRS = 40_000  # pairs of atoms that are computed at once


@dataclass(frozen=True)
class PropertyModel:
    """A network and what its numbers mean."""

    network: PropertyNetwork
    info: ModelInfo

    @property
    def name(self) -> str:
        return self.info.recipe.name

    @property
    def columns(self) -> tuple[str, ...]:
        """What is predicted, by the names of the training data's columns and in their units."""
        return self.info.recipe.predict

    def refusals(self, crystals: CrystalBatch) -> dict[int, str]:
        """Why a crystal has no prediction, index -> reason."""
        from nucleate.chem.elements import symbol

        sizes, known = crystals.num_atoms.tolist(), set(self.info.elements)
        sound = torch.isfinite(crystals.lattice).flatten(1).all(1) & torch.isfinite(crystals.frac_coords).all(2).all(1)
        volumes = torch.where(sound, crystals.volume, torch.nan)
        solid = volumes >= SMALLEST_VOLUME
        images = torch.zeros(len(crystals), dtype=torch.int64)
        images[solid] = count_images(crystals.lattice[solid])
        out: dict[int, str] = {}
        for i, size in enumerate(sizes):
            unseen = sorted(set(crystals.atomic_numbers[i][: size or None].tolist()) - known - {0})
            if size == 0:
                out[i] = "no atoms"
            elif unseen:
                out[i] = f"{self.name} never saw {', '.join(map(symbol, unseen))}"
            elif size > MAX_ATOMS:
                out[i] = f"{size} atoms, more than {MAX_ATOMS}"
            elif not sound[i]:
                out[i] = "the cell or a coordinate is not a finite number"
            elif not solid[i]:
                out[i] = f"the cell has no volume ({float(volumes[i]):.3g} cubic angstrom)"
            elif images[i] > MAX_IMAGES:
                out[i] = "the cell is too thin; reduce it"
        return out

    def predict(self, crystals: CrystalBatch, batch_size: int = 128) -> dict[str, Tensor]:
        """Column -> values (B,) in the units of the training data, NaN where `refusals` has an entry."""
        return self.values(self.features(crystals, batch_size))

    @torch.no_grad()
    def values(self, features: Tensor) -> dict[str, Tensor]:
        """Column -> values (B,) of crystals with these `features` (B, dim)."""
        out = self.network.out(features.to(self._device)).cpu()
        stats = self.info.properties
        return {name: out[:, i] * stats[name].std + stats[name].mean for i, name in enumerate(self.columns)}

    @torch.no_grad()
    def features(self, crystals: CrystalBatch, batch_size: int = 128) -> Tensor:
        """What the network's last layer reads, (B, dim), NaN where `refusals` has an entry."""
        out = torch.full((len(crystals), self.network.dim), torch.nan)
        refused = self.refusals(crystals)
        sizes = crystals.num_atoms
        rest = [i for i in torch.argsort(sizes, stable=True).tolist() if i not in refused]
        while rest:
            # the largest crystal of the batch is the last: as many as fit beside it
            count = min(batch_size, len(rest))
            while count > 1 and count * int(sizes[rest[count - 1]]) ** 2 > _PAIRS:
                count -= 1
            index, rest = torch.tensor(rest[:count]), rest[count:]
            part = crystals[index].to(self._device)
            sums = image_sums(part.lattice, part.frac_coords, part.mask, self.network.radials)
            out[index] = self.network.features(part.atomic_numbers, sums).cpu()
        return out

    @property
    def _device(self) -> torch.device:
        return self.network.out.weight.device


def crystals_of(structures: Sequence[Structure]) -> tuple[CrystalBatch, dict[int, str]]:
    """Structures as tensors without orientation, one row for each, in LLL-reduced cells.

    The network does not depend on the cell, and a Niggli reduction may take hours for a freak one. A structure that is
    no crystal has a row without atoms, and its reason in the second answer (index -> why).
    """
    import numpy as np

    from nucleate.crystal.convert import polar, require_crystal, right_handed, species_numbers

    reasons: dict[int, str] = {}
    cells, fracs, numbers = [], [], []
    for i, structure in enumerate(structures):
        try:
            require_crystal(structure)
            reduced = structure.lattice.get_lll_reduced_lattice()
            frac = reduced.get_fractional_coords(structure.cart_coords)
            cell, frac = right_handed(np.array(reduced.matrix), np.array(frac))
            cells.append(polar(cell))
            fracs.append(frac)
            numbers.append(species_numbers(structure))
        except NucleateError as error:
            reasons[i] = str(error)
            cells.append(np.eye(3))
            fracs.append(np.zeros((0, 3)))
            numbers.append(np.zeros(0, dtype=np.int64))
    return CrystalBatch.from_arrays(cells, fracs, numbers), reasons


def predict_structures(
    model: PropertyModel, structures: Sequence[Structure]
) -> tuple[Mapping[str, Tensor], dict[int, str]]:
    """Column -> values (n,) of pymatgen structures, NaN where the second answer (index -> why) has an entry."""
    crystals, reasons = crystals_of(structures)
    return model.predict(crystals), model.refusals(crystals) | reasons


def load_property_network(weights: str | Path, device: str | None = None) -> PropertyModel:
    """The model of a shipped name or a file; raises NucleateError if there is none, or one of another kind."""
    path = require_weights(weights, PROPERTY)
    network, info = load_network(path, PROPERTY)
    assert isinstance(network, PropertyNetwork)  # weights of this kind hold no other network
    network.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return PropertyModel(network.eval(), info)
