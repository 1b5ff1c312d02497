"""What is trained for, by task: losses of a batch of crystals. `Trainer` knows no more of a task than this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nucleate.codecs.build import Codec, Data
from nucleate.codecs.compact import SPECIES
from nucleate.codecs.joint import PER_ATOM
from nucleate.codecs.sites import PARAMETERS
from nucleate.codecs.tokens import TOKENS
from nucleate.codecs.unimat import SLOTS, UniMatCodec
from nucleate.config import Recipe
from nucleate.crystal.batch import CrystalBatch
from nucleate.crystal.formulas import FormulaBatch
from nucleate.crystal.orbits import SymmetricBatch
from nucleate.diffusion.loop import MASK_FIELD, training_loss
from nucleate.diffusion.rng import Streams, derive_seeds
from nucleate.diffusion.self_conditioning import Primed
from nucleate.errors import NucleateError
from nucleate.nets.build import build_processes
from nucleate.nets.image_sums import FEATURES_WITH_DIRECTION, image_sums
from nucleate.nets.property import radials_of

SLICED = PER_ATOM | {TOKENS, SPECIES, PARAMETERS}  # fields whose second axis runs over atoms
HUBER = 0.1  # standard deviations: above this error the loss is linear
SUMS_BATCH = 64  # crystals whose image sums are taken at once


class Objective(Protocol):
    """losses(model, index (b,), width, step): name -> scalar, of the crystals `index` cut to `width` atoms."""

    weights: dict[str, float]  # of losses in their sum, 1 where none is named

    def losses(self, model: nn.Module, index: Tensor, width: int, step: int) -> dict[str, Tensor]: ...


def condition_tensors(
    recipe: Recipe,
    atomic_numbers: Tensor,
    properties: Mapping[str, Tensor],
    rng: Streams | None = None,
) -> dict[str, Tensor]:
    """Training conditions from the crystals themselves; `rng` drops each with probability `condition_dropout`.

    atomic_numbers: (B, A), 0 for padding.
    properties: name -> standardised values (B,), NaN where unknown, which is the same as dropped.
    """
    out: dict[str, Tensor] = {}
    z = atomic_numbers
    for name in recipe.network.condition_on:
        present = torch.ones(len(z), dtype=torch.bool, device=z.device)
        if name == "chemical_system":
            value = torch.zeros(len(z), recipe.codec.num_elements + 1, device=z.device).scatter_(1, z, 1.0)
            value[:, 0] = 0.0
        else:
            present = properties[name].isfinite()
            value = properties[name].nan_to_num()[:, None]
        if rng is not None:
            present = present & (rng.uniform((len(z),)) >= recipe.train.condition_dropout)
        out[name], out[f"{name}_present"] = value, present
    return out


class Denoising:
    """The loss of each diffusing field, with noise that is a pure function of seed, step and crystal (or formula)."""

    def __init__(
        self,
        recipe: Recipe,
        codec: Codec,
        data: Data,
        properties: Mapping[str, Tensor],
        device: torch.device,
        network: nn.Module,
    ) -> None:
        self.recipe, self.codec, self.properties = recipe, codec, properties
        self.data = data.to(device)
        self.processes = build_processes(recipe, codec, network)
        self.weights = dict.fromkeys(("atomic_numbers", SPECIES), recipe.diffusion.species_weight)
        if isinstance(codec, UniMatCodec):
            self.weights[SLOTS] = 1 / float(codec.rates.mean())  # the mean over atoms, not over slots that are empty

    def losses(self, model: nn.Module, index: Tensor, width: int, step: int) -> dict[str, Tensor]:
        rng = Streams(derive_seeds(self.recipe.train.seed, step, index))
        z = self.data.atomic_numbers[index, :width]
        fields = self._encoded(index, z, rng)
        properties = {k: v[index] for k, v in self.properties.items()}
        condition = condition_tensors(self.recipe, z, properties, rng)
        # every other step, so that the first call of a sampling run, which knows no estimate, is learned as well
        denoiser = Primed(model) if self.recipe.network.self_conditioning and step % 2 else model
        losses = training_loss(denoiser, self.processes, SLICED, fields, condition, rng)
        return {k: v.mean() for k, v in losses.items()}

    def _encoded(self, index: Tensor, z: Tensor, rng: Streams) -> dict[str, Tensor]:
        """The fields of a batch with atomic numbers z (b, width), changed at random where the recipe says so."""
        data, codec = self.data, self.codec
        if isinstance(data, FormulaBatch):
            fields = codec.encode(z)  # type: ignore[arg-type, call-arg]
            if self.recipe.codec.order == "shuffled":
                fields[TOKENS] = shuffled(fields[TOKENS], fields[MASK_FIELD], rng)
            return fields
        if isinstance(data, SymmetricBatch):
            return codec.encode(data[index])  # type: ignore[arg-type, call-arg]
        lattice, frac = data.lattice[index], data.frac_coords[index, : z.shape[1]]
        if self.recipe.codec.random_origin:
            origin = (rng.uniform((len(index),)).to(frac) * data.num_atoms[index]).long()
            frac = frac - frac[torch.arange(len(index), device=frac.device), origin][:, None]
        if isinstance(codec, UniMatCodec):
            return codec.encode(lattice, frac, z, rng)
        return codec.encode(lattice, frac, z)  # type: ignore[arg-type, call-arg]


def shuffled(tokens: Tensor, mask: Tensor, rng: Streams) -> Tensor:
    """The elements of each formula (B, A) in a random order, equal ones side by side."""
    key = rng.uniform((len(tokens), int(tokens.max()) + 1)).to(tokens.device).gather(1, tokens)
    return tokens.gather(1, torch.argsort(torch.where(mask, key, 2.0), dim=1, stable=True))


class Prediction:
    """Huber loss of each predicted column, standardised, over the crystals of the batch whose value is known.

    The sums over images are taken once, before training, and kept in half precision.
    """

    def __init__(
        self, recipe: Recipe, data: CrystalBatch, properties: Mapping[str, Tensor], device: torch.device
    ) -> None:
        self.names = recipe.network.predict
        if not self.names:
            raise NucleateError('task "property" needs network.predict: the columns to predict')
        self.atomic_numbers = data.atomic_numbers.to(device)
        self.targets = torch.stack([properties[name] for name in self.names], -1)
        self.sums = PairStore(data, radials_of(recipe.network), device)
        self.weights = dict.fromkeys(self.names, 1.0 / len(self.names))

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


def build_objective(
    recipe: Recipe,
    codec: Codec,
    data: Data,
    properties: Mapping[str, Tensor],
    device: torch.device,
    network: nn.Module,
) -> Objective:
    """By the recipe's task. properties: name -> standardised values (N,), on the device."""
    if recipe.task == "property":
        assert isinstance(data, CrystalBatch)
        return Prediction(recipe, data, properties, device)
    return Denoising(recipe, codec, data, properties, device, network)
