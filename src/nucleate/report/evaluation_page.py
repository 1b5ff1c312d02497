"""One self-contained HTML page about an evaluation: headline numbers, tables with strips, charts, failures, protocols.

It has the look of the design report, works offline and without scripts; a content security policy forbids everything
but its own styles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from nucleate.evaluate.metric import (
    SHOWN_FAILURES,
    Metric,
    Report,
    Section,
    format_interval,
    format_published,
    format_value,
)
from nucleate.io import replacing
from nucleate.report.charts import timing_bar
from nucleate.report.evaluation_charts import charts
from nucleate.report.run_page import asset, panel, provenance
from nucleate.report.strips import axis_head, rate_axis, strip

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
TASKS = {
    "dng": ("De novo generation", "crystals"),
    "csp": ("Structure prediction", "targets"),
    "compositions": ("Compositions", "formulas"),
    "compare": ("Comparison", "crystals"),
    "optimisation": ("Property optimisation", "crystals"),
}
HEADLINES = {  # what a report of de novo generation shows first, and the name where the table's needs its section
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
TILES, NAMES, ROWS = 6, 5, 200  # most headline numbers, names of a group of failures, rows of the list of failures


def write_page(path: str | Path, report: Report) -> Path:
    """Write the page and return its path; raises NucleateError when it cannot be written."""
    path = Path(path)
    page = render(report)
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")  # names of files need not be text
    return path


def render(report: Report) -> str:
    """The page as text (see `write_page`)."""
    drawn = charts(report.series)
    settings = {k: v for k, v in report.settings.items() if k != "notes" or not isinstance(v, list | tuple)}
    titles = [_bare_title(s, report)[0] for s in report.sections]
    titles = [t if titles.count(t) == 1 else s.title for t, s in zip(titles, report.sections, strict=True)]
    blocks = [(title, _section(s, report)) for title, s in zip(titles, report.sections, strict=True)]
    blocks += [("Charts", f'<h2>Charts</h2><div class="charts">{drawn}</div>')] if drawn else []
    blocks += [("Failures", _failures(report.failures))] if report.failures else []
    blocks += [("Protocols", _protocols(report.protocol))] if report.protocol else []
    contents = "".join(f'<a href="#part-{i}">{escape(title)}</a>' for i, (title, _) in enumerate(blocks))
    return Template(asset("evaluation.html")).substitute(
        policy=POLICY,
        style=asset("report.css") + asset("evaluation.css"),
        subject=escape(report.subject) or "unnamed",
        task=escape(TASKS.get(report.task, (report.task, ""))[0]),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        judged=_judged(report),
        tiles=_tiles(report),
        contents=f'<nav aria-label="Contents">{contents}</nav>' if len(blocks) > 2 else "",
        legend=_legend(report),
        blocks="".join(f'<section id="part-{i}">{content}</section>' for i, (_, content) in enumerate(blocks)),
        timing=panel("Time by stage", timing_bar(report.seconds)),
        provenance=provenance(settings, report.seconds),
    )


def _judged(report: Report) -> str:
    noun = TASKS.get(report.task, ("", "items"))[1]
    facts = [f"<b>{report.n:,}</b> {noun if report.n != 1 else noun.removesuffix('s')}"]
    facts += [f"against <b>{escape(report.reference)}</b>"] if report.reference else []
    facts += [f"real data <b>{escape(report.floor)}</b>"] if report.floor else []
    notes = report.settings.get("notes")
    remarks = "".join(f"<li>{escape(str(n))}</li>" for n in notes) if isinstance(notes, list | tuple) else ""
    text = f'<p class="judged">{"".join(f"<span>{f}</span>" for f in facts)}</p>'
    return text + (f'<ul class="remarks">{remarks}</ul>' if remarks else "")


def headlines(report: Report) -> list[tuple[Metric, Section]]:
    """Up to six metrics with a value for the page's top, in the report's order: those of HEADLINES, or the first."""
    every = [(m, s) for s in report.sections for m in s.metrics if m.value is not None and math.isfinite(m.value)]
    names = {m.name for m, _ in every}
    chosen = [name for name in HEADLINES if report.task == "dng" and name in names][:TILES]
    if not chosen:
        return [(m, s) for m, s in every if s == every[0][1]][:TILES]
    first = {m.name: (m, s) for m, s in reversed(every)}  # the first protocol that counts it
    return sorted((first[name] for name in chosen), key=every.index)


def _tiles(report: Report) -> str:
    tiles = []
    for m, section in headlines(report):
        title = (HEADLINES.get(m.name) if report.task == "dng" else "") or m.label
        lines = [f"95 %: {format_interval(m)}"] if format_interval(m) else []
        lines += [f"real data {format_value(m, m.floor)}"] if m.floor is not None else []
        protocol = _bare_title(section, report)[1]
        lines += [protocol] if len(report.protocol) > 1 and protocol else []
        small = "".join(f"<small>{escape(line)}</small>" for line in lines)
        tiles.append(
            f'<li title="{escape(m.definition)}"><b>{_amount(m, m.value)}</b><span>{escape(title)}</span>{small}</li>'
        )
    return f'<ul class="tiles" aria-label="Summary">{"".join(tiles)}</ul>' if tiles else ""


def _legend(report: Report) -> str:
    """What the marks of the strips mean; only those that the page has."""
    every = [m for s in report.sections for m in s.metrics]
    keys = [("value", '<circle r="4.5"/>', "value")] if every else []
    if any(m.low is not None for m in every):
        keys.append(("interval", '<rect x="-11" y="-4" width="22" height="8" rx="3"/>', "95 % interval"))
    if any(m.floor is not None for m in every):
        keys.append(("floor", '<path d="M0-7 7 0 0 7-7 0z"/>', "real data, judged the same way"))
    if any(m.published for m in every):
        keys.append(("tick", '<path d="M0-9V9"/>', "published value"))
    items = "".join(
        f'<span><svg class="sample" viewBox="-13 -11 26 22" width="26" height="22" aria-hidden="true">'
        f'<g class="{kind}">{shape}</g></svg>{text}</span>'
        for kind, shape, text in keys
    )
    return f'<p class="marks">{items}</p>' if keys else ""


def _bare_title(section: Section, report: Report) -> tuple[str, str]:
    """A section's title without the name of its protocol, and that name."""
    for name in report.protocol:
        if section.title.startswith(f"{name}: "):
            title = section.title.removeprefix(f"{name}: ")
            return title[:1].upper() + title[1:], str(name)
    return section.title, ""


def _section(section: Section, report: Report) -> str:
    title, protocol = _bare_title(section, report)
    tag = f' <span class="tag">{escape(protocol)}</span>' if protocol else ""
    head = f"<h2>{escape(title)}{tag}</h2>"
    note = f'<p class="note">{escape(section.note)}</p>' if section.note else ""
    if not section.metrics:
        return f'{head}<div class="panel">{note or "<p>Nothing was counted.</p>"}</div>'
    every = [m for s in report.sections for m in s.metrics]  # one set of columns, so that the tables line up
    columns = [("label", "metric"), ("value num", "value, 95 %"), ("strip", ""), ("n num", "n")]
    columns += [("floor num", "real data")] if any(m.floor is not None for m in every) else []
    columns += [("published", "published")] if any(m.published for m in every) else []
    axis = rate_axis(section.metrics)
    ticks = axis_head(axis) if axis else '<span class="none">each on its own scale</span>'
    heads = "".join(f'<th scope="col" class="c-{kind}">{name or ticks}</th>' for kind, name in columns)
    rows = "".join(_row(m, [name for _, name in columns], strip(m, axis)) for m in section.metrics)
    return (
        f'{head}<div class="scroll"><table class="metrics"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{note}"
    )


def _row(m: Metric, columns: Sequence[str], drawn: str) -> str:
    definition = f"<small>{escape(m.definition)}</small>" if m.definition else ""
    interval = f"<small>{format_interval(m)}</small>" if format_interval(m) else ""
    cells = [
        f'<th scope="row">{escape(m.label)}{definition}</th>',
        f'<td class="c-value num"><b>{_amount(m, m.value)}</b>{interval}</td>',
        f'<td class="c-strip">{drawn}</td>',
        f'<td class="c-n num" data-label="n">{f"{m.n:,}" if m.n else ""}</td>',
    ]
    if "real data" in columns:
        floor = _amount(m, m.floor) if m.floor is not None else ""
        cells.append(f'<td class="c-floor num" data-label="real data">{floor}</td>')
    if "published" in columns:
        each = ", ".join(
            f"<span>{escape(format_published(m.with_(published={name: value})))}</span>"
            for name, value in m.published.items()
        )
        cells.append(f'<td class="c-published" data-label="published">{each}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def _amount(m: Metric, value: float | None) -> str:
    """A value as in the terminal, its unit in small type."""
    number, _, unit = format_value(m, value).partition(" ")
    return f'{number} <span class="unit">{escape(unit)}</span>' if unit else number


def _failures(failures: Sequence[tuple[str, str, str]]) -> str:
    """Counted by stage and reason, the most frequent first; then, folded, those that are not named above."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, stage, reason in failures:
        groups.setdefault((stage, reason), []).append(name)
    order = sorted(groups.items(), key=lambda g: (-len(g[1]), g[0]))
    rows = []
    for (stage, reason), names in order[:SHOWN_FAILURES]:
        which = ", ".join(names[:NAMES]) + (", \u2026" if len(names) > NAMES else "")
        rows.append((f"{len(names):,}", stage, reason, which))
    rest = [(name, *group) for group, names in order[SHOWN_FAILURES:] for name in names]
    rest += [(name, *group) for group, names in order[:SHOWN_FAILURES] for name in names[NAMES:]]
    what = f"{len(failures):,} failure{'s' if len(failures) != 1 else ''}"
    return (
        f"<h2>What could not be judged in full <small>{what}</small></h2>"
        f'<div class="scroll">{_table(("count", "stage", "reason", "which"), rows, "failures")}</div>{_rest(rest)}'
    )


def _rest(rest: Sequence[tuple[str, str, str]]) -> str:
    if not rest:
        return ""
    shown = _table(("name", "stage", "reason"), rest[:ROWS], "rest")
    left = len(rest) - ROWS
    note = f'<p class="note">The other {left:,} are in report.json.</p>' if left > 0 else ""
    title = f"{min(len(rest), ROWS):,} more by name" + (f", {left:,} in report.json" if left > 0 else "")
    return f'<details class="more"><summary>{title}</summary><div class="scroll">{shown}</div>{note}</details>'


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], kind: str) -> str:
    top = "".join(f'<th scope="col">{h}</th>' for h in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def _protocols(protocol: Mapping[str, Any]) -> str:
    named = {str(k): v for k, v in protocol.items() if isinstance(v, Mapping)}
    loose = {k: v for k, v in protocol.items() if not isinstance(v, Mapping)}
    cards = "".join(_protocol(name, fields) for name, fields in named.items())
    cards += _protocol("", loose) if loose else ""
    return f'<h2>How it was counted</h2><div class="protocols">{cards}</div>'


def _protocol(name: str, fields: Mapping[str, Any]) -> str:
    """Title, source and notes in words, everything else as thresholds."""
    notes = fields.get("notes") or ()
    notes = [notes] if isinstance(notes, str) or not isinstance(notes, Sequence) else notes
    words = "".join(f"<dt>{k}</dt><dd>{escape(_text(fields[k]))}</dd>" for k in ("title", "source") if fields.get(k))
    if notes:
        words += f"<dt>notes</dt><dd><ul>{''.join(f'<li>{escape(_text(n))}</li>' for n in notes)}</ul></dd>"
    others = {k: v for k, v in fields.items() if k not in ("name", "title", "source", "notes")}
    rows = "".join(f"<dt>{escape(str(k))}</dt><dd>{escape(_text(v))}</dd>" for k, v in others.items())
    rows = f'<dl class="thresholds">{rows}</dl>' if rows else ""
    head = (f"<h3>{escape(name)}</h3>" if name else "") + (f"<dl>{words}</dl>" if words else "")
    return f'<article class="panel">{head}{rows}</article>'


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
