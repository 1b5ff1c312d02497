"""The result of every evaluation: metrics in sections, failures with reasons, and series for charts."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nucleate.evaluate.measures.statistics import Distance, Mean, Rate
from nucleate.lazy import imported_when_called

RATE, DISTANCE, MEAN, COUNT = "rate", "distance", "mean", "count"
SHOWN_FAILURES = 12


@dataclass(frozen=True)
class Metric:
    """One number of a report.

    name: its key in the JSON, which stays the same between versions. label: its name for people. kind: RATE, DISTANCE,
    MEAN or COUNT. value: the number itself, as a fraction for a rate; None where nothing could be counted. low, high:
    its 95 % interval, None where it has none. n: how many crystals, pairs or formulas were counted. floor: the same
    number for real crystals in place of the generated ones. definition: what is counted, in one line. published: what
    papers print under this definition, by the name of the model.
    """

    name: str
    label: str
    kind: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    unit: str = ""
    floor: float | None = None
    definition: str = ""
    published: Mapping[str, float] = field(default_factory=dict)

    def with_(self, **changes: Any) -> Metric:
        """A copy with other fields."""
        return dataclasses.replace(self, **changes)


def metric(
    name: str,
    label: str,
    counted: Rate | Mean | Distance | int,
    definition: str,
    *,
    unit: str = "",
    published: Mapping[str, float] | None = None,
) -> Metric:
    """A metric of a counted rate, mean, distance or plain number (which has no interval)."""
    known = dict(published or {})
    if isinstance(counted, Rate):
        value, n, kind = counted.value, counted.total, RATE
    elif isinstance(counted, Mean):
        value, n, kind = counted.value, counted.count, MEAN
    elif isinstance(counted, Distance):
        value, n, kind = counted.value, counted.n, DISTANCE
    else:
        return Metric(name, label, COUNT, counted, None, None, counted, unit, None, definition, known)
    low, high = (None, None) if n == 0 else (counted.low, counted.high)
    return Metric(name, label, kind, value, low, high, n, unit, None, definition, known)


@dataclass(frozen=True)
class ReportSection:
    """Metrics that belong together. note: how they were counted."""

    title: str
    metrics: tuple[Metric, ...]
    note: str = ""


@dataclass(frozen=True)
class Series:
    """Values to draw as a histogram (numbers) or as bars (label -> count), one list for each set compared."""

    title: str
    axis: str
    values: Mapping[str, Sequence[float]] = field(default_factory=dict)
    bars: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """The result of one evaluation.

    task: "dng", "csp", "compositions", "compare" or "optimisation". subject: what was judged. n: how many of them,
    failures included. reference: what they were compared with. floor: the name of the real data whose values are
    shown beside. protocol: the settings of each protocol that was used, by its name. failures: (name, stage, reason) of
    everything that could not be judged in full. seconds: wall time by stage. series: values for charts.
    """

    task: str
    subject: str
    n: int
    sections: tuple[ReportSection, ...]
    reference: str = ""
    floor: str = ""
    protocol: Mapping[str, Any] = field(default_factory=dict)
    failures: tuple[tuple[str, str, str], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    series: tuple[Series, ...] = ()

    def __getitem__(self, name: str) -> Metric:
        """The metric of that name, of the first protocol that has it; raises KeyError."""
        for section in self.sections:
            for found in section.metrics:
                if found.name == name:
                    return found
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the series; what is not finite becomes None."""
        fields = dataclasses.asdict(dataclasses.replace(self, series=()))
        del fields["series"]
        return {k: _plain(v) for k, v in fields.items()}

    _repr_html_ = imported_when_called("nucleate.report.notebook", "report_html")

    def to_json(self) -> str:
        """`to_dict` as a JSON text."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def with_floor(self, floor: Report, name: str) -> Report:
        """A copy whose metrics carry the values of `floor`, the same evaluation of real crystals called `name`."""
        # the section is part of the key, since two protocols may use one name
        values = {(s.title, m.name): m.value for s in floor.sections for m in s.metrics}

        def add(title: str, m: Metric) -> Metric:
            return m if m.kind == COUNT else m.with_(floor=values.get((title, m.name)))

        sections = tuple(
            dataclasses.replace(s, metrics=tuple(add(s.title, m) for m in s.metrics)) for s in self.sections
        )
        return dataclasses.replace(self, sections=sections, floor=name)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def format_value(m: Metric, value: float | None) -> str:
    """A value as the field prints it: rates in percent, distances with four significant digits."""
    if value is None:
        return "-"
    if m.kind == RATE:
        return f"{100 * value:.2f} %"
    if m.kind == COUNT:
        return f"{value:,.0f}"
    text = f"{value:.4f}" if abs(value) < 10 else f"{value:.4g}"
    return f"{text} {m.unit}".rstrip()


def format_interval(m: Metric) -> str:
    """The 95 % interval of a metric as a text, "" where it has none."""
    if m.low is None or m.high is None:
        return ""
    if m.kind == RATE:
        return f"{100 * m.low:.1f} to {100 * m.high:.1f}"
    return f"{m.low:.4f} to {m.high:.4f}" if abs(m.high) < 10 else f"{m.low:.4g} to {m.high:.4g}"


def format_published(m: Metric, limit: int | None = None) -> str:
    """Published values as a text, at most `limit` of them: "CDVAE 86.7, DiffCSP 83.25"."""
    scale = 100 if m.kind == RATE else 1
    return ", ".join(f"{name} {scale * value:.4g}" for name, value in list(m.published.items())[:limit])


def failure_lines(failures: Iterable[tuple[str, str, str]]) -> list[str]:
    """A line for each stage and kind of reason, the most frequent first: how many failed, with one example."""
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name, stage, reason in failures:
        kind = re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "#", reason)  # reasons that differ only in numbers are of one kind
        groups.setdefault((stage, kind), []).append((name, reason))
    order = sorted(groups.items(), key=lambda g: (-len(g[1]), g[0]))
    lines = [
        f"{len(cases):,} x {stage}: {cases[0][1]} ({cases[0][0]}{', ...' if len(cases) > 1 else ''})"
        for (stage, _), cases in order[:SHOWN_FAILURES]
    ]
    if len(order) > SHOWN_FAILURES:
        lines.append(f"{sum(len(g[1]) for g in order[SHOWN_FAILURES:]):,} more, in report.json")
    return lines
