"""The compact representation (paper 4): a crystal as A x 4 numbers, position and element of each atom, and a cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from nucleate.codecs.state import CodecState
from nucleate.config import ConfigSection, Count, NotNegative
from nucleate.systems import crystals
from nucleate.systems.base import Sampler, System
from nucleate.systems.crystals import CrystalRecipe, CrystalSampleConfig
from nucleate.systems.recipe import Elements, Schedule

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from nucleate.codecs.compact import CompactCodec
    from nucleate.diffusion.gaussian import GaussianVP
    from nucleate.systems.base import Data, Objective


class CodecConfig(ConfigSection):
    """How a crystal becomes numbers (`codecs.compact`)."""

    lattice: Literal["log-metric", "parameters"] = "log-metric"  # the numbers of the cell; paper 4: "parameters"
    num_elements: Elements = 100
    # the order of the elements; that of the paper is "atomic-number"
    species_scale: Literal["atomic-number", "pettifor"] = "atomic-number"
    random_origin: bool = False  # in training, move the origin to any of the atoms, where it means nothing in the data


class DiffusionConfig(ConfigSection):
    """The noise on all fields, which is Gaussian."""

    lattice_schedule: Schedule = "cosine"
    species_weight: NotNegative = 1.0  # weight of the loss of the elements beside cell and positions


class NetworkConfig(ConfigSection):
    """The network of order-invariant attention, as a U-Net of widths (`nets.compact`)."""

    widths: tuple[Count, ...] = ()  # of the levels, from the outermost in; none: one level of width `dim`
    dim: Count = 128
    layers: Count = 6  # blocks of each level, on either side
    heads: Count = 8
    frequencies: Count = 12  # highest m of the Fourier features of positions
    distance: bool = False  # attention is told where atoms lie to each other (`nets.gaussian.Relative`)
    pair_dim: Count = 64  # features of a pair with `distance`
    condition_on: tuple[str, ...] = ()  # any numeric column of the data


class CompactRecipe(CrystalRecipe):
    """A recipe of the compact representation."""

    system: Literal["compact"] = "compact"
    codec: CodecConfig = CodecConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    network: NetworkConfig = NetworkConfig()
    sample: CrystalSampleConfig = CrystalSampleConfig()


def codec(recipe: CompactRecipe, state: CodecState) -> CompactCodec:
    from nucleate.codecs.compact import CompactCodec

    return CompactCodec(**recipe.codec.model_dump(), mean=state.mean, std=state.std, elements=state.elements)


def processes(recipe: CompactRecipe, codec: CompactCodec | None = None, network: Any = None) -> dict[str, GaussianVP]:
    """All fields are Gaussian; the elements are one of them unless the composition is given."""
    from nucleate.codecs.compact import SPECIES
    from nucleate.diffusion.gaussian import GaussianVP

    names = ("lattice", "frac_coords", *(() if recipe.task == "csp" else (SPECIES,)))
    return {name: GaussianVP(recipe.diffusion.lattice_schedule) for name in names}


def network(recipe: CompactRecipe, codec: CompactCodec, max_atoms: int) -> nn.Module:
    from nucleate.nets.compact import CompactNetwork

    return CompactNetwork(codec, max_atoms, processes(recipe), **recipe.network.model_dump())


def objective(
    recipe: CompactRecipe,
    codec: CompactCodec,
    data: Data,
    properties: Mapping[str, Tensor],
    device: torch.device,
    network: nn.Module,
) -> Objective:
    from nucleate.codecs.compact import SPECIES
    from nucleate.systems.denoising import Denoising

    weights = {SPECIES: recipe.diffusion.species_weight}
    return Denoising(recipe, codec, data, properties, device, processes(recipe), weights)


def sample_arguments(settings: CrystalSampleConfig) -> dict[str, Any]:
    return settings.model_dump(include={"steps", "sampler", "noise"})


SYSTEM = System(
    name="compact",
    config=CompactRecipe,
    data=crystals.CRYSTALS,
    codec=codec,
    processes=processes,
    network=network,
    objective=objective,
    sampler=Sampler(
        names=crystals.sampler_names,
        accepts=crystals.accepts,
        needs=crystals.needs,
        hints=crystals.hints,
        arguments=sample_arguments,
    ),
    card=crystals.CARD,
)
