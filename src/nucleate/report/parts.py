"""Pieces of the report's page but its table (`report_table`). Every text that comes from outside is escaped here."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from nucleate.errors import NucleateError
from nucleate.hull.distances import DEEPEST
from nucleate.pipeline.candidate import FAIL, PASS, Candidate
from nucleate.pipeline.rank import above_hull, to_rows, too_deep, verdict
from nucleate.report.charts import NEAR_HULL, ON_HULL, hull_hue
from nucleate.report.scene import drawn_cell, scene

MINUS = "\u2212"
MOST = 1000  # rejected candidates that are listed, and living ones that are shown
NONE = '<span class="none">&ndash;</span>'


@dataclass(frozen=True)
class Shown:
    """A ranked candidate with what the page needs of it; scene is None where there is nothing to draw."""

    candidate: Candidate
    row: Mapping[str, Any]  # of rank.to_rows
    space_group: int  # 0 unknown
    scene: Mapping[str, Any] | None
    cell: str = ""  # of the drawing: its name and lengths

    @property
    def number(self) -> int:
        return int(self.row["rank"])


def show(ranked: Sequence[Candidate]) -> list[Shown]:
    """What is shown of each candidate, in their order."""
    return [_show(c, row) for c, row in zip(ranked, to_rows(ranked), strict=True)]


def _show(candidate: Candidate, row: Mapping[str, Any]) -> Shown:
    from nucleate.crystal.symmetry import space_group

    structure = candidate.structure
    if structure is None or scene(structure) is None:
        return Shown(candidate, row, 0, None)
    try:
        number = space_group(structure)[0]
    except NucleateError:
        number = 0
    drawn, name = drawn_cell(structure) if number else (structure, "own cell")
    lengths = " \u00d7 ".join(f"{v:.3f}" for v in drawn.lattice.abc)
    angles = "\u00a0".join(f"{v:.1f}".removesuffix(".0") for v in drawn.lattice.angles)
    return Shown(candidate, row, number, scene(drawn), f"{name}: {lengths} \u00c5, {angles}\u00b0")


def formula_html(formula: str) -> str:
    """A formula with its counts as subscripts, escaped."""
    return re.sub(r"(?<=[A-Za-z\])])(\d+(?:\.\d+)?)", r"<sub>\1</sub>", escape(formula))


def space_group_html(symbol: str) -> str:
    """A Hermann-Mauguin symbol with bars over rotoinversions and screw axes as subscripts, escaped."""
    text = re.sub(r"_(\d)", r"<sub>\1</sub>", escape(symbol))
    return re.sub(r"-(\d)", r'<span class="bar">\1</span>', text)


def signed(value: float) -> str:
    """Three decimals with a true minus sign, and no minus before zero."""
    return f"{value:.3f}".replace("-", MINUS) if round(value, 3) else "0.000"


def hull_values(candidates: Sequence[Candidate]) -> list[tuple[str, float]]:
    """(formula, e_above_hull) of the living candidates, less those whose relaxation did not converge, or whose hull is
    unknown since phases are missing."""
    return [(c.formula, above_hull(c)) for c in _relaxed(candidates) if math.isfinite(above_hull(c))]


def _relaxed(candidates: Sequence[Candidate]) -> list[Candidate]:
    return [c for c in candidates if c.failure is None and verdict(c, "relaxed") != FAIL]


def tiles(candidates: Sequence[Candidate]) -> str:
    """The summary: counts of candidates, each with what it counts."""
    alive = [c for c in candidates if c.structure is not None and c.failure is None]
    formulas = [c for c in candidates if c.composition]
    chemistry = ("charge", "electronegativity", "distance", "density")
    hull = [v for _, v in hull_values(candidates)]
    deep = sum(too_deep(c) for c in _relaxed(candidates))
    below = ("hull unknown", deep, f"over {DEEPEST:g} eV/atom below all that is known: phases are missing")
    first = (
        ("formulas", len(formulas), f"of {len(candidates)} texts"),
        ("neutral, distinct", sum(not _lost_at(c, "compose", "chemistry") for c in formulas), "and balanced"),
    )
    counts = (
        *(first if formulas else ()),
        ("generated", sum(c.structure is not None for c in candidates), f"of {len(candidates)} candidates"),
        (
            "passed",
            sum(all(verdict(c, n) != FAIL for n in chemistry) for c in alive),
            "chemistry and geometry not failed",
        ),
        ("relaxed", sum(verdict(c, "relaxed") == PASS for c in alive), "to the force threshold"),
        ("near the hull", sum(v <= NEAR_HULL for v in hull), f"at most {NEAR_HULL:g} eV/atom above it"),
        (
            "as good as on it",
            sum(v <= ON_HULL for v in hull),
            f"at most {ON_HULL:g} eV/atom above it, about the error of a potential",
        ),
        *((below,) if deep else ()),
        ("novel", sum(verdict(c, "novel") == PASS for c in alive), "match no known structure"),
    )
    return "".join(f"<li><b>{n}</b><span>{name}</span><small>{note}</small></li>" for name, n, note in counts)


def _lost_at(candidate: Candidate, *stages: str) -> bool:
    return candidate.failure is not None and candidate.failure.stage in stages


BUTTONS = "".join(
    f'<button type="button" data-do="{do}" title="{tip}"{pressed}>{sign}</button>'
    for do, sign, tip, pressed in (
        ("repeat", "2&times;2&times;2", "Show eight cells", ' aria-pressed="false"'),
        ("flat", "flat", "Orthographic instead of perspective", ' aria-pressed="false"'),
        ("reset", "reset", "First orientation again", ""),
        ("large", "large", "Larger view", ' aria-pressed="false"'),
    )
)


def cards(shown: Sequence[Shown], known: Mapping[str, Mapping[str, Any]]) -> str:
    """One card with a 3D view for each candidate that can be drawn, in the order of the scenes."""
    drawn = [s for s in shown if s.scene is not None]
    if not drawn:
        return ""
    hint = "Drag to turn; click, then wheel to zoom; double-click to reset. Arrow keys, + and &minus; work as well."
    content = "".join(_card(s, i, known) for i, s in enumerate(drawn))
    return f'<section><h2>Structures</h2><p class="hint">{hint}</p><div class="cards">{content}</div></section>'


def _card(s: Shown, index: int, known: Mapping[str, Mapping[str, Any]]) -> str:
    assert s.scene is not None
    c, row, symbols = s.candidate, s.row, s.scene["symbols"]
    legend = "".join(
        f'<li><i style="--colour:{known[e]["colour"]}"></i>{escape(e)}<small>{symbols.count(e)}</small></li>'
        for e in dict.fromkeys(symbols)
    )
    hull = row["e_above_hull"]
    energy = ""
    if hull is not None and math.isfinite(hull) and not too_deep(c):
        energy = (
            f'<span class="pill" style="--hue:{hull_hue(hull)}" title="energy above the hull, eV/atom">'
            f"<small>E<sub>hull</sub></small> {signed(hull)}</span>"
        )
    failed = [f"{k}: {v.reason}" if v.reason else k for k, v in c.checks.items() if v.verdict == FAIL and k != "novel"]
    warning = f'<p class="warn">Failed {escape("; ".join(failed))}</p>' if failed else ""
    decomposition = c.provenance.get("decomposition")
    why = c.provenance.get("why")
    reasons = f'<p class="why">as asked for: {escape(", ".join(why))}</p>' if why else ""
    parts = f"<p>decomposes to {formula_html(str(decomposition))}</p>" if decomposition else ""
    label = f"3D view of {c.formula}, {row['space_group']}: drag or arrow keys turn it, plus and minus zoom"
    return (
        f'<article class="card" id="view-{s.number}"><div class="stage"><canvas data-scene="{index}" tabindex="0" '
        f'role="img" aria-label="{escape(label)}"></canvas><span class="rank">{s.number}</span>'
        f'<div class="buttons">{BUTTONS}</div><ul class="legend">{legend}</ul></div>'
        f"<h3><span>{formula_html(c.formula)}</span> <small>{space_group_html(row['space_group'])}</small>{energy}</h3>"
        f'<p class="cell">{escape(s.cell)}</p>{reasons}{parts}{warning}</article>'
    )


def failures(rejected: Sequence[Candidate]) -> str:
    """The rejected candidates with the stage and reason."""
    if not rejected:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(c.id)}</th><td>{formula_html(c.formula) or NONE}</td>'
        f"<td>{escape(str(c.failure or ''))}</td></tr>"
        for c in rejected[:MOST]
    )
    stages = Counter(c.failure.stage for c in rejected if c.failure)
    where = ", ".join(f"{n:,} at {escape(stage)}" for stage, n in stages.most_common())
    more = f"; the first {MOST:,} are listed, candidates.jsonl has all" if len(rejected) > MOST else ""
    opened = " open" if len(rejected) <= 12 else ""
    heads = "".join(f'<th scope="col">{h}</th>' for h in ("Candidate", "Formula", "Stage and reason"))
    table = f'<table class="rejected"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    return (
        f"<section><details{opened}><summary>Rejected candidates: {len(rejected):,} ({where}{more})</summary>"
        f'<div class="scroll">{table}</div></details></section>'
    )
