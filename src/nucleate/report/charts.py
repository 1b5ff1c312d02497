"""The report's two charts, drawn as plain SVG and HTML so that they print and need no script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

NEAR_HULL, ON_HULL = 0.1, 0.025  # eV/atom above the hull: what is called near it, and on it within the method's error
OVERFLOW = 1.0  # eV/atom: the histogram's last bin holds all above

_HUES = ((0.0, 150), (ON_HULL, 140), (NEAR_HULL, 48), (0.3, 18), (0.6, 0))


def hull_hue(e_above_hull: float) -> int:
    """Hue in degrees: green on the hull, amber near 0.1 eV/atom, red far above."""
    x = max(e_above_hull, 0.0)
    for (x0, h0), (x1, h1) in pairwise(_HUES):
        if x <= x1:
            return round(h0 + (h1 - h0) * (x - x0) / (x1 - x0))
    return _HUES[-1][1]


def histogram(values: Sequence[tuple[str, float]]) -> str:
    """SVG of (formula, e_above_hull in eV/atom); "" without values. Marks stand under the axis, one per candidate."""
    if not values:
        return ""
    numbers = [min(v, OVERFLOW) for _, v in values]
    top = max(max(numbers), 0.12)
    width = next(w for w in (0.0125, 0.025, 0.05, 0.1) if top / w <= 24 or w == 0.1)
    low = math.floor(min(*numbers, 0.0) / width)
    high = max(math.floor(top / width) + 1, low + 4)
    if (high - low) > 60:  # far below the hull: something to look at, not to scroll through
        low = high - 60
    counts = [0] * (high - low)
    for v in numbers:
        counts[min(max(math.floor(v / width + 1e-9) - low, 0), len(counts) - 1)] += 1
    left, right, base, roof = 44.0, 696.0, 168.0, 22.0
    per_bin = (right - left) / len(counts)

    def x(value: float) -> float:
        return left + (min(max(value / width, low), high) - low) * per_bin

    most = max(counts)
    parts = []
    step = max(1, math.ceil(most / 4))
    for tick in range(0, most + 1, step):
        y = base - (base - roof) * tick / most
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>')
    for i, n in enumerate(counts):
        if not n:
            continue
        start, height = (low + i) * width, (base - roof) * n / most
        tip = f"{start:.4g} to {start + width:.4g} eV/atom: {n}"
        parts.append(
            f'<rect style="--hue:{hull_hue(start + width / 2)}" x="{left + i * per_bin + 1:.1f}" rx="2" '
            f'y="{base - height:.1f}" width="{per_bin - 2:.1f}" height="{height:.1f}"><title>{tip}</title></rect>'
        )
    for mark in (ON_HULL, NEAR_HULL):
        parts.append(f'<line class="mark" x1="{x(mark):.1f}" x2="{x(mark):.1f}" y1="{roof - 8}" y2="{base}"/>')
        parts.append(f'<text class="mark" x="{x(mark) + 4:.1f}" y="{roof - 2}">{mark:g}</text>')
    for (name, value), shown in zip(values, numbers, strict=True):
        tip = escape(f"{name}: {value:.3f} eV/atom")
        parts.append(
            f'<line class="rug" style="--hue:{hull_hue(value)}" x1="{x(shown):.1f}" x2="{x(shown):.1f}" '
            f'y1="{base + 3}" y2="{base + 13}"><title>{tip}</title></line>'
        )
    span = (high - low) * width
    step_x = next((w for w in (0.025, 0.05, 0.1, 0.2) if span / w <= 10), 0.5)
    for i in range(math.ceil(low * width / step_x - 1e-9), math.floor(high * width / step_x + 1e-9) + 1):
        label = f"{i * step_x:.4g}".replace("-", "\u2212")
        parts.append(f'<text x="{x(i * step_x):.1f}" y="{base + 29}" text-anchor="middle">{label}</text>')
    over = sum(v > OVERFLOW for _, v in values)
    axis = "energy above the hull, eV/atom" + (f" (the last bin holds {over} above {OVERFLOW:g})" if over else "")
    parts.append(f'<text x="{(left + right) / 2}" y="{base + 47}" text-anchor="middle">{axis}</text>')
    label = f"Histogram of the energy above the hull of {len(values)} candidates"
    return f'<svg class="histogram" viewBox="0 0 720 222" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def timing_bar(seconds_by_stage: Mapping[str, float]) -> str:
    """A bar with one piece per stage, in proportion to its seconds, and a legend; "" without stages."""
    total = sum(seconds_by_stage.values())
    if not total > 0:
        return ""
    pieces, legend = [], []
    for i, (stage, seconds) in enumerate(seconds_by_stage.items()):
        name, share = escape(stage), 100 * seconds / total
        percent = f"{share:.0f} %" if share >= 1 else "&lt; 1 %"
        pieces.append(f'<span class="s{i % 8}" style="width:{share:.3f}%" title="{name}: {duration(seconds)}"></span>')
        legend.append(f'<li><i class="s{i % 8}"></i>{name} <b>{duration(seconds)}</b> <small>{percent}</small></li>')
    label = f"Seconds by stage, in all {duration(total)}"
    bar = f'<div class="timing" role="img" aria-label="{label}">{"".join(pieces)}</div>'
    return f'{bar}<ul class="stages">{"".join(legend)}</ul>'


def duration(seconds: float) -> str:
    """Seconds as a person writes them: "0.42 s", "12 s", "3 min 05 s", "2 h 10 min"."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
