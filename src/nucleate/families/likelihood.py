"""How likely formulas are, by a model that was trained on all known formulas. It is a term of R_hi
(`search.heuristics`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleate.generators import FormulaGenerator

MODEL = "diffusion-bert-all"
STEPS_PER_UNIT = 0.6  # steps of R_hi for each unit of the log-likelihood, by benchmarks/proposals.py
LOWEST = -15.0  # log-likelihood of formulas with elements outside of the training data or too many atoms


def log_likelihoods(compositions: Sequence[Mapping[str, int]]) -> list[float]:
    """`FormulaGenerator.log_likelihoods` of the shipped model, but at least LOWEST. compositions: element -> atoms."""
    return [max(value, LOWEST) for value in _model().log_likelihoods(compositions)] if compositions else []


@cache
def _model() -> FormulaGenerator:
    from nucleate.generators import load_formula_generator

    return load_formula_generator(MODEL)
