"""How likely formulas are to a composition model: what it has learnt of all known formulas, as a word in R_hi."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleate.generators import FormulaGenerator

MODEL = "diffusion-bert-all"
PULL = 0.6  # steps of R_hi for each unit of the logarithm; benchmarks/proposals.py
LEAST = -15.0  # of formulas with elements that the model never saw, or too many atoms


def log_likelihoods(compositions: Sequence[Mapping[str, int]]) -> list[float]:
    """`FormulaGenerator.log_likelihoods` of the shipped model, LEAST at least."""
    return [max(value, LEAST) for value in _model().log_likelihoods(compositions)] if compositions else []


@cache
def _model() -> FormulaGenerator:
    from nucleate.generators import load_formula_generator

    return load_formula_generator(MODEL)
