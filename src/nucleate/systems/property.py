"""Properties of crystals, which are predicted without relaxation by a network that takes all periodic images into
account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from nucleate.codecs.state import CodecState
from nucleate.config import ConfigSection, Count
from nucleate.systems import crystals
from nucleate.systems.base import PROPERTY, ModelCard, System
from nucleate.systems.recipe import Elements, Recipe

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from nucleate.codecs.joint import JointCodec
    from nucleate.crystal.batch import CrystalBatch
    from nucleate.systems.base import Objective


class CodecConfig(ConfigSection):
    """The number of elements that the network knows."""

    num_elements: Elements = 100


class NetworkConfig(ConfigSection):
    """The network (`nets.property`)."""

    dim: Count = 128
    layers: Count = 6
    heads: Count = 8
    pair_dim: Annotated[int, Field(ge=3)] = 64  # the number of features of a pair: radial functions, and two more
    norm: Literal["post", "pre"] = "post"
    predict: Annotated[tuple[str, ...], Field(min_length=1)]  # the columns to predict


class SampleConfig(ConfigSection):
    """There are no settings, because nothing is drawn from a network that predicts."""


class PropertyRecipe(Recipe):
    """A recipe of a network that predicts properties."""

    system: Literal["property"] = "property"
    codec: CodecConfig = CodecConfig()
    network: NetworkConfig
    sample: SampleConfig = SampleConfig()

    @property
    def predict(self) -> tuple[str, ...]:
        return self.network.predict


def codec(recipe: PropertyRecipe, state: CodecState) -> JointCodec:
    """A codec that only measures the cells of the training data; the network itself needs none."""
    from nucleate.codecs.joint import JointCodec

    return JointCodec(num_elements=recipe.codec.num_elements, mean=state.mean, std=state.std)


def network(recipe: PropertyRecipe, codec: JointCodec, max_atoms: int) -> nn.Module:
    from nucleate.nets.property import PropertyNetwork

    return PropertyNetwork(recipe.codec.num_elements, **recipe.network.model_dump())


def objective(
    recipe: PropertyRecipe,
    codec: JointCodec,
    data: CrystalBatch,
    properties: Mapping[str, Tensor],
    device: torch.device,
    network: nn.Module,
) -> Objective:
    from nucleate.nets.property import radials_of
    from nucleate.systems.prediction import PropertyObjective

    return PropertyObjective(recipe.predict, data, properties, radials_of(recipe.network.pair_dim), device)


def facts(info: Any) -> dict[str, str]:
    """Rows of the model card. info: `ModelInfo`."""
    sizes = [n for n, count in enumerate(info.num_atoms_counts) if count]
    known = ", ".join(f"{name} {stats.n:,}" for name, stats in info.properties.items())
    return {
        "data": f"{info.recipe.data.dataset}: {info.training['crystals']:,} crystals; with a value: {known}",
        "cells": f"{sizes[0]} to {sizes[-1]} atoms in training",
    }


LIMITS = """\
A quick estimate for ranking and for metrics, not a potential: it gives no forces, and crystals far from their energy
minimum are unlike all of its training data. The value does not depend on the cell that describes a crystal, supercells
included. Elements outside the list are refused. For crystals that were optimised for an extreme value, the prediction
is too optimistic because of the errors of the network: confirm it with another method."""

MEASURED = """\
Mean absolute errors (MAE) of the shipped weights, `python scripts/property_table.py {name}`:

{measured}"""

SYSTEM = System(
    name="property",
    config=PropertyRecipe,
    data=crystals.CRYSTALS,
    codec=codec,
    network=network,
    objective=objective,
    sampler=None,
    card=ModelCard(
        task=lambda recipe: f"properties of a crystal as it stands: {', '.join(recipe.predict)}",
        facts=facts,
        limits=LIMITS,
        measured=MEASURED,
    ),
    kind=PROPERTY,
)
