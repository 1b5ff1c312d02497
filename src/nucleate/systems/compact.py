"""The compact representation of GenMS (Yang et al., arXiv 2409.06762): a crystal as A x 4 numbers, which are position
and element of each atom, and a cell."""

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

    lattice: Literal["log-metric", "parameters"] = "log-metric"  # how the cell is represented; in GenMS "parameters"
    num_elements: Elements = 100
    # by what the elements are numbered; in GenMS "atomic-number"
    species_scale: Literal["atomic-number", "pettifor"] = "atomic-number"
    random_origin: bool = False  # whether the origin is moved to a random atom in training


class DiffusionConfig(ConfigSection):
    """The noise, which is Gaussian for all fields."""

    lattice_schedule: Schedule = "cosine"
    species_weight: NotNegative = 1.0  # the weight of the loss of the elements; cell and positions have weight 1


class NetworkConfig(ConfigSection):
    """The network: attention that does not depend on the order of the atoms, as a U-Net over widths
    (`nets.compact`)."""

    widths: tuple[Count, ...] = ()  # widths of the levels, the outermost first; empty: one level of width `dim`
    dim: Count = 128
    layers: Count = 6  # the number of blocks of each level, on the way in and on the way out
    heads: Count = 8
    frequencies: Count = 12  # the highest m of the Fourier features of positions
    distance: bool = False  # whether attention gets the relative positions of atoms (`nets.gaussian.Relative`)
    pair_dim: Count = 64  # the number of features of a pair of atoms, if `distance` is true
    condition_on: tuple[str, ...] = ()  # any numeric columns of the data


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
    """The noise of each field, which is Gaussian. The elements are a field unless the composition is given."""
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
