"""The one table of candidates that every command prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from nucleate.io import Problem


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A Rich table of `nucleate.pipeline.rank.to_rows`, narrow enough for 80 columns.

    Its caption names energy methods, references and failures.
    """
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    numeric = ("atoms", "e_form\neV/atom", "e_above_hull\neV/atom")
    columns = ("#", "id", "formula", "space\ngroup", *numeric, "novel?", "checks")
    out = Table(
        caption=escape(caption(rows)), caption_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    for name in columns:
        out.add_column(name, justify="right" if name in ("#", *numeric) else "left", overflow="fold")
    for row in rows:
        checks = f"rejected: {row['failure']}" if row["failure"] else row["checks"]
        cells = [
            str(row["rank"]),
            row["id"],
            row["formula"] or "-",
            row["space_group"] or "-",
            str(row["num_atoms"] or "-"),
            energy(row["e_form"]),
            energy(row["e_above_hull"]),
            row["novel"],
            checks or "-",
        ]
        out.add_row(*(escape(c) for c in cells), style="dim" if row["failure"] else None)
    return out


def energy(value: float | None) -> str:
    """Three decimals, an explicit sign (a negative distance to the hull is the finding), "-" for none."""
    return "-" if value is None else f"{value:+.3f}"


def caption(rows: Sequence[Mapping[str, Any]]) -> str:
    """Where the energies come from, and what was rejected for what reason."""
    lines = []
    origins = Counter((row["method"], row["reference"]) for row in rows if row["method"])
    for (method, reference), n in origins.items():
        which = "" if len(origins) == 1 else f" ({n} of {len(rows)})"
        lines.append(f"energies: {method}{f', reference {reference}' if reference else ''}{which}")
    failures = Counter(row["failure"] for row in rows if row["failure"])
    lines += [f"{n} rejected: {reason}" for reason, n in failures.most_common(8)]
    if len(failures) > 8:
        lines.append(f"{sum(n for _, n in failures.most_common()[8:])} rejected for other reasons")
    return "\n".join(lines)


def print_problems(problems: Iterable[Problem], console: Console) -> None:
    """What could not be read: file, row and reason, counted."""
    problems = list(problems)
    for p in problems[:20]:
        where = f"{p.file}, row {p.row}" if p.row is not None else p.file
        console.print(f"left out: {where}: {p.reason}", style="yellow", highlight=False, markup=False)
    if len(problems) > 20:
        console.print(f"left out: {len(problems) - 20} more", style="yellow", highlight=False)


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The rows as a CSV file, complete or not at all."""
    import csv

    from nucleate.io import replacing

    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
