"""UniMat (Yang et al., arXiv 2311.09235): the atoms of a crystal as slots on the periodic table, whose positions
diffuse."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from nucleate.codecs.state import CodecState
from nucleate.config import ConfigSection, Count
from nucleate.systems import crystals
from nucleate.systems.base import Sampler, System
from nucleate.systems.crystals import CrystalRecipe, CrystalSampleConfig
from nucleate.systems.recipe import Elements, Schedule, refuse_unused

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from nucleate.codecs.unimat import UniMatCodec
    from nucleate.crystal.batch import CrystalBatch
    from nucleate.diffusion.gaussian import GaussianVP
    from nucleate.systems.base import Data, Objective


class CodecConfig(ConfigSection):
    """How a crystal becomes a table (`codecs.unimat`)."""

    lattice: Literal["log-metric", "parameters"] = "log-metric"  # the six numbers of the cell
    num_elements: Elements = 100
    slots: Annotated[int, Field(ge=1, le=1000)] = 12  # L, the largest number of atoms of one element
    periods: tuple[int, ...] = ()  # rows of the table, 1-7, and 8 and 9 for lanthanides and actinides; empty: all
    groups: tuple[int, ...] = ()  # columns of the table, 1-18; empty: all
    random_origin: bool = False  # whether the origin is moved to a random atom in training


class DiffusionConfig(ConfigSection):
    """The noise, which is Gaussian for all fields."""

    lattice_schedule: Schedule = "cosine"


class NetworkConfig(ConfigSection):
    """The network on the table: `nets.slots` ("sparse") or `nets.dense` ("dense")."""

    kind: Literal["sparse", "dense"] = "sparse"  # attention over slots that may be occupied, or a 3D U-Net over all
    dim: Count = 128
    heads: Count = 8
    condition_on: tuple[str, ...] = ()  # "chemical_system" and any numeric columns of the data
    widths: tuple[Count, ...] = ()  # for "dense": widths of the levels of the U-Net, the outermost first
    layers: Count = 6  # this setting and those below are for "sparse"
    frequencies: Count = 12  # the highest m of the Fourier features of positions
    seen: Count = 32  # the number of slots over which attention runs: those that are most likely occupied
    distance: bool = False  # whether attention gets the relative positions of atoms (`nets.gaussian.Relative`)
    pair_dim: Count = 64  # the number of features of a pair of atoms, if `distance` is true

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        if self.kind == "dense":
            sparse = ("layers", "frequencies", "seen", "distance", "pair_dim")
            refuse_unused(self, "network", 'the network of kind "sparse"', sparse)
        else:
            refuse_unused(self, "network", 'the network of kind "dense"', ("widths",))
        return self


class UniMatRecipe(CrystalRecipe):
    """A recipe of UniMat."""

    system: Literal["unimat"] = "unimat"
    codec: CodecConfig = CodecConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    network: NetworkConfig = NetworkConfig()
    sample: CrystalSampleConfig = CrystalSampleConfig()


def codec(recipe: UniMatRecipe, state: CodecState) -> UniMatCodec:
    from nucleate.codecs.unimat import UniMatCodec

    known = dataclasses.asdict(state)
    return UniMatCodec(**recipe.codec.model_dump(), **known, given=recipe.task == "csp")


def processes(recipe: UniMatRecipe, codec: UniMatCodec | None = None, network: Any = None) -> dict[str, GaussianVP]:
    """The noise of each field, which is Gaussian: the cell, and the slots, or the positions of atoms if the composition
    is given."""
    from nucleate.codecs.unimat import SLOTS
    from nucleate.diffusion.gaussian import GaussianVP

    positions = "frac_coords" if recipe.task == "csp" else SLOTS
    return {name: GaussianVP(recipe.diffusion.lattice_schedule) for name in ("lattice", positions)}


def network(recipe: UniMatRecipe, codec: UniMatCodec, max_atoms: int) -> nn.Module:
    from nucleate.nets.dense import DenseUNet
    from nucleate.nets.slots import SlotTransformer

    settings, noise = recipe.network.model_dump(exclude={"kind"}), processes(recipe)
    if recipe.network.kind == "dense":
        settings = {k: settings[k] for k in ("dim", "heads", "widths", "condition_on")}
        return DenseUNet(codec, max_atoms, noise, **settings)
    del settings["widths"]
    return SlotTransformer(codec, max_atoms, noise, **settings)


def objective(
    recipe: UniMatRecipe,
    codec: UniMatCodec,
    data: Data,
    properties: Mapping[str, Tensor],
    device: torch.device,
    network: nn.Module,
) -> Objective:
    from nucleate.codecs.unimat import SLOTS
    from nucleate.systems.denoising import Denoising

    # The loss is a mean over all slots; this weight makes it a mean over atoms.
    weights = {} if codec.given else {SLOTS: 1 / float(codec.rates.mean())}
    return Denoising(recipe, codec, data, properties, device, processes(recipe), weights)


def room(recipe: UniMatRecipe) -> int:
    """The largest number of atoms of one element: L, or any number if only the occupied slots are computed."""
    listed = recipe.task == "csp" and recipe.network.kind == "sparse"
    return recipe.data.max_atoms if listed else recipe.codec.slots


def fits(recipe: UniMatRecipe, data: CrystalBatch) -> Tensor:
    """Which crystals the recipe can use, (N,) bool: those of at most `data.max_atoms` atoms that fit into the slots."""
    from nucleate.codecs.unimat import unfitting

    keep = data.num_atoms <= recipe.data.max_atoms
    return keep & ~unfitting(codec(recipe, CodecState()).places, room(recipe), data.atomic_numbers)


def accepts(recipe: UniMatRecipe) -> frozenset[str]:
    """The fields of a `Condition` that a model of this recipe obeys. The number of atoms is none of them, because it
    results from the slots that are occupied."""
    return crystals.accepts(recipe) - {"num_atoms"}


def sample_arguments(settings: CrystalSampleConfig) -> dict[str, Any]:
    return settings.model_dump(include={"steps", "sampler", "noise"})


SYSTEM = System(
    name="unimat",
    config=UniMatRecipe,
    data=dataclasses.replace(crystals.CRYSTALS, fits=fits),
    codec=codec,
    processes=processes,
    network=network,
    objective=objective,
    sampler=Sampler(
        names=crystals.sampler_names,
        accepts=accepts,
        needs=crystals.needs,
        hints=crystals.hints,
        arguments=sample_arguments,
        # Slots of elements that are not allowed are removed, with and without guidance.
        kept=("chemical_system", "barred_elements"),
        room=room,
    ),
    card=crystals.CARD,
)
