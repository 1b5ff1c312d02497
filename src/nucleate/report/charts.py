"""The two charts of a run's report, drawn as plain SVG and HTML so that they print and need no script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from nucleate.report.markup import MINUS, macro

if TYPE_CHECKING:
    from markupsafe import Markup

# eV/atom above the hull: at most so much is near it, or on it within the method's error
NEAR_HULL, ON_HULL = 0.1, 0.025
OVERFLOW = 1.0  # eV/atom; the last bin of the histogram holds all values above
WIDTHS = (0.0125, 0.025, 0.05, 0.1)  # of bins, eV/atom; the smallest that gives few enough bins is taken
MOST_BINS = 60
LEFT, RIGHT, ROOF, BASE = 44.0, 696.0, 22.0, 168.0  # edges of the plot within the picture of 720 x 222

_HUES = ((0.0, 150), (ON_HULL, 140), (NEAR_HULL, 48), (0.3, 18), (0.6, 0))


def hull_hue(e_above_hull: float) -> int:
    """The hue (degrees) for an energy above the hull in eV/atom: green on it, amber near 0.1, red far above."""
    x = max(e_above_hull, 0.0)
    for (x0, h0), (x1, h1) in pairwise(_HUES):
        if x <= x1:
            return round(h0 + (h1 - h0) * (x - x0) / (x1 - x0))
    return _HUES[-1][1]


@dataclass(frozen=True)
class Bins:
    """Bins of equal width (eV/atom) and the number of values in each; the first one begins at low * width."""

    width: float
    low: int
    counts: list[int]

    @property
    def high(self) -> int:
        return self.low + len(self.counts)

    def x(self, value: float) -> float:
        """The horizontal place of a value in the picture; values outside of all bins get the nearest end."""
        steps = min(max(value / self.width, self.low), self.high) - self.low
        return LEFT + steps * (RIGHT - LEFT) / len(self.counts)


def _bins(numbers: Sequence[float]) -> Bins:
    top = max(max(numbers), 0.12)
    width = next(w for w in WIDTHS if top / w <= 24 or w == WIDTHS[-1])
    low = math.floor(min(*numbers, 0.0) / width)
    high = max(math.floor(top / width) + 1, low + 4)
    low = max(low, high - MOST_BINS)  # so that a value far below the hull does not make the chart very wide
    counts = [0] * (high - low)
    for v in numbers:
        counts[min(max(math.floor(v / width + 1e-9) - low, 0), len(counts) - 1)] += 1
    return Bins(width, low, counts)


def histogram(values: Sequence[tuple[str, float]]) -> Markup | str:
    """A histogram as SVG of (formula, e_above_hull in eV/atom), with a mark for each candidate under the axis.

    "" where there are no values.
    """
    if not values:
        return ""
    numbers = [min(v, OVERFLOW) for _, v in values]
    bins = _bins(numbers)
    most, per_bin = max(bins.counts), (RIGHT - LEFT) / len(bins.counts)
    bars = []
    for i, n in enumerate(bins.counts):
        start, height = (bins.low + i) * bins.width, (BASE - ROOF) * n / most
        if n:
            bars.append(
                {
                    "hue": hull_hue(start + bins.width / 2),
                    "x": LEFT + i * per_bin + 1,
                    "y": BASE - height,
                    "width": per_bin - 2,
                    "height": height,
                    "tip": f"{start:.4g} to {start + bins.width:.4g} eV/atom: {n}",
                }
            )
    span = (bins.high - bins.low) * bins.width
    step = next((w for w in (0.025, 0.05, 0.1, 0.2) if span / w <= 10), 0.5)
    first = math.ceil(bins.low * bins.width / step - 1e-9)
    last = math.floor(bins.high * bins.width / step + 1e-9)
    over = sum(v > OVERFLOW for _, v in values)
    return macro(
        "charts.html",
        "hull_histogram",
        {
            "n": len(values),
            "left": LEFT,
            "right": RIGHT,
            "roof": ROOF,
            "base": BASE,
            "counts": [(t, BASE - (BASE - ROOF) * t / most) for t in range(0, most + 1, max(1, math.ceil(most / 4)))],
            "bars": bars,
            "limits": [(limit, bins.x(limit)) for limit in (ON_HULL, NEAR_HULL)],
            "candidates": [
                (name, value, bins.x(shown), hull_hue(value))
                for (name, value), shown in zip(values, numbers, strict=True)
            ],
            "ticks": [(f"{i * step:.4g}".replace("-", MINUS), bins.x(i * step)) for i in range(first, last + 1)],
            "overflow": f" (the last bin holds {over} above {OVERFLOW:g})" if over else "",
        },
    )


def timing_bar(seconds_by_stage: Mapping[str, float]) -> Markup | str:
    """A bar with a piece for each stage, in proportion to its seconds, and a legend; "" where nothing took any time."""
    total = sum(seconds_by_stage.values())
    if not total > 0:
        return ""
    return macro("charts.html", "timing", seconds_by_stage, total)
