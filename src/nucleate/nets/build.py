"""The table that turns a recipe's data into codec, processes and a network. A new system is a new row here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from nucleate.codecs.joint import JointCodec
from nucleate.codecs.tokens import FORMULA, TOKENS, TokenCodec
from nucleate.config import Recipe
from nucleate.crystal.batch import CrystalBatch
from nucleate.crystal.formulas import FormulaBatch
from nucleate.diffusion.discrete import D3PM
from nucleate.diffusion.embedded import Embedded
from nucleate.diffusion.gaussian import GaussianVP
from nucleate.diffusion.process import Process
from nucleate.diffusion.spindle import Spindle
from nucleate.diffusion.torus import WrappedVE
from nucleate.nets.crystal_transformer import CrystalTransformer
from nucleate.nets.property import PropertyNetwork
from nucleate.nets.token_transformer import TokenTransformer

Codec = JointCodec | TokenCodec
Data = CrystalBatch | FormulaBatch


def fit_codec(recipe: Recipe, data: Data) -> Codec:
    """The recipe's codec with what it has to know of the training data."""
    if isinstance(data, FormulaBatch):
        return TokenCodec.fit(recipe.codec, data.atomic_numbers)
    return JointCodec.fit(recipe.codec, data.lattice, data.num_atoms)


def build_processes(recipe: Recipe, codec: Any = None, network: Any = None) -> Mapping[str, Process]:
    """The noise on each diffusing field; species of crystals diffuse unless they are given (paper 3, section 4.1).

    Formulas (paper 1) need the codec, whose words have frequencies, or the network, whose words have vectors.
    """
    d = recipe.diffusion
    if recipe.task == FORMULA:
        if d.words == "embedding":
            return {TOKENS: Embedded(network.table)}
        return {TOKENS: Spindle(codec.information(), d.word_frequency)}
    processes: dict[str, Process] = {
        "lattice": GaussianVP(d.lattice_schedule),
        "frac_coords": WrappedVE(d.sigma_min, d.sigma_max),
    }
    if d.species != "given":
        processes["atomic_numbers"] = D3PM(recipe.codec.num_elements, d.species, power=d.species_power)
    return processes


def build_network(recipe: Recipe, codec: Any, max_atoms: int) -> nn.Module:
    """The untrained network of a recipe: a denoiser, or for task "property" one that predicts."""
    if recipe.task == FORMULA:
        vector = recipe.diffusion.embedding_dim if recipe.diffusion.words == "embedding" else None
        return TokenTransformer(recipe.network, codec, max_atoms, vector)
    if recipe.task == "property":
        return PropertyNetwork(recipe.network, recipe.codec.num_elements)
    return CrystalTransformer(recipe.network, codec, max_atoms, species=recipe.diffusion.species != "given")
