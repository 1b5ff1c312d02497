"""Published values of other models, read from `published.tsv` beside this file."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

CSP, OPTIMISATION = "csp", "optimisation"
COMPOSITIONS, PER_COMPOSITION = "compositions-2024", "per-composition-2024"
PROPERTIES = "property"  # mean absolute errors of networks that predict a property
ANY = "-"  # in the table, for values that do not belong to one of our datasets


def published(protocol: str, metric: str, dataset: str = ANY) -> Mapping[str, float]:
    """Model -> value, in the order of the table; empty where no paper gives this number.

    protocol: a name of `evaluate.protocols` or one of the above. metric: the name in the report. dataset: a bare name
    ("mp-20"). Rates are fractions, all else has the unit of the metric.
    """
    return _table()[0].get((protocol, dataset, metric), MappingProxyType({}))


def source(protocol: str, metric: str, model: str, dataset: str = ANY) -> str:
    """The paper that publishes a value, and where in it. Raises KeyError for a value that is not in the table."""
    return _table()[1][protocol, dataset, metric, model]


@cache
def _table() -> tuple[dict[tuple[str, str, str], dict[str, float]], dict[tuple[str, str, str, str], str]]:
    text = (resources.files("nucleate.evaluate") / "published.tsv").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    values: dict[tuple[str, str, str], dict[str, float]] = {}
    sources: dict[tuple[str, str, str, str], str] = {}
    for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
        key = row["protocol"], row["dataset"], row["metric"]
        values.setdefault(key, {})[row["model"]] = float(row["value"])
        sources[(*key, row["model"])] = row["source"]
    return values, sources
