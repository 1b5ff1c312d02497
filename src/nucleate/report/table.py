"""The report's ranked table. Every text that comes from outside is escaped here."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from nucleate.pipeline.candidate import FAIL, PASS, UNKNOWN, Candidate, Check
from nucleate.pipeline.rank import too_deep, verdict
from nucleate.report.charts import hull_hue
from nucleate.report.parts import MINUS, NONE, Shown, formula_html, signed, space_group_html

CHECK_SIGNS = {
    "charge": "q",
    "electronegativity": "\u03c7",
    "distance": "d",
    "density": "\u03c1",
    "volume": "v",
    "relaxed": "r",
    "hull": "h",
    "unique": "u",
    "judges": "j",
    "phonons": "\u03c9",
}
COLUMNS = (
    ("#", "rank", "num"),
    ("Formula", "formula", ""),
    ("Space group", "space group number", ""),
    ("Atoms", "atoms in the cell", "num"),
    ("<span>E<sub>form</sub></span> <small>eV/atom</small>", "formation energy", "num"),
    ("<span>E<sub>hull</sub></span> <small>eV/atom</small>", "energy above the hull", "num"),
    ("Novel", "novelty", ""),
    ("Checks", "failed checks", ""),
)
SECOND = ("<span>Judges differ</span> <small>eV/atom</small>", "how far two potentials are apart", "num")
NOVEL = 6  # the columns of wanted properties go before this one


def table(shown: Sequence[Shown]) -> str:
    """The ranked table with its filter."""
    if not shown:
        return '<p class="empty">No candidate came through; the reasons are below.</p>'
    judged = [SECOND] if any(s.row["disagreement"] is not None for s in shown) else []
    columns = (*COLUMNS[:NOVEL], *judged, *_wanted_columns(shown[0].row), *COLUMNS[NOVEL:])
    heads = "".join(
        f'<th scope="col" class="{kind}"{sort}><button type="button" title="Sort by {words}">{title}</button></th>'
        for (title, words, kind), sort in zip(columns, [' aria-sort="ascending"', *[""] * len(columns)], strict=False)
    )
    signs = " ".join(f"<span><i>{sign}</i> {name}</span>" for name, sign in CHECK_SIGNS.items())
    body = "".join(_row(s, bool(judged)) for s in shown)
    return (
        '<div class="tools"><input id="filter" type="search" placeholder="Filter: element, formula, space group, new" '
        'aria-label="Filter the candidates" autocomplete="off">'
        '<span id="shown" role="status" aria-live="polite"></span></div>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Ranked candidates"><table id="ranking">'
        f'<thead><tr>{heads}<th scope="col">File</th></tr></thead><tbody>{body}</tbody></table></div>'
        '<p class="signs"><span class="check pass">p</span> pass <span class="check fail">f</span> fail '
        f'<span class="check unknown">?</span> unknown {signs}</p>'
    )


def _row(s: Shown, judged: bool) -> str:
    c, row, n = s.candidate, s.row, s.number
    name = formula_html(row["formula"]) or '<span class="none">no structure</span>'
    link = f'<a href="#view-{n}">{name}</a>' if s.scene is not None else name
    novel = {PASS: "new", FAIL: "known"}.get(verdict(c, "novel"), "unknown")
    symbols = [e.symbol for e in c.structure.composition.elements] if c.structure is not None else []
    words = " ".join((row["formula"], c.id, row["space_group"], str(s.space_group or ""), novel, *symbols)).lower()
    group = f"{space_group_html(row['space_group'])} <small>{s.space_group}</small>" if s.space_group else NONE
    failed = sum(v.verdict == FAIL for k, v in c.checks.items() if k != "novel")
    tip = escape(c.checks["novel"].reason) if "novel" in c.checks else ""
    return (
        f'<tr data-n="{n}" data-words="{escape(words)}"><td class="num" data-v="{n}">{n}</td>'
        f'<th scope="row" data-v="{escape(row["formula"])}">{link}</th>'
        f'<td data-v="{s.space_group or ""}">{group}</td>'
        f'<td class="num" data-v="{row["num_atoms"] or ""}">{row["num_atoms"] or NONE}</td>'
        f"{_energy_cell(c, 'e_form')}{_energy_cell(c, 'e_above_hull', coloured=True)}"
        f"{_second_cell(row) if judged else ''}"
        f"{''.join(_wanted_cell(row, column) for column in _wanted(row))}"
        f'<td data-v="{novel}"><span class="tag {novel}" title="{tip}">{novel}</span></td>'
        f'<td class="checks" data-v="{failed}">{_marks(c)}</td><td>{_cif_link(c)}</td></tr>'
    )


def _second_cell(row: Mapping[str, Any]) -> str:
    """How far the judges are apart; what the second one says is in the tip."""
    apart = row["disagreement"]
    if apart is None:
        return f'<td class="num" data-v="">{NONE}</td>'
    tip = escape(f"{row['second_method']}: {signed(row['second_e_above_hull'])} eV/atom above its own hull")
    return f'<td class="num" data-v="{apart!r}" title="{tip}">{signed(apart)}</td>'


def _wanted(row: Mapping[str, Any]) -> list[str]:
    return [key.removeprefix("wanted_") for key in row if key.startswith("wanted_")]


def _wanted_columns(row: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """As COLUMNS, of the wanted properties."""
    from nucleate.generators.properties import UNITS, short_name

    out = []
    for column in _wanted(row):
        unit = f" <small>{escape(UNITS[column])}</small>" if column in UNITS else ""
        title = f"<span>{escape(short_name(column))}</span>{unit} <small>predicted (wanted)</small>"
        out.append((title, f"{escape(column)}, predicted", "num"))
    return out


def _wanted_cell(row: Mapping[str, Any], column: str) -> str:
    value, wanted = row[f"predicted_{column}"], row[f"wanted_{column}"]
    small = f" <small>({escape(wanted.replace('-', MINUS))})</small>" if wanted else ""
    if value is None:
        return f'<td class="num" data-v="">{NONE}{small}</td>'
    tip = escape(f"by {row['predicted_by']}")
    return f'<td class="num" data-v="{value!r}" title="{tip}">{signed(value)}{small}</td>'


def _energy_cell(candidate: Candidate, name: str, coloured: bool = False) -> str:
    energy = candidate.energies.get(name)
    if energy is None or not math.isfinite(energy.value):
        return f'<td class="num" data-v="">{NONE}</td>'
    tip = escape(energy.method + (f", against {energy.reference}" if energy.reference else ""))
    known = coloured and not too_deep(candidate)
    dot = f'<i class="dot" style="--hue:{hull_hue(energy.value)}"></i>' if known else ""
    return f'<td class="num" data-v="{energy.value!r}" title="{tip}">{dot}{signed(energy.value)}</td>'


def _marks(candidate: Candidate) -> str:
    names = [n for n in CHECK_SIGNS if n in candidate.checks]
    names += [n for n in candidate.checks if n not in CHECK_SIGNS and n != "novel"]
    return "".join(_mark(n, candidate.checks[n]) for n in names) or NONE


def _mark(name: str, check: Check) -> str:
    words = escape(f"{name}: {check.verdict}" + (f" ({check.reason})" if check.reason else ""))
    kind = check.verdict if check.verdict in (PASS, FAIL) else UNKNOWN
    sign = escape(CHECK_SIGNS.get(name, name[:1]))
    return f'<span class="check {kind}" role="img" title="{words}" aria-label="{words}">{sign}</span>'


def _cif_link(candidate: Candidate) -> str:
    if candidate.structure is None:
        return NONE
    try:
        text = candidate.structure.to(fmt="cif")
    except ValueError:  # numbers that are not finite
        return NONE
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{candidate.formula}-{candidate.id}")
    uri = "data:chemical/x-cif;charset=utf-8," + quote(text)
    label = escape(f"Download {candidate.formula} as CIF")
    return f'<a class="file" download="{name}.cif" href="{uri}" aria-label="{label}">CIF</a>'
