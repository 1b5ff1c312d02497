"""The table that turns a recipe's data into processes and a network (`codecs.build`: the codec). A new system is a new
row here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from nucleate.codecs.compact import SPECIES
from nucleate.codecs.sites import PARAMETERS, SITES
from nucleate.codecs.tokens import FORMULA, TOKENS
from nucleate.codecs.unimat import SLOTS
from nucleate.config import Recipe
from nucleate.diffusion.discrete import D3PM
from nucleate.diffusion.embedded import Embedded
from nucleate.diffusion.exploding import GaussianVE
from nucleate.diffusion.gaussian import GaussianVP
from nucleate.diffusion.process import Process
from nucleate.diffusion.spindle import Spindle
from nucleate.diffusion.torus import WrappedVE
from nucleate.nets.compact import CompactNetwork
from nucleate.nets.crystal_transformer import CrystalTransformer
from nucleate.nets.dense import DenseUNet
from nucleate.nets.property import PropertyNetwork
from nucleate.nets.sites import SiteNetwork
from nucleate.nets.slots import SlotTransformer
from nucleate.nets.token_transformer import TokenTransformer


def build_processes(recipe: Recipe, codec: Any = None, network: Any = None) -> Mapping[str, Process]:
    """The noise on each diffusing field; species of crystals diffuse unless they are given (paper 3, section 4.1).

    All fields of UniMat (paper 2) and of the compact representation (paper 4) are Gaussian.
    Formulas (paper 1) need the codec, whose words have frequencies, or the network, whose words have vectors.
    """
    d = recipe.diffusion
    if recipe.task == FORMULA:
        if d.words == "embedding":
            return {TOKENS: Embedded(network.table)}
        return {TOKENS: Spindle(codec.information(), d.word_frequency)}
    if recipe.codec.kind == SITES:
        return {
            "lattice": GaussianVE(d.sigma_min, d.lattice_sigma_max),
            PARAMETERS: WrappedVE(d.sigma_min, d.sigma_max, centred=False),
        }
    if recipe.codec.kind != "joint":
        names = {"unimat": [SLOTS], "compact": ["frac_coords", SPECIES]}[recipe.codec.kind]
        names = ["frac_coords"] if recipe.task == "csp" else names
        return {name: GaussianVP(d.lattice_schedule) for name in ("lattice", *names)}
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
    if recipe.codec.kind == SITES:
        return SiteNetwork(recipe.network, codec, build_processes(recipe))
    if recipe.codec.kind != "joint":
        processes: Any = build_processes(recipe)
        if recipe.codec.kind == "compact":
            return CompactNetwork(recipe.network, codec, max_atoms, processes)
        network = DenseUNet if recipe.network.kind == "dense" else SlotTransformer
        return network(recipe.network, codec, max_atoms, processes)
    return CrystalTransformer(recipe.network, codec, max_atoms, species=recipe.diffusion.species != "given")
