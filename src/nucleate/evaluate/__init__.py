"""Metrics of generated crystals and formulas, counted as in the literature.

The names below are imported when first used. Every evaluation returns a `Report` of `Metric`s with intervals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.lazy import lazy_names

if TYPE_CHECKING:
    from nucleate.evaluate.compositions import evaluate_compositions
    from nucleate.evaluate.csp_report import evaluate_csp
    from nucleate.evaluate.dng import evaluate_dng
    from nucleate.evaluate.formulas import read_formulas
    from nucleate.evaluate.inputs import read_crystals
    from nucleate.evaluate.measurements import DngSettings
    from nucleate.evaluate.measures.success_rate import success_rates
    from nucleate.evaluate.metric import Metric, Report
    from nucleate.evaluate.per_composition import compare
    from nucleate.evaluate.protocols import PROTOCOLS, get_protocol

__getattr__ = lazy_names(
    __name__,
    {
        "PROTOCOLS": "nucleate.evaluate.protocols",
        "DngSettings": "nucleate.evaluate.measurements",
        "Metric": "nucleate.evaluate.metric",
        "Report": "nucleate.evaluate.metric",
        "compare": "nucleate.evaluate.per_composition",
        "evaluate_compositions": "nucleate.evaluate.compositions",
        "evaluate_csp": "nucleate.evaluate.csp_report",
        "evaluate_dng": "nucleate.evaluate.dng",
        "get_protocol": "nucleate.evaluate.protocols",
        "read_crystals": "nucleate.evaluate.inputs",
        "read_formulas": "nucleate.evaluate.formulas",
        "success_rates": "nucleate.evaluate.measures.success_rate",
    },
)

__all__ = [
    "PROTOCOLS",
    "DngSettings",
    "Metric",
    "Report",
    "compare",
    "evaluate_compositions",
    "evaluate_csp",
    "evaluate_dng",
    "get_protocol",
    "read_crystals",
    "read_formulas",
    "success_rates",
]
