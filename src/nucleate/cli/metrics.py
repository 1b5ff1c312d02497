"""The tables of `nucleate evaluate` and `optimise`: metrics, their intervals, and what they stand beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nucleate.cli.tables import Column, show_table

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.evaluate.csp_report import Breakdown, CspReport, Score
    from nucleate.evaluate.metric import Report, Section

INTERVAL = "95 %"
WHOLE = "report.json and report.html in the folder of --out hold them"


def show_report(console: Console, report: Report) -> None:
    """A table for each section, then what failed and why."""
    from nucleate.evaluate.metric import failure_lines

    for section in report.sections:
        _section(console, section)
    for line in failure_lines(report.failures):
        console.print(line, style="yellow")


def _section(console: Console, section: Section) -> None:
    from nucleate.evaluate.metric import format_interval, format_published, format_value

    every = section.metrics
    columns = [
        Column("metric", [m.label for m in every], folds=20),
        Column("value", [format_value(m, m.value) for m in every], right=True),
        Column(INTERVAL, [format_interval(m) for m in every], right=True, gives_way=2),
        Column("n", [f"{m.n:,}" if m.n else "" for m in every], right=True, gives_way=3),
    ]
    if any(m.floor is not None for m in every):
        cells = [format_value(m, m.floor) if m.floor is not None else "" for m in every]
        columns.append(Column("real", cells, right=True, gives_way=1))
    if any(m.published for m in every):
        columns.append(Column("published", [format_published(m, 2) for m in every], gives_way=4, folds=20))
    console.print(f"\n{section.title}", style="bold")
    show_table(console, columns, whole=WHOLE)
    if section.note:
        console.print(section.note, style="dim")


def show_predictions(console: Console, report: CspReport, bold: Sequence[str] = ("unfiltered",)) -> None:
    """Scores of structure prediction (in bold those named) beside published ones, break-downs, and why some missed."""
    from nucleate.evaluate.csp_report import PUBLISHED, notes, number

    published = PUBLISHED if report.settings.get("dataset") == "mp-20:test" else ()
    best = max(p.match_rate for p in PUBLISHED if p.samples == 1)
    rows = [_scored(s) for s in report.scores]
    for p in published:
        name = f"{'best' if p.match_rate == best else 'published'}: {p.name}"
        rows.append((name, str(p.samples), f"{p.match_rate:.2f}", "", number(p.rmse), "", ""))
    _scores(console, f"Structure prediction, {report.targets} targets", rows, report.scores, bold)
    if report.polymorphs is not None and report.polymorphs.targets:
        shared = report.polymorphs
        title = f"Polymorphs, {shared.targets} targets of {shared.compositions} compositions"
        _scores(console, title, [_scored(s) for s in shared.scores], shared.scores, bold)
    _breakdown(console, "crystal system", report.by_crystal_system, report.samples)
    _breakdown(console, "atoms", report.by_num_atoms, report.samples)
    if report.reasons:
        columns = [
            Column("why predictions missed", list(report.reasons), folds=20),
            Column("predictions", [str(n) for n in report.reasons.values()], right=True),
        ]
        console.print()
        show_table(console, columns)
    console.print(notes(report), style="dim")


def _scored(score: Score) -> tuple[str, ...]:
    from nucleate.evaluate.csp_report import interval, number, percent

    match, rmse = score.match_rate, score.rmse
    rate = percent(match.value), interval(match.low, match.high, 100, 1)
    return (
        score.protocol,
        str(score.samples),
        *rate,
        number(rmse.value),
        interval(rmse.low, rmse.high, 1, 4),
        number(score.crmse.value),
    )


def _scores(
    console: Console, title: str, rows: Sequence[tuple[str, ...]], scores: Sequence[Score], bold: Sequence[str]
) -> None:
    """rows: of the scores, and below them published ones, in grey."""
    from rich.text import Text

    heads = ("counted as", 0), ("k", 0), ("match %", 0), (INTERVAL, 3), ("RMSE", 1), (INTERVAL, 4), ("cRMSE", 2)
    strong = [i < len(scores) and scores[i].protocol in bold for i in range(len(rows))]
    columns = [
        Column(
            head,
            [Text(row[k], "bold" if loud else "") for row, loud in zip(rows, strong, strict=True)],
            right=k > 0,
            gives_way=way,
        )
        for k, (head, way) in enumerate(heads)
    ]
    gaps = [i for i in range(1, len(scores)) if scores[i].samples != scores[i - 1].samples]
    console.print(f"\n{title}", style="bold")
    dim = [i >= len(scores) for i in range(len(rows))]
    show_table(console, columns, dim=dim, sections=[*gaps, len(scores)], whole=WHOLE)


def _breakdown(console: Console, by: str, rows: Sequence[Breakdown], samples: int) -> None:
    from nucleate.evaluate.csp_report import interval, percent

    columns = [Column(by, [b.label for b in rows]), Column("targets", [str(b.at_1.total) for b in rows], right=True)]
    for k, rates in ((1, [b.at_1 for b in rows]), (samples, [b.at_k for b in rows])):
        if k == 1 and len(columns) > 2:
            break
        columns.append(Column(f"match % @{k}", [percent(r.value) for r in rates], right=True))
        cells = [interval(r.low, r.high, 100, 1) for r in rates]
        columns.append(Column(INTERVAL, cells, right=True, gives_way=1))
    console.print()
    show_table(console, columns, whole=WHOLE)
