"""Adaptive cells (Sultanov et al., J. Chem. Inf. Model. 63, 6986 (2023)): the sites and the cell of a crystal diffuse
within a given space group."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import model_validator

from nucleate.codecs.state import CodecState
from nucleate.config import ConfigSection, Count, Positive
from nucleate.systems import crystals
from nucleate.systems.base import DataSource, ModelCard, Progress, Sampler, System
from nucleate.systems.recipe import Corrector, Elements, Recipe, refuse_unused
from nucleate.systems.recipe import SampleConfig as PlainSampleConfig

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from nucleate.codecs.sites import SiteCodec
    from nucleate.crystal.orbits import SymmetricBatch
    from nucleate.data.tables import Summary
    from nucleate.diffusion.process import Process
    from nucleate.systems.base import Data, Objective


class CodecConfig(ConfigSection):
    """How a crystal becomes the free numbers of its cell and its sites (`codecs.sites`)."""

    num_elements: Elements = 100


class DiffusionConfig(ConfigSection):
    """The noise on the parameters of sites (WrappedVE) and on the cell (GaussianVE)."""

    sigma_min: Positive = 0.005  # of both: in fractional units, and in standard deviations of the data
    sigma_max: Positive = 0.5  # of the parameters
    lattice_sigma_max: Positive = 3.0  # of the cell


class NetworkConfig(ConfigSection):
    """Messages along the edges of the symmetric multigraph (`nets.sites`)."""

    dim: Count = 128
    layers: Count = 6
    edges: Count = 20  # the number of nearest atoms from which a site gets messages


class SampleConfig(Corrector, PlainSampleConfig):
    """How crystals are drawn."""

    sampler: Literal["ancestral", "ddim", "second-order", "langevin"] = "ancestral"  # "langevin": Sultanov, algorithm 1
    lattice_noise: float = 1.0  # a factor for the noise of the lattice, in addition to `noise`; Sultanov uses 0.15


class SiteRecipe(Recipe):
    """A recipe of adaptive cells."""

    system: Literal["sites"] = "sites"
    codec: CodecConfig = CodecConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    network: NetworkConfig = NetworkConfig()
    sample: SampleConfig = SampleConfig()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        refuse_unused(
            self.data, "data", "recipes of whole cells", ("frame",)
        )  # sites are in the standard setting anyway
        return self


def load(path: str | Path) -> SymmetricBatch:
    """The symmetric crystals in a prepared file. Raises NucleateError if it holds something else."""
    from nucleate.crystal.orbits import SymmetricBatch

    return SymmetricBatch.load(path)


def prepare(
    recipe: SiteRecipe, progress: Progress | None = None, properties: tuple[str, ...] | None = None
) -> tuple[SymmetricBatch, Summary]:
    """The symmetric crystals of the recipe's dataset, and a summary of the rows of the dataset."""
    from nucleate.data.sites import prepare_sites

    return prepare_sites(recipe.data, progress, properties or ())


def codec(recipe: SiteRecipe, state: CodecState) -> SiteCodec:
    from nucleate.codecs.sites import SiteCodec

    return SiteCodec(recipe.codec.num_elements, state.mean, state.std, state.counts)


def processes(recipe: SiteRecipe, codec: SiteCodec | None = None, network: Any = None) -> dict[str, Process]:
    from nucleate.codecs.sites import PARAMETERS
    from nucleate.diffusion.exploding import GaussianVE
    from nucleate.diffusion.torus import WrappedVE

    d = recipe.diffusion
    return {
        "lattice": GaussianVE(d.sigma_min, d.lattice_sigma_max),
        PARAMETERS: WrappedVE(d.sigma_min, d.sigma_max, centred=False),
    }


def network(recipe: SiteRecipe, codec: SiteCodec, max_atoms: int) -> nn.Module:
    from nucleate.nets.sites import SiteNetwork

    return SiteNetwork(codec, processes(recipe), **recipe.network.model_dump())


def objective(
    recipe: SiteRecipe,
    codec: SiteCodec,
    data: Data,
    properties: Mapping[str, Tensor],
    device: torch.device,
    network: nn.Module,
) -> Objective:
    from nucleate.systems.denoising import Denoising

    return Denoising(recipe, codec, data, properties, device, processes(recipe))


def sample_arguments(settings: SampleConfig) -> dict[str, Any]:
    from nucleate.codecs.sites import PARAMETERS

    arguments = settings.model_dump(include={"steps", "sampler", "corrector_steps", "corrector_size"})
    noise = {PARAMETERS: settings.noise, "lattice": settings.noise * settings.lattice_noise}
    return arguments | {"noise": noise}


SYSTEM = System(
    name="sites",
    config=SiteRecipe,
    data=DataSource(unit="crystals", load=load, prepare=prepare, fits=crystals.fits),
    codec=codec,
    processes=processes,
    network=network,
    objective=objective,
    sampler=Sampler(
        generator="nucleate.generators.adaptive:AdaptiveCells",
        names=crystals.sampler_names,
        accepts=lambda recipe: frozenset({"composition", "chemical_system", "space_group", "sites"}),
        needs=lambda recipe: ("composition", "chemical_system", "sites"),
        hints=lambda recipe: {"num_atoms": "accepts a number of atoms only together with a formula"},
        arguments=sample_arguments,
    ),
    card=ModelCard(
        task=lambda recipe: "crystals of a given space group: sites and cell",
        facts=crystals.facts,
        limits=crystals.LIMITS,
    ),
)
