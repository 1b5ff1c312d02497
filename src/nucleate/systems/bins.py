"""The compact representation (GenMS, Yang et al. 2024) in bins.

Masked tokens that are revealed step by step take the place of Gaussian noise. If the composition is not given, the
elements are revealed first, and then the cell and the coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from nucleate.codecs.state import CodecState
from nucleate.config import ConfigSection, Count, NotNegative
from nucleate.systems import crystals
from nucleate.systems.base import Sampler, System
from nucleate.systems.crystals import CrystalRecipe, CrystalSampleConfig
from nucleate.systems.recipe import Apart, Elements

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from nucleate.codecs.bins import BinCodec
    from nucleate.diffusion.process import Process
    from nucleate.systems.base import Data, Objective


# If the elements are not given, they are revealed while the time falls from 1 to this value.
ELEMENTS_FIRST = 0.6


class CodecConfig(ConfigSection):
    """How a crystal becomes tokens (`codecs.bins`)."""

    num_elements: Elements = 100


class DiffusionConfig(ConfigSection):
    """The noise: tokens of elements, coordinates and cell are masked (`diffusion.masked`)."""

    lattice_weight: NotNegative = 0.5  # weight of the loss of the tokens of the cell
    offset_weight: NotNegative = 1.0  # weight of the losses of the offsets within the bins


class NetworkConfig(ConfigSection):
    """The transformer over atoms and cell (`nets.bins`)."""

    dim: Count = 192
    layers: Count = 5
    heads: Count = 8
    condition_on: tuple[str, ...] = ()  # any numeric column of the data


class SampleConfig(Apart, CrystalSampleConfig):
    """How crystals are drawn."""


class BinRecipe(CrystalRecipe):
    """A recipe of the compact representation in bins."""

    system: Literal["bins"] = "bins"
    codec: CodecConfig = CodecConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    network: NetworkConfig = NetworkConfig()
    sample: SampleConfig = SampleConfig()


def codec(recipe: BinRecipe, state: CodecState) -> BinCodec:
    from nucleate.codecs.bins import BinCodec

    return BinCodec(recipe.codec.num_elements, state.elements, recipe.task == "csp")


def processes(recipe: BinRecipe, codec: BinCodec | None = None, network: Any = None) -> dict[str, Process]:
    from nucleate.codecs.bins import CELL, CELL_OFFSET, COORDINATES, OFFSET
    from nucleate.diffusion.masked import MaskedTokens, RevealedAtEnd

    given = recipe.task == "csp"
    begun = 1.0 if given else ELEMENTS_FIRST
    elements = {} if given else {"atomic_numbers": MaskedTokens(recipe.codec.num_elements, begun, 1.0, surest=False)}
    return {
        **elements,
        "lattice": MaskedTokens(CELL, 0.0, begun),
        "frac_coords": MaskedTokens(COORDINATES, 0.0, begun),
        OFFSET: RevealedAtEnd(),
        CELL_OFFSET: RevealedAtEnd(),
    }


def network(recipe: BinRecipe, codec: BinCodec, max_atoms: int) -> nn.Module:
    from nucleate.nets.bins import BinTransformer

    return BinTransformer(codec, max_atoms, **recipe.network.model_dump())


def objective(
    recipe: BinRecipe,
    codec: BinCodec,
    data: Data,
    properties: Mapping[str, Tensor],
    device: torch.device,
    network: nn.Module,
) -> Objective:
    from nucleate.codecs.bins import CELL_OFFSET, OFFSET
    from nucleate.systems.denoising import Denoising

    d = recipe.diffusion
    weights = {"lattice": d.lattice_weight, OFFSET: d.offset_weight, CELL_OFFSET: d.offset_weight}
    return Denoising(recipe, codec, data, properties, device, processes(recipe), weights)


def sample_arguments(settings: SampleConfig) -> dict[str, Any]:
    arguments = settings.model_dump(include={"steps", "sampler"})
    tokens = {name: settings.noise for name in ("lattice", "frac_coords")}
    return arguments | {"noise": {"atomic_numbers": 1.0, **tokens}}


SYSTEM = System(
    name="bins",
    config=BinRecipe,
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
