"""The report of an evaluation: one HTML file with headline numbers, tables, charts, failures and protocols.

It looks like the report of a run and works offline and without scripts. A content security policy forbids everything
but its own styles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.evaluate.metric import SHOWN_FAILURES, Metric, Report, ReportSection, format_interval, format_value
from nucleate.io import replacing
from nucleate.report.charts import timing_bar
from nucleate.report.evaluation_charts import evaluation_charts
from nucleate.report.markup import asset, render_template
from nucleate.report.provenance import provenance_rows
from nucleate.report.strips import axis_head, rate_axis, strip

if TYPE_CHECKING:
    from markupsafe import Markup

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
TASKS = {
    "dng": ("De novo generation", "crystals"),
    "csp": ("Structure prediction", "targets"),
    "compositions": ("Compositions", "formulas"),
    "compare": ("Comparison", "crystals"),
    "optimisation": ("Property optimisation", "crystals"),
}
HEADLINES = {  # metrics at the top of a report of de novo generation -> names; "" for that in the table
    "valid": "valid",
    "cov_precision": "",
    "w_density": "density distance",
    "unique_novel": "",
    "stable": "",
    "sun": "",
    "cov_recall": "",
    "w_e_form": "formation energy distance",
    "js_space_groups": "",
}
TILES, NAMES, ROWS = 6, 5, 200  # most headline numbers, names in a group of failures, rows of the list of failures


def write_page(path: str | Path, report: Report) -> Path:
    """Write the report and return its path. Raises NucleateError where it cannot be written."""
    path = Path(path)
    text = render_evaluation(report)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")  # names of files may have bytes that are no text
    return path


def render_evaluation(report: Report) -> str:
    """The page as text (see `write_page`)."""
    notes = report.settings.get("notes")
    remarks = [str(n) for n in notes] if isinstance(notes, list | tuple) else None
    task, noun = TASKS.get(report.task, (report.task, "items"))
    every = [m for s in report.sections for m in s.metrics]
    return render_template(
        "evaluation.html",
        policy=POLICY,
        style=asset("report.css") + asset("evaluation.css"),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        report=report,
        task=task,
        noun=noun if report.n != 1 else noun.removesuffix("s"),
        remarks=remarks or [],
        tiles=_tiles(report),
        marks={
            "value": bool(every),
            "interval": any(m.low is not None for m in every),
            "floor": any(m.floor is not None for m in every),
            "published": any(m.published for m in every),
        },
        tables=_tables(report),
        charts=evaluation_charts(report.series),
        failures=_failures(report.failures) if report.failures else None,
        protocols=_protocols(report.protocol),
        timing=timing_bar(report.seconds),
        facts=provenance_rows(
            {k: v for k, v in report.settings.items() if k != "notes" or remarks is None}, report.seconds
        ),
    )


def headlines(report: Report) -> list[tuple[Metric, ReportSection]]:
    """Up to six metrics with values for the top of the page, each with its section, in the order of the report.

    They are those of HEADLINES, or else the first ones of the first section.
    """
    every = [(m, s) for s in report.sections for m in s.metrics if m.value is not None and math.isfinite(m.value)]
    names = {m.name for m, _ in every}
    chosen = [name for name in HEADLINES if report.task == "dng" and name in names][:TILES]
    if not chosen:
        return [(m, s) for m, s in every if s == every[0][1]][:TILES]
    first = {m.name: (m, s) for m, s in reversed(every)}  # by the first protocol that has it
    return sorted((first[name] for name in chosen), key=every.index)


@dataclass(frozen=True)
class PageTile:
    """A headline number. lines: small texts under it."""

    metric: Metric
    title: str
    lines: list[str]


def _tiles(report: Report) -> list[PageTile]:
    tiles = []
    for m, section in headlines(report):
        title = (HEADLINES.get(m.name) if report.task == "dng" else "") or m.label
        lines = [f"95 %: {format_interval(m)}"] if format_interval(m) else []
        lines += [f"real data {format_value(m, m.floor)}"] if m.floor is not None else []
        protocol = _bare_title(section, report)[1]
        lines += [protocol] if len(report.protocol) > 1 and protocol else []
        tiles.append(PageTile(m, title, lines))
    return tiles


@dataclass(frozen=True)
class PageTable:
    """One section of the report.

    name: its entry in the contents. axis: the ticks of the axis that its rates share, "" where it has no rates. rows:
    the metrics, each with its strip.
    """

    name: str
    title: str
    protocol: str
    note: str
    axis: Markup | str
    rows: list[tuple[Metric, Markup | str]]


def _tables(report: Report) -> list[PageTable]:
    bare = [_bare_title(s, report) for s in report.sections]
    titles = [title for title, _ in bare]
    tables = []
    for section, (title, protocol) in zip(report.sections, bare, strict=True):
        name = title if titles.count(title) == 1 else section.title
        axis = rate_axis(section.metrics)
        rows = [(m, strip(m, axis)) for m in section.metrics]
        tables.append(PageTable(name, title, protocol, section.note, axis_head(axis) if axis else "", rows))
    return tables


def _bare_title(section: ReportSection, report: Report) -> tuple[str, str]:
    """(the title of a section without the name of its protocol, that name)."""
    for name in report.protocol:
        if section.title.startswith(f"{name}: "):
            title = section.title.removeprefix(f"{name}: ")
            return title[:1].upper() + title[1:], str(name)
    return section.title, ""


@dataclass(frozen=True)
class Failures:
    """Items of the evaluation that could not be judged.

    groups: (how many, stage, reason, names), the largest first. rest: (name, stage, reason) of items that the groups do
    not name. left: how many more such items there are.
    """

    total: int
    groups: list[tuple[int, str, str, str]]
    rest: list[tuple[str, str, str]]
    left: int


def _failures(failures: Sequence[tuple[str, str, str]]) -> Failures:
    groups: dict[tuple[str, str], list[str]] = {}
    for name, stage, reason in failures:
        groups.setdefault((stage, reason), []).append(name)
    order = sorted(groups.items(), key=lambda g: (-len(g[1]), g[0]))
    rows = []
    for (stage, reason), names in order[:SHOWN_FAILURES]:
        which = ", ".join(names[:NAMES]) + (", \u2026" if len(names) > NAMES else "")
        rows.append((len(names), stage, reason, which))
    rest = [(name, *group) for group, names in order[SHOWN_FAILURES:] for name in names]
    rest += [(name, *group) for group, names in order[:SHOWN_FAILURES] for name in names[NAMES:]]
    return Failures(len(failures), rows, rest[:ROWS], max(len(rest) - ROWS, 0))


@dataclass(frozen=True)
class PageCard:
    """A protocol. words: its title and source. thresholds: all fields but these and the notes."""

    name: str
    words: list[tuple[str, str]]
    notes: list[str]
    thresholds: list[tuple[str, str]]


def _protocols(protocol: Mapping[str, Any]) -> list[PageCard]:
    cards = [_card(str(k), v) for k, v in protocol.items() if isinstance(v, Mapping)]
    loose = {k: v for k, v in protocol.items() if not isinstance(v, Mapping)}
    return [*cards, _card("", loose)] if loose else cards


def _card(name: str, fields: Mapping[str, Any]) -> PageCard:
    notes = fields.get("notes") or ()
    notes = [notes] if isinstance(notes, str) or not isinstance(notes, Sequence) else notes
    words = [(k, _text(fields[k])) for k in ("title", "source") if fields.get(k)]
    told = ("name", "title", "source", "notes")
    others = [(str(k), _text(v)) for k, v in fields.items() if k not in told]
    return PageCard(name, words, [_text(n) for n in notes], others)


def _text(value: Any) -> str:
    if value is None or (isinstance(value, Sequence | Mapping) and not value):
        return "none"
    if isinstance(value, Mapping):
        return "; ".join(f"{k}: {_text(v)}" for k, v in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_text, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)
