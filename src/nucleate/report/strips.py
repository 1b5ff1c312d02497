"""Strips in the tables of evaluations, which draw a metric as one line of SVG; and the axes of all charts.

Horizontal places are percentages, so that a strip can have any width without a change of the size of its text.
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

ZOOM = 0.2  # rates that are all nearer than this to 0 or to 1 get an axis that does not reach from 0 to 1


@dataclass(frozen=True)
class Axis:
    """An axis from low to high, with ticks. rate: whether values are fractions that are written as percentages."""

    low: float
    high: float
    ticks: tuple[float, ...]
    rate: bool = False

    def at(self, value: float) -> float:
        """The place of a value in percent of the width; values outside get the nearest end."""
        return 100 * min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    def text(self, tick: float) -> str:
        """The text at a tick."""
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else abs(tick) or 1.0
        scale = 100 if self.rate else 1
        return tick_text(scale * tick, scale * step) + ("\u00a0%" if self.rate else "")


def tick_text(value: float, step: float) -> str:
    """The value of a tick, with as many decimals as the step between ticks needs and a true minus sign."""
    decimals = next((d for d in range(5) if abs(step * 10**d - round(step * 10**d)) < 1e-6 * step * 10**d), 5)
    big = abs(value) >= 1e7 or (value and step < 1e-5)
    text = f"{value:.3g}" if big else f"{value + 0.0:,.{decimals}f}"
    return text.replace("-", MINUS) if float(text.replace(",", "")) else "0"


def three_digits(value: float) -> str:
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


def shown_values(m: Metric) -> list[float]:
    """All finite numbers that the strip of a metric shows."""
    shown = (m.value, m.low, m.high, m.floor, *m.published.values())
    return [float(v) for v in shown if v is not None and math.isfinite(v)]


def rate_axis(metrics: Sequence[Metric]) -> Axis | None:
    """One axis for all rates of a section: from 0 to 100 %, or a part of it where all are near one end.

    None where there are no rates.
    """
    values = [v for m in metrics if m.kind == RATE for v in shown_values(m)]
    if not values:
        return None
    low, high = min(values), max(values)
    if low <= 1 - ZOOM and high >= ZOOM:
        return Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0), True)
    step = nice_step(max(high - low, 0.05), 4)  # a smaller range would make 99.9 and 100 % look far apart
    low = 0.0 if high < ZOOM else max(math.floor(low / step + 1e-9) * step, 0.0)
    high = min(math.ceil(high / step - 1e-9) * step, 1.0)
    if high - low < step:
        low, high = (low, low + step) if low + step <= 1 else (1 - step, 1.0)
    return Axis(low, high, nice_ticks(low, high, 5), True)


def own_axis(m: Metric) -> Axis | None:
    """The axis of a single metric that is neither a rate nor a count: from 0 (or the lowest value) to the highest.

    None for other metrics.
    """
    values = shown_values(m)
    if not values or m.kind in (RATE, COUNT):
        return None
    low, high = min(*values, 0.0), max(*values, 0.0)
    return Axis(low, high, tuple(sorted({low, 0.0, high}))) if high > low else Axis(0.0, 1.0, (0.0,))


def axis_head(axis: Axis) -> Markup:
    """The ticks of a section's common axis, for the head of its table."""
    return macro("strips.html", "axis_head", _ticks(axis))


def _ticks(axis: Axis) -> list[tuple[float, str]]:
    """(place in percent, text) of each tick; the texts are shorter on the axis of a single metric."""
    return [(axis.at(t), axis.text(t) if axis.rate else three_digits(t)) for t in axis.ticks]


def strip(m: Metric, common: Axis | None) -> Markup | str:
    """The strip of a metric: interval as a bar, value as a dot, real data as a diamond, published values as ticks.

    common: the axis of the rates of the section. "" where there is nothing to draw.
    """
    axis = common if m.kind == RATE else own_axis(m)
    if axis is None or not shown_values(m):
        return ""

    def at(value: float | None) -> float | None:
        """The place of a value, None for what cannot be drawn."""
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
