"""Metrics: how well generated crystals and formulas answer what was asked, counted as the field counts.

The names below are imported when first used. Every evaluation returns a `Report` of `Metric`s with intervals.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nucleate.evaluate.compositions import evaluate_compositions
    from nucleate.evaluate.dng import evaluate_dng
    from nucleate.evaluate.formulas import read_formulas
    from nucleate.evaluate.inputs import read_crystals
    from nucleate.evaluate.judged import DngSettings
    from nucleate.evaluate.match import evaluate_csp
    from nucleate.evaluate.metric import Metric, Report
    from nucleate.evaluate.page import write_page
    from nucleate.evaluate.per_composition import compare
    from nucleate.evaluate.protocols import PROTOCOLS, get_protocol
    from nucleate.evaluate.success_rate import success_rates

_HOMES = {
    "PROTOCOLS": "protocols",
    "DngSettings": "judged",
    "Metric": "metric",
    "Report": "metric",
    "compare": "per_composition",
    "evaluate_compositions": "compositions",
    "evaluate_csp": "match",
    "evaluate_dng": "dng",
    "get_protocol": "protocols",
    "read_crystals": "inputs",
    "read_formulas": "formulas",
    "success_rates": "success_rate",
    "write_page": "page",
}
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
    "write_page",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nucleate.evaluate' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"nucleate.evaluate.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
