"""The objective of networks that predict properties of crystals. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nucleate.crystal.batch import CrystalBatch
from nucleate.nets.image_sums import FEATURES_WITH_DIRECTION, image_sums

HUBER = 0.1  # standard deviations: above this error the loss is linear
SUMS_BATCH = 64  # crystals whose image sums are taken at once


class PropertyObjective:
    """Huber loss of each predicted column, standardised, over the crystals of the batch whose value is known.

    The sums over images are taken once, before training, and kept in half precision.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        data: CrystalBatch,
        properties: Mapping[str, Tensor],
        radials: int,
        device: torch.device,
    ) -> None:
        """names: of the columns. properties: name -> standardised values (N,), on the device. radials: how many radial
        functions the network reads."""
        self.names = names
        self.atomic_numbers = data.atomic_numbers.to(device)
        self.targets = torch.stack([properties[name] for name in names], -1)
        self.sums = PairStore(data, radials, device)
        self.weights = dict.fromkeys(names, 1.0 / len(names))

    def losses(self, model: nn.Module, index: Tensor, width: int, step: int) -> dict[str, Tensor]:
        predicted = model(self.atomic_numbers[index, :width], self.sums.take(index, width))
        targets = self.targets[index]
        known = targets.isfinite()
        error = F.huber_loss(predicted, targets.nan_to_num(), reduction="none", delta=HUBER) * known
        return dict(zip(self.names, error.sum(0) / known.sum(0).clamp_min(1), strict=True))


class PairStore:
    """Image sums of many crystals without padding, in float16: the n * n pairs of a crystal one after another."""

    def __init__(self, data: CrystalBatch, radials: int, device: torch.device) -> None:
        self.sizes = data.num_atoms.to(device)
        squares = self.sizes.square()
        self.starts = squares.cumsum(0) - squares
        total = int(squares.sum())
        # the last row is zero, for padding
        self.rows = torch.zeros(total + 1, radials + FEATURES_WITH_DIRECTION, dtype=torch.float16, device=device)
        for index in torch.argsort(data.num_atoms, stable=True).split(SUMS_BATCH):
            part = data[index].to(device)
            sums = image_sums(part.lattice, part.frac_coords, part.mask, radials)
            places = self._places(index.to(device), part.atomic_numbers.shape[1])
            self.rows[places.flatten()] = sums.flatten(0, 2).half()

    def _places(self, index: Tensor, width: int) -> Tensor:
        """Rows of the pairs of crystals, (b, width, width)."""
        n = self.sizes[index, None, None]
        i = torch.arange(width, device=index.device)
        places = self.starts[index, None, None] + i[:, None] * n + i
        return torch.where((i[:, None] < n) & (i < n), places, len(self.rows) - 1)

    def take(self, index: Tensor, width: int) -> Tensor:
        """(b, width, width, F), float32."""
        return self.rows[self._places(index, width)].float()
