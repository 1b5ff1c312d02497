"""Charts of an evaluation: plain SVG that needs no script and prints.

Horizontal places are percentages and heights are pixels, so that a chart fills any width while its text keeps its size;
outlines stand in an inner SVG that is stretched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from nucleate.evaluate.metric import Series
from nucleate.report.strips import Axis, nice_ticks, short

FEWEST_BINS, MOST_BINS = 20, 60
LARGEST = 1e300  # as good as infinite: a range between larger numbers overflows
TAIL = 0.005  # of the values, at either end, is out of the range of a histogram
MOST_CATEGORIES, HALVES = 24, 12  # most bars of a set; more than 12 with names stand side by side in two halves
PLOT, ROOF, ROW = 190, 12, 26  # pixels: height of a plot, room above it, height of a category's row


def charts(series: Sequence[Series]) -> str:
    """A figure for each series with its histogram or bars; none for a series without sets."""
    drawn = [
        (s.title, (_histogram(s) if s.values else "") + (_bars(s) if s.bars else ""))
        for s in series
        if s.values or s.bars
    ]
    wide = ['class="halves"' in content for _, content in drawn]
    if wide.count(False) % 2:  # two stand side by side; the last odd one takes a row
        wide[len(wide) - 1 - wide[::-1].index(False)] = True
    return "".join(
        f'<figure class="panel chart{" wide" if broad else ""}"><h3>{escape(title)}</h3>{content}</figure>'
        for (title, content), broad in zip(drawn, wide, strict=True)
    )


def _key(names: Sequence[str], notes: Sequence[str]) -> str:
    rows = zip(names, notes, strict=True)
    items = "".join(
        f'<li><i class="set{min(i, 3)}"></i><span>{escape(name)}</span> <small>{escape(note)}</small></li>'
        for i, (name, note) in enumerate(rows)
    )
    return f'<ul class="key">{items}</ul>'


def _share(value: float) -> str:
    return f"{100 * value:.3g}\u00a0%"


def _histogram(series: Series) -> str:
    raw = {name: np.asarray(values, dtype=np.float64) for name, values in series.values.items()}
    sets = {name: v[np.abs(v) < LARGEST] for name, v in raw.items()}
    notes = []
    for name, values in raw.items():
        left_out = len(values) - len(sets[name])
        notes.append(f"n = {len(sets[name]):,}" + (f", {left_out:,} not finite left out" if left_out else ""))
    key = _key(list(sets), notes)
    union = np.concatenate(list(sets.values()))
    if not len(union):
        return f'{key}<p class="empty">No value to draw.</p>'
    edges = bin_edges(union)
    shares = {
        name: np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] / max(len(v), 1) for name, v in sets.items()
    }
    n, top = len(edges) - 1, float(max(s.max() for s in shares.values()))
    rise = _rise(top)
    parts = [_y_grid(rise)]
    outlines = "".join(
        f'<path class="set{min(i, 3)}" d="{_steps(s / rise.high, filled=i == 0)}"/>'
        for i, s in enumerate(shares.values())
    )
    parts.append(
        f'<svg x="0" y="{ROOF}" width="100%" height="{PLOT}" viewBox="0 0 {n} {PLOT}" preserveAspectRatio="none" '
        f'overflow="visible">{outlines}</svg>'
    )
    for i in range(n):
        where = f"{short(edges[i])} to {short(edges[i + 1])}"
        where = f"below {short(edges[1])}" if i == 0 else f"{short(edges[i])} and above" if i == n - 1 else where
        tip = "; ".join(f"{name} {_share(float(s[i]))}" for name, s in shares.items())
        parts.append(_target(i, n, f"{where} {series.axis}: {tip}"))
    across = Axis(float(edges[0]), float(edges[-1]), nice_ticks(float(edges[0]), float(edges[-1]), 5))
    parts += [_x_text(across.at(t), across.text(t)) for t in across.ticks]
    below, above = int((union < edges[0]).sum()), int((union > edges[-1]).sum())
    tails = [f"{below:,} below {short(edges[0])}"] * bool(below) + [f"{above:,} above {short(edges[-1])}"] * bool(above)
    ends = f"; the outermost bins hold {' and '.join(tails)}" if tails else ""
    label = f"Histogram of {series.title}: " + ", ".join(f"{a} ({b})" for a, b in zip(sets, notes, strict=True))
    return key + _plot(parts, PLOT, label) + _caption(f"{series.axis or series.title}{ends}")


def bin_edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges over the middle 99 % of finite values; widths after Freedman and Diaconis (1981), in 20 to 60 bins.

    Whole numbers get bins of whole widths, which no number falls between.
    """
    low = float(np.quantile(values, TAIL, method="lower"))
    high = float(np.quantile(values, 1 - TAIL, method="higher"))
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        pad = 0.05 * abs(low) or 0.5
        return np.linspace(low - pad, high + pad, FEWEST_BINS + 2)  # an odd number of bins: one in the middle
    q1, q3 = np.quantile(values, (0.25, 0.75))
    width = 2 * float(q3 - q1) / len(values) ** (1 / 3)
    bins = math.ceil((high - low) / width) if width > (high - low) / MOST_BINS else MOST_BINS
    bins = min(max(bins, FEWEST_BINS), MOST_BINS) if width > 0 else FEWEST_BINS
    if bool((values == np.round(values)).all()):
        whole = max(round((high - low) / bins), 1)
        return np.arange(low - 0.5, high + 0.5 + whole, whole)
    return np.linspace(low, high, bins + 1)


def _steps(heights: NDArray[np.float64], filled: bool) -> str:
    """Path of a histogram whose bins are one unit wide; heights: fractions of the plot."""
    walk = "".join(f"V{PLOT * (1 - float(h)):.2f}H{i + 1}" for i, h in enumerate(heights))
    return f"M0 {PLOT}{walk}V{PLOT}" + ("z" if filled else "")


def _bars(series: Series) -> str:
    counts = {name: {str(k): float(v) for k, v in bars.items()} for name, bars in series.bars.items()}
    sets, notes = {}, []
    for name, bars in counts.items():
        finite = {k: v for k, v in bars.items() if math.isfinite(v)}
        total = math.fsum(finite.values())
        counted = total > 1.001 and all(v == round(v) for v in finite.values())  # counts; other numbers are shares
        sets[name] = {k: v / total for k, v in finite.items()} if counted else finite
        left_out = len(bars) - len(finite)
        words = [f"n = {total:,.0f}"] * counted + [f"{left_out:,} not finite left out"] * bool(left_out)
        notes.append(", ".join(words))
    key = _key(list(sets), notes)
    shown, sets, rest = categories(sets)
    top = max((v for bars in sets.values() for c, v in bars.items() if c != rest), default=0.0)
    if not shown or top <= 0:
        return f'{key}<p class="empty">No value to draw.</p>'
    label = f"Bars of {series.title}: {', '.join(sets)}"
    share = _rise(top)
    numbers = all(_numeric(c) for c in shown if c != rest)
    axis = series.axis if numbers or "share" in series.axis.lower() else f"share by {series.axis or 'category'}"
    if rest and any(math.fsum(bars.values()) > 1.001 for bars in sets.values()):  # overlapping shares have no sum
        shown.remove(rest)
        axis += f"; {rest} not shown"
    elif any(bars.get(rest, 0.0) > share.high for bars in sets.values()):
        axis += f"; {rest} is off the scale: {', '.join(_share(bars[rest]) for bars in sets.values())}"
    if numbers:
        return key + _plot(_columns(shown, sets, share), PLOT, label) + _caption(axis)
    length = len(shown) if len(shown) <= HALVES else math.ceil(len(shown) / 2)
    halves = [shown[i : i + length] for i in range(0, len(shown), length)]
    plots = "".join(_plot(_rows(h, length, sets, share), ROW * length, label, "rows") for h in halves)
    return key + (f'<div class="halves">{plots}</div>' if len(halves) > 1 else plots) + _caption(axis)


def categories(sets: Mapping[str, Mapping[str, float]]) -> tuple[list[str], dict[str, dict[str, float]], str]:
    """Categories in the order given, or by number if all are numbers; the sets with them; the name of the rest or "".

    Of more than 24 those most frequent in the reference (the second set) stay; the others are added up as the rest.
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


def _columns(shown: Sequence[str], sets: Mapping[str, Mapping[str, float]], share: Axis) -> list[str]:
    parts, n, wide = [_y_grid(share)], len(shown), 76 / len(sets)
    for i, c in enumerate(shown):
        for j, bars in enumerate(sets.values()):
            height = PLOT * share.at(bars.get(c, 0.0)) / 100
            x, width = (100 * i + 12 + wide * j) / n, wide * 0.94 / n
            parts.append(
                f'<rect class="set{min(j, 3)}" x="{x:.3f}%" width="{width:.3f}%" y="{ROOF + PLOT - height:.1f}" '
                f'height="{height:.1f}"/>'
            )
        minor = n > 12 and (n - 1 - i) % 2 == 1  # left out where it is narrow
        parts.append(_x_text(100 * (i + 0.5) / n, escape(c), minor))
        parts.append(_target(i, n, f"{c}: " + "; ".join(f"{k} {_share(v.get(c, 0.0))}" for k, v in sets.items())))
    return parts


def _rows(shown: Sequence[str], length: int, sets: Mapping[str, Mapping[str, float]], share: Axis) -> list[str]:
    parts, thick, base = [], (ROW - 8) / len(sets), ROOF + ROW * length
    for t in share.ticks:
        x = f"{share.at(t):.2f}%"
        kind = "grid" if t else "grid base"
        parts.append(f'<line class="{kind}" x1="{x}" x2="{x}" y1="{ROOF}" y2="{base}"/>')
        parts.append(_x_text(share.at(t), share.text(t), height=base - ROOF))
    for i, c in enumerate(shown):
        y = ROOF + ROW * i + 4
        for j, bars in enumerate(sets.values()):
            width = share.at(bars.get(c, 0.0))
            parts.append(
                f'<rect class="set{min(j, 3)}" x="0" width="{width:.2f}%" y="{y + thick * j:.1f}" '
                f'height="{thick - 1:.1f}"/>'
            )
        name = c if len(c) <= 15 else c[:14] + "\u2026"
        parts.append(f'<text x="-8" y="{y + 13}" text-anchor="end">{escape(name)}</text>')
        tip = f"{c}: " + "; ".join(f"{k} {_share(v.get(c, 0.0))}" for k, v in sets.items())
        title = f"<title>{escape(tip)}</title>"
        parts.append(f'<rect class="target" x="0" width="100%" y="{y - 4}" height="{ROW}">{title}</rect>')
    return parts


def _rise(top: float) -> Axis:
    """The axis of shares up to `top`, with a little room."""
    return Axis(0.0, 1.05 * top, nice_ticks(0.0, top, 4), True)


def _y_grid(rise: Axis) -> str:
    parts = []
    for t in rise.ticks:
        y = ROOF + PLOT * (1 - rise.at(t) / 100)
        kind = "grid" if t else "grid base"
        parts.append(f'<line class="{kind}" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="-7" y="{y + 4:.1f}" text-anchor="end">{rise.text(t)}</text>')
    return "".join(parts)


def _x_text(place: float, text: str, minor: bool = False, height: int = PLOT) -> str:
    kind = ' class="minor"' if minor else ""
    return f'<text{kind} x="{place:.3f}%" y="{ROOF + height + 18}" text-anchor="middle">{text}</text>'


def _target(i: int, n: int, tip: str) -> str:
    title = f"<title>{escape(tip)}</title>"
    return (
        f'<rect class="target" x="{100 * i / n:.3f}%" width="{100 / n:.3f}%" y="{ROOF}" height="{PLOT}">{title}</rect>'
    )


def _plot(parts: Sequence[str], height: int, label: str, kind: str = "") -> str:
    svg = f'<svg height="{ROOF + height + 26}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    return f'<div class="plot {kind}">{svg}</div>'


def _caption(text: str) -> str:
    return f"<figcaption>{escape(text)}</figcaption>"
