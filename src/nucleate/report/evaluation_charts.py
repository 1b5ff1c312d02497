"""Charts of an evaluation, as plain SVG that needs no script and can be printed.

Horizontal places are percentages and heights are pixels, so that a chart can have any width without a change of the
size of its text. Outlines of histograms are in an inner SVG that is stretched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nucleate.evaluate.metric import Series
from nucleate.report.markup import macro
from nucleate.report.strips import Axis, nice_ticks, three_digits

if TYPE_CHECKING:
    from markupsafe import Markup

FEWEST_BINS, MOST_BINS = 20, 60
LARGEST = 1e300  # larger numbers count as infinite, since differences between them overflow
TAIL = 0.005  # the fraction of values at either end that lies outside of the range of a histogram
MOST_CATEGORIES, HALVES = 24, 12  # most bars of a set; with more than 12 rows there are two plots side by side
PLOT, ROOF, ROW = 190, 12, 26  # pixels: height of a plot, room above it, height of a category's row


@dataclass(frozen=True)
class Plot:
    """What a chart shows.

    kind: "histogram", "columns" or "rows"; templates/evaluation_charts.html draws each. height: of the plot, pixels.
    label: the whole chart in words. shares: (place in percent of the axis, text) of each tick of the axis of shares.
    tips: a text for each bin or category, which appears under the pointer. across: (place in percent, text, whether it
    may be left out in a narrow window) of each text below a histogram or columns. names: of the rows. outlines: (number
    of the set, path). bars: for each category (number of the set, where the bar begins, how thick it is, share in
    percent of the axis).
    """

    kind: str
    height: int
    label: str
    shares: list[tuple[float, str]]
    tips: list[str]
    across: list[tuple[float, str, bool]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    outlines: list[tuple[int, str]] = field(default_factory=list)
    bars: list[list[tuple[int, float, float, float]]] = field(default_factory=list)


@dataclass(frozen=True)
class Chart:
    """A chart with its legend.

    key: name and note of each set. plots: one, or two side by side; none where there is nothing to draw. caption: a
    text below.
    """

    key: list[tuple[str, str]]
    plots: list[Plot] = field(default_factory=list)
    caption: str = ""


def evaluation_charts(series: Sequence[Series]) -> Markup | str:
    """A figure for each series with its histogram or bars; "" where no series has sets."""
    drawn: list[tuple[str, list[Chart]]] = []
    for s in series:
        made = ([_histogram(s)] if s.values else []) + ([_bars(s)] if s.bars else [])
        drawn += [(s.title, made)] if made else []
    wide = [any(len(chart.plots) > 1 for chart in made) for _, made in drawn]
    # two figures are side by side; the last narrow one of an odd number gets a row of its own
    if wide.count(False) % 2:
        wide[len(wide) - 1 - wide[::-1].index(False)] = True
    figures = [(title, made, broad) for (title, made), broad in zip(drawn, wide, strict=True)]
    return macro("evaluation_charts.html", "figures", figures, ROOF, ROW) if figures else ""


def _share(value: float) -> str:
    return f"{100 * value:.3g}\u00a0%"


def _ticks(shares: Axis) -> list[tuple[float, str]]:
    return [(shares.at(t), shares.text(t)) for t in shares.ticks]


def _histogram(series: Series) -> Chart:
    raw = {name: np.asarray(values, dtype=np.float64) for name, values in series.values.items()}
    sets = {name: v[np.abs(v) < LARGEST] for name, v in raw.items()}
    notes = []
    for name, values in raw.items():
        left_out = len(values) - len(sets[name])
        notes.append(f"n = {len(sets[name]):,}" + (f", {left_out:,} not finite left out" if left_out else ""))
    key = list(zip(sets, notes, strict=True))
    union = np.concatenate(list(sets.values()))
    if not len(union):
        return Chart(key)
    edges = bin_edges(union)
    heights = {
        name: np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] / max(len(v), 1) for name, v in sets.items()
    }
    rise = _rise(float(max(h.max() for h in heights.values())))
    across = Axis(float(edges[0]), float(edges[-1]), nice_ticks(float(edges[0]), float(edges[-1]), 5))
    plot = Plot(
        "histogram",
        PLOT,
        f"Histogram of {series.title}: " + ", ".join(f"{name} ({note})" for name, note in key),
        _ticks(rise),
        tips=[
            f"{_bin(edges, i)} {series.axis}: "
            + "; ".join(f"{name} {_share(float(h[i]))}" for name, h in heights.items())
            for i in range(len(edges) - 1)
        ],
        across=[(across.at(t), across.text(t), False) for t in across.ticks],
        outlines=[(min(i, 3), _steps(h / rise.high, filled=i == 0)) for i, h in enumerate(heights.values())],
    )
    below, above = int((union < edges[0]).sum()), int((union > edges[-1]).sum())
    tails = [f"{below:,} below {three_digits(edges[0])}"] * bool(below) + [
        f"{above:,} above {three_digits(edges[-1])}"
    ] * bool(above)
    ends = f"; the outermost bins hold {' and '.join(tails)}" if tails else ""
    return Chart(key, [plot], f"{series.axis or series.title}{ends}")


def _bin(edges: NDArray[np.float64], i: int) -> str:
    """The range of bin i in words; the outermost bins hold the tails."""
    if i == 0:
        return f"below {three_digits(edges[1])}"
    return (
        f"{three_digits(edges[i])} and above"
        if i == len(edges) - 2
        else f"{three_digits(edges[i])} to {three_digits(edges[i + 1])}"
    )


def bin_edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges of 20 to 60 bins over the middle 99 % of finite values (n,), of widths after Freedman and Diaconis (1981).

    Bins of whole numbers have whole widths and edges halfway between numbers.
    """
    low = float(np.quantile(values, TAIL, method="lower"))
    high = float(np.quantile(values, 1 - TAIL, method="higher"))
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        pad = 0.05 * abs(low) or 0.5
        # an odd number of bins, so that the value is in the middle of one
        return np.linspace(low - pad, high + pad, FEWEST_BINS + 2)
    q1, q3 = np.quantile(values, (0.25, 0.75))
    width = 2 * float(q3 - q1) / len(values) ** (1 / 3)
    bins = math.ceil((high - low) / width) if width > (high - low) / MOST_BINS else MOST_BINS
    bins = min(max(bins, FEWEST_BINS), MOST_BINS) if width > 0 else FEWEST_BINS
    if bool((values == np.round(values)).all()):
        whole = max(round((high - low) / bins), 1)
        return np.arange(low - 0.5, high + 0.5 + whole, whole)
    return np.linspace(low, high, bins + 1)


def _steps(heights: NDArray[np.float64], filled: bool) -> str:
    """The SVG path of a histogram whose bins have the width 1. heights: (bins,), fractions of the height of the
    plot."""
    walk = "".join(f"V{PLOT * (1 - float(h)):.2f}H{i + 1}" for i, h in enumerate(heights))
    return f"M0 {PLOT}{walk}V{PLOT}" + ("z" if filled else "")


def _bars(series: Series) -> Chart:
    counts = {name: {str(k): float(v) for k, v in bars.items()} for name, bars in series.bars.items()}
    sets, notes = {}, []
    for name, bars in counts.items():
        finite = {k: v for k, v in bars.items() if math.isfinite(v)}
        total = math.fsum(finite.values())
        # these are counts, all other numbers are shares
        counted = total > 1.001 and all(v == round(v) for v in finite.values())
        sets[name] = {k: v / total for k, v in finite.items()} if counted else finite
        left_out = len(bars) - len(finite)
        words = [f"n = {total:,.0f}"] * counted + [f"{left_out:,} not finite left out"] * bool(left_out)
        notes.append(", ".join(words))
    key = list(zip(sets, notes, strict=True))
    shown, sets, rest = categories(sets)
    top = max((v for bars in sets.values() for c, v in bars.items() if c != rest), default=0.0)
    if not shown or top <= 0:
        return Chart(key)
    label = f"Bars of {series.title}: {', '.join(sets)}"
    share = _rise(top)
    numbers = all(_numeric(c) for c in shown if c != rest)
    axis = series.axis if numbers or "share" in series.axis.lower() else f"share by {series.axis or 'category'}"
    # a crystal may be in several categories: shares cannot be added
    if rest and any(math.fsum(bars.values()) > 1.001 for bars in sets.values()):
        shown.remove(rest)
        axis += f"; {rest} not shown"
    elif any(bars.get(rest, 0.0) > share.high for bars in sets.values()):
        axis += f"; {rest} is off the scale: {', '.join(_share(bars[rest]) for bars in sets.values())}"
    if numbers:
        return Chart(key, [_columns(shown, sets, share, label)], axis)
    length = len(shown) if len(shown) <= HALVES else math.ceil(len(shown) / 2)
    halves = [shown[i : i + length] for i in range(0, len(shown), length)]
    return Chart(key, [_rows(h, length, sets, share, label) for h in halves], axis)


def categories(sets: Mapping[str, Mapping[str, float]]) -> tuple[list[str], dict[str, dict[str, float]], str]:
    """(names of the categories, set -> category -> share, the name of the rest or "").

    The order is that given, or by size where all names are numbers. Of more than 24 categories those that are most
    frequent in the reference (the second set) are kept, and the others are added up as the rest.
    """
    every = list(dict.fromkeys(c for bars in sets.values() for c in bars))
    if every and all(_numeric(c) for c in every):
        every.sort(key=float)
    if len(every) <= MOST_CATEGORIES:
        return every, {name: dict(bars) for name, bars in sets.items()}, ""
    reference = list(sets.values())[:2][-1]
    kept = set(sorted(every, key=lambda c: -reference.get(c, 0.0))[:MOST_CATEGORIES])
    rest = f"other ({len(every) - len(kept)})"
    merged = {
        name: {
            **{c: v for c, v in bars.items() if c in kept},
            rest: math.fsum(v for c, v in bars.items() if c not in kept),
        }
        for name, bars in sets.items()
    }
    return [*(c for c in every if c in kept), rest], merged, rest


def _numeric(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _tip(category: str, sets: Mapping[str, Mapping[str, float]]) -> str:
    return f"{category}: " + "; ".join(f"{name} {_share(bars.get(category, 0.0))}" for name, bars in sets.items())


def _columns(shown: Sequence[str], sets: Mapping[str, Mapping[str, float]], share: Axis, label: str) -> Plot:
    """Upright bars; their places and widths are percentages of the width."""
    n, wide = len(shown), 76 / len(sets)
    return Plot(
        "columns",
        PLOT,
        label,
        _ticks(share),
        tips=[_tip(c, sets) for c in shown],
        # in a narrow window every second number may be left out
        across=[(100 * (i + 0.5) / n, c, n > 12 and (n - 1 - i) % 2 == 1) for i, c in enumerate(shown)],
        bars=[
            [
                (min(j, 3), (100 * i + 12 + wide * j) / n, wide * 0.94 / n, share.at(bars.get(c, 0.0)))
                for j, bars in enumerate(sets.values())
            ]
            for i, c in enumerate(shown)
        ],
    )


def _rows(shown: Sequence[str], length: int, sets: Mapping[str, Mapping[str, float]], share: Axis, label: str) -> Plot:
    """Horizontal bars below each other, with names; places and thicknesses are in pixels.

    length: the number of rows that there is room for.
    """
    thick = (ROW - 8) / len(sets)
    return Plot(
        "rows",
        ROW * length,
        label,
        _ticks(share),
        tips=[_tip(c, sets) for c in shown],
        names=[c if len(c) <= 15 else c[:14] + "\u2026" for c in shown],
        bars=[
            [
                (min(j, 3), ROOF + ROW * i + 4 + thick * j, thick - 1, share.at(bars.get(c, 0.0)))
                for j, bars in enumerate(sets.values())
            ]
            for i, c in enumerate(shown)
        ],
    )


def _rise(top: float) -> Axis:
    """The axis of shares from 0 to a little above `top`."""
    return Axis(0.0, 1.05 * top, nice_ticks(0.0, top, 4), True)
