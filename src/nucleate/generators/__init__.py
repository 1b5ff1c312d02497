"""Generators of crystals and of formulas, and the contract that those of other packages keep (`generators.base`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.lazy import lazy_names

if TYPE_CHECKING:
    from nucleate.generators.base import Condition, Generator, StructureGenerator
    from nucleate.generators.defaults import BaseGenerator
    from nucleate.generators.diffusion import DiffusionGenerator
    from nucleate.generators.formulas import FormulaGenerator, load_formula_generator
    from nucleate.generators.load import load_generator, read_info
    from nucleate.generators.random_search import RandomSearch
    from nucleate.generators.registry import get_formula_generator, get_generator
    from nucleate.train.shipped import shipped_weights

__getattr__ = lazy_names(
    __name__,
    {
        "BaseGenerator": "nucleate.generators.defaults",
        "Condition": "nucleate.generators.base",
        "DiffusionGenerator": "nucleate.generators.diffusion",
        "FormulaGenerator": "nucleate.generators.formulas",
        "Generator": "nucleate.generators.base",
        "RandomSearch": "nucleate.generators.random_search",
        "StructureGenerator": "nucleate.generators.base",
        "get_formula_generator": "nucleate.generators.registry",
        "get_generator": "nucleate.generators.registry",
        "load_formula_generator": "nucleate.generators.formulas",
        "load_generator": "nucleate.generators.load",
        "read_info": "nucleate.generators.load",
        "shipped_weights": "nucleate.train.shipped",
    },
)

__all__ = [
    "BaseGenerator",
    "Condition",
    "DiffusionGenerator",
    "FormulaGenerator",
    "Generator",
    "RandomSearch",
    "StructureGenerator",
    "get_formula_generator",
    "get_generator",
    "load_formula_generator",
    "load_generator",
    "read_info",
    "shipped_weights",
]
