"""The table that turns a recipe's data into processes and a network. A new system is a new row here."""

from __future__ import annotations

from collections.abc import Mapping

from nucleate.codecs.joint import JointCodec
from nucleate.config import Recipe
from nucleate.diffusion.discrete import D3PM
from nucleate.diffusion.gaussian import GaussianVP
from nucleate.diffusion.process import Process
from nucleate.diffusion.torus import WrappedVE
from nucleate.nets.crystal_transformer import CrystalTransformer
from nucleate.nets.property import PropertyNetwork


def build_processes(recipe: Recipe) -> Mapping[str, Process]:
    """The noise on each diffusing field (paper 3, section 4.1); species diffuse unless they are given."""
    d = recipe.diffusion
    processes: dict[str, Process] = {
        "lattice": GaussianVP(d.lattice_schedule),
        "frac_coords": WrappedVE(d.sigma_min, d.sigma_max),
    }
    if d.species != "given":
        processes["atomic_numbers"] = D3PM(recipe.codec.num_elements, d.species, power=d.species_power)
    return processes


def build_network(recipe: Recipe, codec: JointCodec, max_atoms: int) -> CrystalTransformer | PropertyNetwork:
    """The untrained network of a recipe: a denoiser, or for task "property" one that predicts."""
    if recipe.task == "property":
        return PropertyNetwork(recipe.network, recipe.codec.num_elements)
    return CrystalTransformer(recipe.network, codec, max_atoms, species=recipe.diffusion.species != "given")
