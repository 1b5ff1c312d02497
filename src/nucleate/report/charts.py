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

NEAR_HULL, ON_HULL = 0.1, 0.025  # eV/atom above the hull: what is called near it, and on it within the method's error
OVERFLOW = 1.0  # eV/atom: the histogram's last bin holds all above
WIDTHS = (0.0125, 0.025, 0.05, 0.1)  # of bins, eV/atom
MOST_BINS = 60
LEFT, RIGHT, ROOF, BASE = 44.0, 696.0, 22.0, 168.0  # the plot in the picture, which is 720 x 222

_HUES = ((0.0, 150), (ON_HULL, 140), (NEAR_HULL, 48), (0.3, 18), (0.6, 0))


def hull_hue(e_above_hull: float) -> int:
    """Hue in degrees: green on the hull, amber near 0.1 eV/atom, red far above."""
    x = max(e_above_hull, 0.0)
    for (x0, h0), (x1, h1) in pairwise(_HUES):
        if x <= x1:
            return round(h0 + (h1 - h0) * (x - x0) / (x1 - x0))
    return _HUES[-1][1]


@dataclass(frozen=True)
class Bins:
    """Bins of one width, eV/atom, from `low` widths on, with how many values are in each."""

    width: float
    low: int
    counts: list[int]

    @property
    def high(self) -> int:
        return self.low + len(self.counts)

    def x(self, value: float) -> float:
        """Its place in the picture; what lies outside of all bins stands at the end."""
        steps = min(max(value / self.width, self.low), self.high) - self.low
        return LEFT + steps * (RIGHT - LEFT) / len(self.counts)


def _bins(numbers: Sequence[float]) -> Bins:
    top = max(max(numbers), 0.12)
    width = next(w for w in WIDTHS if top / w <= 24 or w == WIDTHS[-1])
    low = math.floor(min(*numbers, 0.0) / width)
    high = max(math.floor(top / width) + 1, low + 4)
    low = max(low, high - MOST_BINS)  # far below the hull: something to look at, not to scroll through
    counts = [0] * (high - low)
    for v in numbers:
        counts[min(max(math.floor(v / width + 1e-9) - low, 0), len(counts) - 1)] += 1
    return Bins(width, low, counts)


def histogram(values: Sequence[tuple[str, float]]) -> Markup | str:
    """SVG of (formula, e_above_hull in eV/atom); "" without values. Marks stand under the axis, one per candidate."""
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
    """A bar with one piece per stage, in proportion to its seconds, and a legend; "" without stages."""
    total = sum(seconds_by_stage.values())
    if not total > 0:
        return ""
    return macro("charts.html", "timing", seconds_by_stage, total)
