"""UniMat (paper 2): the atoms of a crystal as slots on the periodic table, whose positions diffuse."""

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
from nucleate.systems.recipe import Elements, Schedule, only_of

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
    slots: Annotated[int, Field(ge=1, le=1000)] = 12  # L of the table, the most atoms of one element
    periods: tuple[int, ...] = ()  # rows of the table, 1-7, and 8 and 9 for lanthanides and actinides; none: all
    groups: tuple[int, ...] = ()  # its columns, 1-18; none: all
    random_origin: bool = False  # in training, move the origin to any of the atoms, where it means nothing in the data


class DiffusionConfig(ConfigSection):
    """The noise on all fields, which is Gaussian."""

    lattice_schedule: Schedule = "cosine"


class NetworkConfig(ConfigSection):
    """The network on the table: `nets.slots` ("sparse") or `nets.dense` ("dense")."""

    kind: Literal["sparse", "dense"] = "sparse"  # attention over slots that may be occupied, or the 3D U-Net on all
    dim: Count = 128
    heads: Count = 8
    condition_on: tuple[str, ...] = ()  # "chemical_system" and any numeric column of the data
    widths: tuple[Count, ...] = ()  # "dense": of the levels of the U-Net, from the outermost in
    layers: Count = 6  # this and what follows is of "sparse"
    frequencies: Count = 12  # highest m of the Fourier features of positions
    seen: Count = 32  # slots that attention sees, the likeliest ones
    distance: bool = False  # attention is told where atoms lie to each other (`nets.gaussian.Relative`)
    pair_dim: Count = 64  # features of a pair with `distance`

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        if self.kind == "dense":
            sparse = ("layers", "frequencies", "seen", "distance", "pair_dim")
            only_of(self, "network", 'the network of kind "sparse"', sparse)
        else:
            only_of(self, "network", 'the network of kind "dense"', ("widths",))
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
    """All fields are Gaussian: the cell, and the slots, or where the composition is given the positions of atoms."""
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

    # the mean over atoms, not over slots that are empty
    weights = {} if codec.given else {SLOTS: 1 / float(codec.rates.mean())}
    return Denoising(recipe, codec, data, properties, device, processes(recipe), weights)


def room(recipe: UniMatRecipe) -> int:
    """The most atoms of one element: L, or any number where the composition is given and no empty slot is computed."""
    listed = recipe.task == "csp" and recipe.network.kind == "sparse"
    return recipe.data.max_atoms if listed else recipe.codec.slots


def fits(recipe: UniMatRecipe, data: CrystalBatch) -> Tensor:
    """(N,) bool: crystals of up to `data.max_atoms` atoms that have room in the table."""
    from nucleate.codecs.unimat import unfitting

    keep = data.num_atoms <= recipe.data.max_atoms
    return keep & ~unfitting(codec(recipe, CodecState()).places, room(recipe), data.atomic_numbers)


def accepts(recipe: UniMatRecipe) -> frozenset[str]:
    """As other crystals; where the composition is not given, the table says how many atoms there are."""
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
        # a table without the columns of other elements is no wish
        kept=("chemical_system", "barred_elements"),
        room=room,
    ),
    card=crystals.CARD,
)
