"""The joint system (Takahara, Shibata, Mizoguchi, arXiv 2406.09263): lattice, fractional coordinates and species of a
crystal diffuse together. Equations are numbered as there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import model_validator

from nucleate.codecs.state import CodecState
from nucleate.config import ConfigSection, Count, NotNegative, Positive
from nucleate.systems import crystals
from nucleate.systems.base import Sampler, System
from nucleate.systems.crystals import CrystalRecipe, CrystalSampleConfig
from nucleate.systems.recipe import Corrector, Elements, Schedule, Temperature

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from nucleate.codecs.joint import JointCodec
    from nucleate.diffusion.process import Process
    from nucleate.systems.base import Data, Objective


class CodecConfig(ConfigSection):
    """How a crystal becomes tensors (`codecs.joint`)."""

    lattice: Literal["log-metric", "parameters", "matrix"] = "log-metric"  # six numbers, or the matrix of eq. 1
    num_elements: Elements = 100  # the classes of species are the atomic numbers 1 to num_elements


class DiffusionConfig(ConfigSection):
    """The noise on each field (section 4.1)."""

    lattice_schedule: Schedule = "cosine"  # of the cell (GaussianVP)
    sigma_min: Positive = 0.005  # of the coordinates (WrappedVE), in fractional units
    sigma_max: Positive = 0.5
    species: Literal["given", "uniform", "absorbing"] = "given"  # the composition is given, or the kind of D3PM's noise
    species_power: Positive = 1.0  # D3PM keeps a class with probability (1 - t)^power; above 1, elements come late
    species_weight: NotNegative = 1.0  # the weight of the loss of species; lattice and coordinates have weight 1


class NetworkConfig(ConfigSection):
    """The crystal transformer (section 4.2)."""

    dim: Count = 128
    layers: Count = 6
    heads: Count = 8
    pair_dim: Count = 64
    frequencies: Count = 12  # the highest m of eq. 14
    conditioning: Literal["cdi", "cds", "adaln"] = "cds"  # eq. 16, eqs. 17-19, or adaptive layer norm
    norm: Literal["post", "pre"] = "post"  # "post": eqs. 9-10
    attention: Literal["relative", "fused"] = "relative"  # eq. 11, or with the relative values as rotations
    self_conditioning: bool = False  # whether the network gets its own earlier output (Chen et al. 2023)
    distance: bool = False  # whether radial features of the minimum-image distance are added in eqs. 12-13
    composition: bool = False  # whether the mean embedding of the atoms' species is added to the condition of eq. 15
    condition_on: tuple[str, ...] = ()  # "chemical_system" and any numeric columns of the data


class SampleConfig(Temperature, Corrector, CrystalSampleConfig):
    """How crystals are drawn."""


class JointRecipe(CrystalRecipe):
    """A recipe of the joint system."""

    system: Literal["joint"] = "joint"
    codec: CodecConfig = CodecConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    network: NetworkConfig = NetworkConfig()
    sample: SampleConfig = SampleConfig()

    @model_validator(mode="after")
    def _species_by_task(self) -> Self:
        if (self.diffusion.species == "given") != (self.task == "csp"):
            raise ValueError(
                '\'diffusion.species\' must be "given" for task "csp", and one of uniform, absorbing for task "dng"'
            )
        return self

    @property
    def self_conditioning(self) -> bool:
        return self.network.self_conditioning


def codec(recipe: JointRecipe, state: CodecState) -> JointCodec:
    from nucleate.codecs.joint import JointCodec

    return JointCodec(recipe.codec.lattice, recipe.codec.num_elements, state.mean, state.std)


def processes(recipe: JointRecipe, codec: JointCodec | None = None, network: Any = None) -> dict[str, Process]:
    """The noise of each field. Species diffuse unless they are given (section 4.1)."""
    from nucleate.diffusion.discrete import D3PM
    from nucleate.diffusion.gaussian import GaussianVP
    from nucleate.diffusion.torus import WrappedVE

    d = recipe.diffusion
    out: dict[str, Process] = {
        "lattice": GaussianVP(d.lattice_schedule),
        "frac_coords": WrappedVE(d.sigma_min, d.sigma_max),
    }
    if d.species != "given":
        out["atomic_numbers"] = D3PM(recipe.codec.num_elements, d.species, power=d.species_power)
    return out


def network(recipe: JointRecipe, codec: JointCodec, max_atoms: int) -> nn.Module:
    from nucleate.nets.crystal_transformer import CrystalTransformer

    species = recipe.diffusion.species != "given"
    return CrystalTransformer(codec, max_atoms, species=species, **recipe.network.model_dump())


def objective(
    recipe: JointRecipe,
    codec: JointCodec,
    data: Data,
    properties: Mapping[str, Tensor],
    device: torch.device,
    network: nn.Module,
) -> Objective:
    from nucleate.systems.denoising import Denoising

    weights = {"atomic_numbers": recipe.diffusion.species_weight}
    return Denoising(recipe, codec, data, properties, device, processes(recipe), weights)


def sample_arguments(settings: SampleConfig) -> dict[str, Any]:
    return settings.model_dump(include={"steps", "sampler", "noise", "corrector_steps", "corrector_size"})


SYSTEM = System(
    name="joint",
    config=JointRecipe,
    data=crystals.CRYSTALS,
    codec=codec,
    processes=processes,
    network=network,
    objective=objective,
    sampler=Sampler(
        names=crystals.sampler_names,
        accepts=lambda recipe: crystals.accepts(recipe) | {"fixed", "lattice_shape"},
        needs=crystals.needs,
        hints=crystals.hints,
        arguments=sample_arguments,
    ),
    card=crystals.CARD,
)
