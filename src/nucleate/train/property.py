"""Trained property networks: how they are loaded, and their predictions for crystals.

Like all of training, it imports no package of chemistry; only `crystals_of` needs pymatgen.
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

MAX_ATOMS = 200  # of a cell; memory grows with the square, and a primitive cell gives the same prediction
MAX_IMAGES = 20_000  # periodic images of a cell within the cutoff; a compact cell of one atom has some hundreds
_PAIRS = 40_000  # pairs of atoms that are computed at once, to limit memory


@dataclass(frozen=True)
class PropertyModel:
    """A trained property network, and what its outputs stand for."""

    network: PropertyNetwork
    info: ModelInfo

    @property
    def name(self) -> str:
        return self.info.recipe.name

    @property
    def columns(self) -> tuple[str, ...]:
        """The predicted properties. Their names and units are those of columns of the training data."""
        return self.info.recipe.predict

    def refusals(self, crystals: CrystalBatch) -> dict[int, str]:
        """The crystals for which the network gives no prediction: index -> reason."""
        from nucleate.chem.elements import element_symbol

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
                out[i] = "the cell has no atoms"
            elif unseen:
                out[i] = f"{self.name} never saw {', '.join(map(element_symbol, unseen))}"
            elif size > MAX_ATOMS:
                out[i] = f"the cell has {size} atoms, more than {MAX_ATOMS}"
            elif not sound[i]:
                out[i] = "the cell or a coordinate is not a finite number"
            elif not solid[i]:
                out[i] = f"the cell has no volume ({float(volumes[i]):.3g} cubic angstrom)"
            elif images[i] > MAX_IMAGES:
                out[i] = "the cell is too thin; use a reduced (Niggli or LLL) cell"
        return out

    def predict(self, crystals: CrystalBatch, batch_size: int = 128) -> dict[str, Tensor]:
        """Column -> values (B,) in the units of the training data, NaN where `refusals` has an entry."""
        return self.values(self.features(crystals, batch_size))

    @torch.no_grad()
    def values(self, features: Tensor) -> dict[str, Tensor]:
        """Column -> values (B,) in the units of the training data, from `features` (B, dim)."""
        out = self.network.out(features.to(self._device)).cpu()
        stats = self.info.properties
        return {name: out[:, i] * stats[name].std + stats[name].mean for i, name in enumerate(self.columns)}

    @torch.no_grad()
    def features(self, crystals: CrystalBatch, batch_size: int = 128) -> Tensor:
        """The inputs of the network's last layer, (B, dim), NaN where `refusals` has an entry."""
        out = torch.full((len(crystals), self.network.dim), torch.nan)
        refused = self.refusals(crystals)
        sizes = crystals.num_atoms
        rest = [i for i in torch.argsort(sizes, stable=True).tolist() if i not in refused]
        while rest:
            # crystals are sorted by size, so the last of the batch is the largest, and all are padded to its size
            count = min(batch_size, len(rest))
            while count > 1 and count * int(sizes[rest[count - 1]]) ** 2 > _PAIRS:
                count -= 1
            index, rest = torch.tensor(rest[:count]), rest[count:]
            batch = crystals[index].to(self._device)
            sums = image_sums(batch.lattice, batch.frac_coords, batch.mask, self.network.radials)
            out[index] = self.network.features(batch.atomic_numbers, sums).cpu()
        return out

    @property
    def _device(self) -> torch.device:
        return self.network.out.weight.device


def crystals_of(structures: Sequence[Structure]) -> tuple[CrystalBatch, dict[int, str]]:
    """Structures as one batch, in LLL-reduced cells whose lattices are symmetric matrices
    (`crystal.convert.polar_factor`).

    The prediction does not depend on the choice of cell; LLL is used because a Niggli reduction of an extreme cell may
    take hours. A structure that is not an ordered crystal gets a row without atoms, and the second result (index ->
    reason) says why.
    """
    import numpy as np

    from nucleate.crystal.convert import polar_factor, require_crystal, right_handed, species_numbers

    reasons: dict[int, str] = {}
    cells, fracs, numbers = [], [], []
    for i, structure in enumerate(structures):
        try:
            require_crystal(structure)
            reduced = structure.lattice.get_lll_reduced_lattice()
            frac = reduced.get_fractional_coords(structure.cart_coords)
            cell, frac = right_handed(np.array(reduced.matrix), np.array(frac))
            cells.append(polar_factor(cell))
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
    """Column -> predicted values (n,) of pymatgen structures, in the units of the training data, and the reasons (index
    -> reason) for those that have no prediction; their values are NaN."""
    crystals, reasons = crystals_of(structures)
    return model.predict(crystals), model.refusals(crystals) | reasons


def load_property_network(weights: str | Path, device: str | None = None) -> PropertyModel:
    """The property model of a shipped name or a weights file, on `device` (default: the GPU, if there is one).

    Raises NucleateError if there is no such model, or if it is one of another kind.
    """
    path = require_weights(weights, PROPERTY)
    network, info = load_network(path, PROPERTY)
    assert isinstance(network, PropertyNetwork)  # weights of this kind hold no other network
    network.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return PropertyModel(network.eval(), info)
