"""The tables of `nucleate evaluate` and `optimise`: metrics with intervals, values of real data and published ones."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from nucleate.cli.tables import TerminalColumn, show_table

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.evaluate.metric import Report, ReportSection

INTERVAL = "95 %"
PUBLISHED, PUBLISHED_CSP = 2, 4  # most published values beside a metric; of structure prediction there are more
WHOLE = "report.json and report.html in the folder of --out hold them"


def show_report(console: Console, report: Report, strong: Container[str] = ()) -> None:
    """Print a table for each section, then the failures with reasons. strong: names of metrics in bold."""
    from nucleate.evaluate.metric import failure_lines

    for section in report.sections:
        _section(console, section, strong, PUBLISHED_CSP if report.task == "csp" else PUBLISHED)
    for line in failure_lines(report.failures):
        console.print(line, style="yellow")


def _section(console: Console, section: ReportSection, strong: Container[str], most: int) -> None:
    from rich.text import Text

    from nucleate.evaluate.metric import format_interval, format_published, format_value

    every = section.metrics
    if not every:
        console.print(f"\n{section.title}", style="bold")
        console.print(section.note or "Nothing was counted.", style="dim")
        return
    styles = ["bold" if m.name in strong else "" for m in every]
    columns = [
        TerminalColumn("metric", [Text(m.label, style) for m, style in zip(every, styles, strict=True)], folds=20),
        TerminalColumn(
            "value", [Text(format_value(m, m.value), s) for m, s in zip(every, styles, strict=True)], right=True
        ),
        TerminalColumn(INTERVAL, [format_interval(m) for m in every], right=True, gives_way=2),
        TerminalColumn("n", [f"{m.n:,}" if m.n else "" for m in every], right=True, gives_way=3),
    ]
    if any(m.floor is not None for m in every):
        cells = [format_value(m, m.floor) if m.floor is not None else "" for m in every]
        columns.append(TerminalColumn("real", cells, right=True, gives_way=1))
    if any(m.published for m in every):
        columns.append(TerminalColumn("published", [format_published(m, most) for m in every], gives_way=4, folds=20))
    console.print(f"\n{section.title}", style="bold")
    show_table(console, columns, whole=WHOLE)
    if section.note:
        console.print(section.note, style="dim")
