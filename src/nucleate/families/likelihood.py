"""How likely formulas are by a composition model, which has learnt from all known formulas; a term of R_hi."""

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
    """`FormulaGenerator.log_likelihoods` of the shipped model, but never less than LEAST."""
    return [max(value, LEAST) for value in _model().log_likelihoods(compositions)] if compositions else []


@cache
def _model() -> FormulaGenerator:
    from nucleate.generators import load_formula_generator

    return load_formula_generator(MODEL)
