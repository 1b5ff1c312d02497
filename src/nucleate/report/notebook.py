"""What notebooks show of candidates, runs and evaluations: a table, and turning crystals below it, all offline.

The table is plain markup, which stays where a notebook is not trusted or is shown on a website. The crystals are drawn
by the report's viewer within a frame of its own (`iframe srcdoc`): its scripts see nothing of the notebook, a content
security policy forbids it every connection, and any number of them can stand on a page. Every text is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any

from nucleate.pipeline.rank import to_rows
from nucleate.report.parts import formula_html, signed, space_group_html
from nucleate.report.scene import drawn_cell, elements, scene

if TYPE_CHECKING:
    from nucleate.pipeline.candidate import Candidate

ROWS = 50  # of a table
VIEWS = 6  # crystals that are drawn
HEIGHT = 305  # pixels of the frame
START = (
    '"use strict"; Viewer.start(JSON.parse(document.getElementById("scenes").textContent), '
    '[...document.querySelectorAll("canvas[data-scene]")]);'
)
CELL = "padding:3px 9px;text-align:left;border-bottom:1px solid rgba(128,128,128,.25);"
NUMBER = CELL.replace("left", "right")
GREY = "opacity:.65;"


def candidates_html(candidates: Sequence[Candidate]) -> str:
    """A table of candidates in their order, and the first crystals of them."""
    n = len(candidates)
    rows = to_rows(candidates[:ROWS])
    more = f"<p style='{GREY}'>and {n - ROWS:,} more</p>" if n > ROWS else ""
    return _div(f"<p>{n:,} candidate{'' if n == 1 else 's'}</p>{_table(rows)}{more}{_sources(rows)}{views(candidates)}")


def candidate_html(candidate: Candidate) -> str:
    """What is known of one candidate, check by check, and its crystal."""
    (row,) = to_rows([candidate])
    checks = "".join(
        f"<tr><th style='{CELL}'>{escape(name)}</th><td style='{CELL}'>{escape(check.verdict)}</td>"
        f"<td style='{CELL}{GREY}'>{escape(check.reason)}</td></tr>"
        for name, check in candidate.checks.items()
    )
    checks = f"<table style='border-collapse:collapse'>{checks}</table>" if checks else ""
    return _div(f"{_table([row])}{checks}{_sources([row])}{views([candidate])}")


def run_html(run: Any) -> str:
    """The best candidates of a run (a `DesignResult` or a `ScreenResult`), and where its files are."""
    lost = sum(c.failure is not None for c in run.all)
    where = f"; files: {escape(str(run.folder))}" if run.folder is not None else ""
    text = f"the {len(run.candidates):,} best of {len(run.all):,} candidates, {lost:,} rejected{where}"
    rows = to_rows(run.candidates[:ROWS])
    return _div(f"<p>{text}</p>{_table(rows)}{_sources(rows)}{views(run.candidates)}")


def views(candidates: Sequence[Candidate], most: int = VIEWS) -> str:
    """A frame in which the first crystals turn; "" where there is none to draw."""
    figures: list[str] = []
    scenes: list[Mapping[str, Any]] = []
    for candidate in candidates:
        if len(scenes) == most:
            break
        if candidate.structure is None or candidate.failure is not None or scene(candidate.structure) is None:
            continue
        drawn, _ = drawn_cell(candidate.structure)
        found = scene(drawn)
        if found is None:
            continue
        figures.append(_figure(candidate, found, len(scenes)))
        scenes.append(found)
    if not scenes:
        return ""
    known = elements(symbol for s in scenes for symbol in s["symbols"])
    scripts = [_asset("viewer.js"), START]
    digests = (base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts)
    hashes = " ".join(f"'sha256-{digest}'" for digest in digests)
    page = Template(_asset("notebook.html")).substitute(
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src {hashes}",
        title="crystals",
        figures="".join(figures),
        scenes=_json({"elements": known, "scenes": scenes}),
        viewer=scripts[0],
        script=scripts[1],
    )
    return (
        f'<iframe srcdoc="{escape(page, quote=True)}" sandbox="allow-scripts" title="crystals in 3D" '
        f'style="width:100%;height:{HEIGHT}px;border:0;margin-top:8px"></iframe>'
    )


def _figure(candidate: Candidate, drawn: Mapping[str, Any], place: int) -> str:
    known = elements(drawn["symbols"])
    legend = "".join(
        f'<i style="--colour:{known[e]["colour"]}"></i>{escape(e)}' for e in dict.fromkeys(drawn["symbols"])
    )
    (row,) = to_rows([candidate])
    label = escape(f"3D view of {candidate.formula}: drag or arrow keys turn it, plus and minus zoom")
    return (
        f'<figure><canvas data-scene="{place}" tabindex="0" role="img" aria-label="{label}"></canvas><figcaption>'
        f"<b>{formula_html(candidate.formula)}</b> {space_group_html(row['space_group'])} "
        f"<small>{escape(candidate.id)}</small><br>{legend}</figcaption></figure>"
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The columns that hold anything."""
    novel = any(row["novel"] != "?" for row in rows)
    columns = [
        ("#", CELL, [str(row["rank"]) for row in rows]),
        ("id", CELL, [escape(row["id"]) for row in rows]),
        ("formula", CELL, [formula_html(row["formula"]) for row in rows]),
        ("space group", CELL, [escape(row["space_group"]) for row in rows]),
        ("atoms", NUMBER, [str(row["num_atoms"] or "") for row in rows]),
        ("E<sub>form</sub>, eV/atom", NUMBER, [_energy(row["e_form"]) for row in rows]),
        ("E<sub>hull</sub>, eV/atom", NUMBER, [_energy(row["e_above_hull"]) for row in rows]),
        ("judges differ by", NUMBER, [_energy(row["disagreement"]) for row in rows]),
        ("novel", CELL, [row["novel"] if novel and not row["failure"] else "" for row in rows]),
        ("checks", CELL, [escape(f"rejected: {row['failure']}" if row["failure"] else row["checks"]) for row in rows]),
    ]
    kept = [column for column in columns if any(column[2])]
    head = "".join(f"<th style='{style}'>{name}</th>" for name, style, _ in kept)
    lines = (
        f"<tr{_style(row)}>" + "".join(f"<td style='{style}'>{cells[i]}</td>" for _, style, cells in kept) + "</tr>"
        for i, row in enumerate(rows)
    )
    body = "".join(lines)
    return f"<table style='border-collapse:collapse'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _style(row: Mapping[str, Any]) -> str:
    return f" style='{GREY}'" if row["failure"] else ""


def _sources(rows: Sequence[Mapping[str, Any]]) -> str:
    """By what method and reference the energies are."""
    found = dict.fromkeys((row["method"], row["reference"]) for row in rows if row["method"])
    texts = [escape(f"{method}{f', reference {reference}' if reference else ''}") for method, reference in found]
    return f"<p style='{GREY}'>energies: {'; '.join(texts)}</p>" if texts else ""


def _energy(value: float | None) -> str:
    return "" if value is None else signed(value)


def _div(content: str) -> str:
    return f'<div class="nucleate" style="overflow-x:auto">{content}</div>'


def _asset(name: str) -> str:
    return (resources.files("nucleate.report") / "assets" / name).read_text(encoding="utf-8")


def _json(values: Any) -> str:
    """JSON that no HTML parser can take for the end of its script element."""
    text = json.dumps(values, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
