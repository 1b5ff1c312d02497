"""The objective of networks that predict properties of crystals. It imports torch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nucleate.crystal.batch import CrystalBatch
from nucleate.nets.image_sums import FEATURES_WITH_DIRECTION, image_sums

HUBER = 0.1  # in standard deviations; for larger errors the loss is linear
SUMS_BATCH = 64  # the number of crystals whose image sums are computed at once


class PropertyObjective:
    """The Huber loss of each predicted column, standardised, over the crystals of the batch with a known value.

    The sums over periodic images are computed once, before training, and stored in half precision.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        data: CrystalBatch,
        properties: Mapping[str, Tensor],
        radials: int,
        device: torch.device,
    ) -> None:
        """names: of the columns. properties: name -> standardised values (N,), on the device. radials: the number of
        radial functions that the network uses."""
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
    """Image sums of the pairs of atoms of many crystals, without padding, in float16. The n * n pairs of a crystal are
    consecutive rows."""

    def __init__(self, data: CrystalBatch, radials: int, device: torch.device) -> None:
        self.sizes = data.num_atoms.to(device)
        squares = self.sizes.square()
        self.starts = squares.cumsum(0) - squares
        total = int(squares.sum())
        # the last row is zero, for padding
        self.rows = torch.zeros(total + 1, radials + FEATURES_WITH_DIRECTION, dtype=torch.float16, device=device)
        for index in torch.argsort(data.num_atoms, stable=True).split(SUMS_BATCH):
            batch = data[index].to(device)
            sums = image_sums(batch.lattice, batch.frac_coords, batch.mask, radials)
            rows = self._pair_rows(index.to(device), batch.atomic_numbers.shape[1])
            self.rows[rows.flatten()] = sums.flatten(0, 2).half()

    def _pair_rows(self, index: Tensor, width: int) -> Tensor:
        """The row numbers (b, width, width) of the pairs of the crystals `index` (b,)."""
        n = self.sizes[index, None, None]
        i = torch.arange(width, device=index.device)
        rows = self.starts[index, None, None] + i[:, None] * n + i
        return torch.where((i[:, None] < n) & (i < n), rows, len(self.rows) - 1)

    def take(self, index: Tensor, width: int) -> Tensor:
        """The image sums (b, width, width, F), float32, of the crystals `index` (b,)."""
        return self.rows[self._pair_rows(index, width)].float()
