"""How notebooks show candidates, runs and evaluations: as a table, with crystals that can be turned below it.

Nothing is fetched. The table is plain markup, which is also shown where a notebook is not trusted, and on websites. The
crystals are drawn by the viewer of the reports in a frame of its own (`iframe srcdoc`): its scripts cannot see the
notebook, a content security policy forbids every connection, and a page may have any number of such frames. Every text
is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.pipeline.rank import nearest_text, novel_text, to_rows
from nucleate.report.markup import asset, embedded_json, formula_html, render_template, script, script_hashes, signed
from nucleate.report.scene import drawn_cell, drawn_elements, scene

if TYPE_CHECKING:
    from markupsafe import Markup

    from nucleate.evaluate.metric import Report
    from nucleate.pipeline.candidate import Candidate

ROWS = 50  # of a table
VIEWS = 6  # crystals that are drawn
HEIGHT = 305  # pixels of the frame
START = (
    '"use strict"; Viewer.start(JSON.parse(document.getElementById("scenes").textContent), '
    '[...document.querySelectorAll("canvas[data-scene]")]);'
)


def candidates_html(candidates: Sequence[Candidate]) -> str:
    """A table of the candidates in the order given, and drawings of the first of their crystals."""
    n = len(candidates)
    text = f"{n:,} candidate{'' if n == 1 else 's'}"
    return _html(to_rows(candidates[:ROWS]), frame_of_crystals(candidates), text=text, more=max(n - ROWS, 0))


def candidate_html(candidate: Candidate) -> str:
    """A table of one candidate with every check, and a drawing of its crystal."""
    return _html(to_rows([candidate]), frame_of_crystals([candidate]), checks=candidate.checks)


def run_html(run: Any) -> str:
    """The best candidates of a run (a `DesignResult` or a `ScreenResult`), and where its files are."""
    lost = sum(c.failure is not None for c in run.all)
    where = f"; files: {run.folder}" if run.folder is not None else ""
    text = f"the {len(run.candidates):,} best of {len(run.all):,} candidates, {lost:,} rejected{where}"
    return _html(to_rows(run.candidates[:ROWS]), frame_of_crystals(run.candidates), text=text)


def report_html(report: Report) -> str:
    """The sections of an evaluation as tables, without charts; `evaluation_page.write_page` writes the whole page."""
    return render_template("notebook_report.html", report=report)


def _html(
    rows: Sequence[Mapping[str, Any]],
    frame: str,
    *,
    text: str = "",
    checks: Mapping[str, Any] | None = None,
    more: int = 0,
) -> str:
    """The output of one cell.

    text: above the table. frame: the page with the crystals, "" for none. checks: name -> verdict, for a single
    candidate. more: how many rows were left out.
    """
    found = dict.fromkeys((row["method"], row["reference"]) for row in rows if row["method"])
    return render_template(
        "notebook.html",
        rows=rows,
        columns=_columns(rows),
        frame=frame,
        height=HEIGHT,
        text=text,
        checks=checks,
        more=more,
        sources=[f"{method}{f', reference {reference}' if reference else ''}" for method, reference in found],
    )


@dataclass(frozen=True)
class Figure:
    """The texts beside a drawing of a crystal. legend: (symbol, colour) of its elements."""

    id: str
    formula: str
    space_group: str
    legend: list[tuple[str, str]]


def frame_of_crystals(candidates: Sequence[Candidate], most: int = VIEWS) -> str:
    """The page for a frame, with drawings of the first `most` crystals; "" where there is nothing to draw."""
    figures: list[Figure] = []
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
        (row,) = to_rows([candidate])
        legend = [(e, known["colour"]) for e, known in _in_order(found["symbols"]).items()]
        figures.append(Figure(candidate.id, candidate.formula, row["space_group"], legend))
        scenes.append(found)
    if not scenes:
        return ""
    scripts = [asset("viewer.js"), script(START)]
    return render_template(
        "notebook_frame.html",
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src {script_hashes(scripts)}",
        figures=figures,
        scenes=embedded_json({"elements": drawn_elements(e for s in scenes for e in s["symbols"]), "scenes": scenes}),
        scripts=scripts,
    )


def _in_order(symbols: Sequence[str]) -> dict[str, dict[str, Any]]:
    """element -> its colour and radius, in the order of the atoms."""
    known = drawn_elements(symbols)
    return {e: known[e] for e in dict.fromkeys(symbols)}


@dataclass(frozen=True)
class NotebookColumn:
    """A column of the table. number: whether the cells are aligned to the right."""

    title: Markup | str
    cells: list[Markup | str]
    number: bool = False


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[NotebookColumn]:
    """The columns in which any cell has a text."""
    from markupsafe import Markup

    novel = any(novel_text(row) != "?" for row in rows)
    columns = [
        NotebookColumn("#", [str(row["rank"]) for row in rows]),
        NotebookColumn("id", [row["id"] for row in rows]),
        NotebookColumn("formula", [formula_html(row["formula"]) for row in rows]),
        NotebookColumn("space group", [row["space_group"] for row in rows]),
        NotebookColumn("atoms", [str(row["num_atoms"] or "") for row in rows], True),
        NotebookColumn(Markup("E<sub>form</sub>, eV/atom"), [_energy(row["e_form"]) for row in rows], True),
        NotebookColumn(Markup("E<sub>hull</sub>, eV/atom"), [_energy(row["e_above_hull"]) for row in rows], True),
        NotebookColumn("judges differ by", [_energy(row["disagreement"]) for row in rows], True),
        NotebookColumn("novel", [novel_text(row) if novel and not row["failure"] else "" for row in rows]),
        NotebookColumn("nearest known crystal", [nearest_text(row) for row in rows]),
        NotebookColumn("checks", [f"rejected: {row['failure']}" if row["failure"] else row["checks"] for row in rows]),
    ]
    return [column for column in columns if any(column.cells)]


def _energy(value: float | None) -> str:
    return "" if value is None else signed(value)
