"""nucleate: design inorganic crystals, from a request to ranked, relaxed, checked structures.

Public is what `__all__` names here and in the packages below, each with a docstring: what another version keeps. All
else may change. The names are imported when first used, so that `import nucleate` stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.lazy import lazy_names

if TYPE_CHECKING:
    from nucleate.api.judging import check, e_above_hull, relax, screen
    from nucleate.api.knowing import known
    from nucleate.api.making import design, generate, order, predict, substitute
    from nucleate.crystal.batch import CrystalBatch
    from nucleate.data import prepare
    from nucleate.errors import NucleateError
    from nucleate.evaluate.csp_report import evaluate_csp
    from nucleate.generators import Condition, load_formula_generator, load_generator
    from nucleate.hull.load import load_reference
    from nucleate.io import read_structures, write_structures
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.collection import Candidates
    from nucleate.pipeline.rank import rank
    from nucleate.potentials import calculator
    from nucleate.settings import DesignSettings, PredictSettings
    from nucleate.tasks.runs import load_run, resume

__getattr__ = lazy_names(
    __name__,
    {
        "Candidate": "nucleate.pipeline.candidate",
        "Candidates": "nucleate.pipeline.collection",
        "Condition": "nucleate.generators",
        "CrystalBatch": "nucleate.crystal.batch",
        "DesignSettings": "nucleate.settings",
        "NucleateError": "nucleate.errors",
        "PredictSettings": "nucleate.settings",
        "calculator": "nucleate.potentials",
        "check": "nucleate.api.judging",
        "design": "nucleate.api.making",
        "e_above_hull": "nucleate.api.judging",
        "evaluate_csp": "nucleate.evaluate.csp_report",
        "generate": "nucleate.api.making",
        "known": "nucleate.api.knowing",
        "load_formula_generator": "nucleate.generators",
        "load_generator": "nucleate.generators",
        "load_reference": "nucleate.hull.load",
        "load_run": "nucleate.tasks.runs",
        "order": "nucleate.api.making",
        "predict": "nucleate.api.making",
        "prepare": "nucleate.data",
        "rank": "nucleate.pipeline.rank",
        "read_structures": "nucleate.io",
        "relax": "nucleate.api.judging",
        "resume": "nucleate.tasks.runs",
        "screen": "nucleate.api.judging",
        "substitute": "nucleate.api.making",
        "write_structures": "nucleate.io",
    },
)

__all__ = [
    "Candidate",
    "Candidates",
    "Condition",
    "CrystalBatch",
    "DesignSettings",
    "NucleateError",
    "PredictSettings",
    "calculator",
    "check",
    "design",
    "e_above_hull",
    "evaluate_csp",
    "generate",
    "known",
    "load_formula_generator",
    "load_generator",
    "load_reference",
    "load_run",
    "order",
    "predict",
    "prepare",
    "rank",
    "read_structures",
    "relax",
    "resume",
    "screen",
    "substitute",
    "write_structures",
]


def __dir__() -> list[str]:
    return sorted(__all__)
