"""Generators: anything with `generate(conditions, seeds)`."""

from nucleate.generators.base import Condition, Generator, StructureGenerator
from nucleate.generators.diffusion import DiffusionGenerator, load_generator, read_info, shipped_weights

__all__ = [
    "Condition",
    "DiffusionGenerator",
    "Generator",
    "StructureGenerator",
    "load_generator",
    "read_info",
    "shipped_weights",
]
