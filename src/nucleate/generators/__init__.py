"""Generators: anything with `generate(conditions, seeds)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.lazy import lazy_names

if TYPE_CHECKING:
    from nucleate.generators.base import Condition, Generator, StructureGenerator
    from nucleate.generators.diffusion import DiffusionGenerator
    from nucleate.generators.formulas import FormulaGenerator, load_formula_generator
    from nucleate.generators.load import load_generator, read_info
    from nucleate.generators.random_search import RandomSearch
    from nucleate.train.shipped import shipped_weights

__getattr__ = lazy_names(
    __name__,
    {
        "Condition": "nucleate.generators.base",
        "DiffusionGenerator": "nucleate.generators.diffusion",
        "FormulaGenerator": "nucleate.generators.formulas",
        "Generator": "nucleate.generators.base",
        "RandomSearch": "nucleate.generators.random_search",
        "StructureGenerator": "nucleate.generators.base",
        "load_formula_generator": "nucleate.generators.formulas",
        "load_generator": "nucleate.generators.load",
        "read_info": "nucleate.generators.load",
        "shipped_weights": "nucleate.train.shipped",
    },
)

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
