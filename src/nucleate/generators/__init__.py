"""Generators: anything with `generate(conditions, seeds)`."""

from nucleate.generators.base import Condition, Generator, StructureGenerator
from nucleate.generators.diffusion import DiffusionGenerator
from nucleate.generators.formulas import FormulaGenerator, load_formula_generator
from nucleate.generators.load import read_info, shipped_weights
from nucleate.generators.presets import load_generator
from nucleate.generators.random_search import RandomSearch

__all__ = [
    "Condition",
    "DiffusionGenerator",
    "FormulaGenerator",
    "Generator",
    "RandomSearch",
    "StructureGenerator",
    "load_formula_generator",
    "load_generator",
    "read_info",
    "shipped_weights",
]
