"""Strips of the evaluation's tables: one line of SVG for each metric, and the axes of all charts.

Horizontal places are percentages, so that a strip fills any width while its text keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleate.evaluate.metric import COUNT, RATE, Metric, format_interval, format_published, format_value
from nucleate.report.markup import MINUS, macro

if TYPE_CHECKING:
    from markupsafe import Markup

ZOOM = 0.2  # rates that all lie this near to 0 or to 1 get an axis of their own range


@dataclass(frozen=True)
class Axis:
    """From low to high, with ticks; rates are fractions."""

    low: float
    high: float
    ticks: tuple[float, ...]
    rate: bool = False

    def at(self, value: float) -> float:
        """Place in percent of the width; what is outside stands at the end."""
        return 100 * min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    def text(self, tick: float) -> str:
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else abs(tick) or 1.0
        scale = 100 if self.rate else 1
        return number(scale * tick, scale * step) + ("\u00a0%" if self.rate else "")


def number(value: float, step: float) -> str:
    """A tick's value with as many decimals as its step needs, and a true minus sign."""
    decimals = next((d for d in range(5) if abs(step * 10**d - round(step * 10**d)) < 1e-6 * step * 10**d), 5)
    big = abs(value) >= 1e7 or (value and step < 1e-5)
    text = f"{value:.3g}" if big else f"{value + 0.0:,.{decimals}f}"
    return text.replace("-", MINUS) if float(text.replace(",", "")) else "0"


def short(value: float) -> str:
    """Three digits and a true minus sign."""
    return f"{value:.3g}".replace("-", MINUS)


def nice_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 2.5, 5 x 10^k that makes at most `most` steps."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(s * power for s in (1, 2, 2.5, 5, 10, 20) if span / (s * power) <= most + 1e-9)


def nice_ticks(low: float, high: float, most: int = 6) -> tuple[float, ...]:
    """Round numbers from low to high."""
    step = nice_step(high - low, most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(i * step for i in range(first, last + 1))


def marks(m: Metric) -> list[float]:
    """Every finite number that a strip shows of the metric."""
    shown = (m.value, m.low, m.high, m.floor, *m.published.values())
    return [float(v) for v in shown if v is not None and math.isfinite(v)]


def rate_axis(metrics: Sequence[Metric]) -> Axis | None:
    """One axis for all rates of a section: 0 to 100 %, or nearer where all lie at one end; None without rates."""
    values = [v for m in metrics if m.kind == RATE for v in marks(m)]
    if not values:
        return None
    low, high = min(values), max(values)
    if low <= 1 - ZOOM and high >= ZOOM:
        return Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0), True)
    step = nice_step(max(high - low, 0.05), 4)  # never nearer: 99.9 and 100 % are not far apart
    low = 0.0 if high < ZOOM else max(math.floor(low / step + 1e-9) * step, 0.0)
    high = min(math.ceil(high / step - 1e-9) * step, 1.0)
    if high - low < step:
        low, high = (low, low + step) if low + step <= 1 else (1 - step, 1.0)
    return Axis(low, high, nice_ticks(low, high, 5), True)


def own_axis(m: Metric) -> Axis | None:
    """From 0 to the largest value shown; below 0 too where there are negative ones."""
    values = marks(m)
    if not values or m.kind in (RATE, COUNT):
        return None
    low, high = min(*values, 0.0), max(*values, 0.0)
    return Axis(low, high, tuple(sorted({low, 0.0, high}))) if high > low else Axis(0.0, 1.0, (0.0,))


def axis_head(axis: Axis) -> Markup:
    """The ticks of a section's common axis, for the head of its table."""
    return macro("strips.html", "axis_head", _ticks(axis))


def _ticks(axis: Axis) -> list[tuple[float, str]]:
    """(place in percent, text) of each tick; axes of one metric alone have short texts."""
    return [(axis.at(t), axis.text(t) if axis.rate else short(t)) for t in axis.ticks]


def strip(m: Metric, common: Axis | None) -> Markup | str:
    """The metric's interval as a bar, its value as a dot, real data as a hollow diamond, published values as ticks."""
    axis = common if m.kind == RATE else own_axis(m)
    if axis is None or not marks(m):
        return ""

    def at(value: float | None) -> float | None:
        """Its place, None for what cannot be drawn."""
        return axis.at(value) if value is not None and math.isfinite(value) else None

    unit = " %" if axis.rate else ""
    return macro(
        "strips.html",
        "strip",
        {
            "rate": axis.rate,
            "words": _strip_words(m),
            "ticks": _ticks(axis),
            "published": [
                (at(value), format_published(m.with_(published={name: value})) + unit)
                for name, value in m.published.items()
                if at(value) is not None
            ],
            "low": at(m.low),
            "high": at(m.high),
            "interval": format_interval(m),
            "value": at(m.value),
            "amount": format_value(m, m.value),
            "floor": at(m.floor),
            "real": format_value(m, m.floor),
        },
    )


def _strip_words(m: Metric) -> str:
    words = [f"{m.label}: {format_value(m, m.value)}"]
    words += [f"95 % interval {format_interval(m)}"] if format_interval(m) else []
    words += [f"real data {format_value(m, m.floor)}"] if m.floor is not None else []
    words += [f"published: {format_published(m)}"] if m.published else []
    return "; ".join(words)
