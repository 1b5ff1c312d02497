"""The one table of candidates that every command prints."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from nucleate.io import Problem


def table(rows: Sequence[Mapping[str, Any]], decomposition: bool = False) -> Table:
    """A Rich table of `nucleate.pipeline.rank.to_rows`, narrow enough for 80 columns.

    decomposition: the known phases under each crystal instead of its checks. Its caption names energy methods,
    references and failures.
    """
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from nucleate.generators.properties import short_name

    numeric = ("atoms", "e_form\neV/atom", "e_above\n_hull\neV/atom")
    wanted = {column: f"{short_name(column)}\nwanted\n{text}" for column, text, _ in _wanted(rows)}
    judged = ["judges\ndiffer by"] if not decomposition and any(row["disagreement"] is not None for row in rows) else []
    last = ["known phases\nunder it"] if decomposition else ["novel?", "checks"]
    columns = ("#", "id", "formula", "space\ngroup", *numeric, *judged, *wanted.values(), *last)
    out = Table(
        caption=escape(caption(rows)), caption_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    for name in columns:
        number = name in (*numeric[1:], *judged, *wanted.values())  # "-1.234" stays whole, whatever else has to fold
        right = number or name in ("#", numeric[0])
        out.add_column(name, justify="right" if right else "left", overflow="fold", min_width=6 if number else None)
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
            *([f"{row['disagreement']:.3f}" if row["disagreement"] is not None else "-"] if judged else []),
            *(energy(row[f"predicted_{column}"]) for column in wanted),
            *([row["failure"] or row["decomposition"] or "-"] if decomposition else [row["novel"], checks or "-"]),
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
    if seconds := list(dict.fromkeys(row["second_method"] for row in rows if row["second_method"])):
        lines.append(f"second judge: {', '.join(seconds)}, its own e_above_hull; in meV/atom {_spread(rows)}")
    if wanted := wishes(rows):
        lines += [*wanted, "order: steps of 0.1 eV/atom above the hull, in each the nearest to what was wanted first"]
    failures = Counter(row["failure"] for row in rows if row["failure"])
    lines += [f"{n} rejected: {reason}" for reason, n in failures.most_common(8)]
    if len(failures) > 8:
        lines.append(f"{sum(n for _, n in failures.most_common()[8:])} rejected for other reasons")
    return "\n".join(lines)


def _spread(rows: Sequence[Mapping[str, Any]]) -> str:
    apart = [1000 * row["disagreement"] for row in rows if row["disagreement"] is not None]
    return f"they differ by {statistics.median(apart):.0f} (median), {max(apart):.0f} (most)" if apart else "no answer"


def wishes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was wanted of the crystals, and who predicts what of them, one line for each property."""
    from nucleate.generators.properties import UNITS

    out = []
    for column, text, values in _wanted(rows):
        by = ", ".join(sorted({row["predicted_by"] for row in rows if row["predicted_by"]}))
        unit = UNITS.get(column, "")
        middle = f", median {statistics.median(values):.3f} {unit}".rstrip() if values else ""
        missing = f", {len(rows) - len(values)} without" if len(values) < len(rows) else ""
        out.append(f"{column}: wanted {text} {unit}".rstrip() + f"; predicted by {by}{middle}{missing}")
    return out


def _wanted(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, list[float]]]:
    """(column, the wanted values in words, the predictions there are) of each wanted property."""
    out = []
    for key in rows[0] if rows else ():
        if key.startswith("wanted_"):
            column = key.removeprefix("wanted_")
            values = [row[f"predicted_{column}"] for row in rows]
            text = ", ".join(dict.fromkeys(row[key] for row in rows if row[key]))
            out.append((column, text, [v for v in values if v is not None]))
    return out


def print_problems(problems: Iterable[Problem], console: Console) -> None:
    """What could not be read, and what to look at in what was read: file, row and reason, counted."""
    from nucleate.io import Remark

    problems = list(problems)
    for word, kind in (("left out", False), ("note", True)):
        some = [p for p in problems if isinstance(p, Remark) is kind]
        for p in some[:20]:
            console.print(f"{word}: {p}", style="yellow", highlight=False, markup=False, soft_wrap=True)
        if len(some) > 20:
            console.print(f"{word}: {len(some) - 20:,} more", style="yellow", highlight=False)


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The rows as a CSV file, complete or not at all; a spreadsheet computes none of its texts."""
    import csv

    from nucleate.io import replacing
    from nucleate.io.cells import escaped

    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([escaped(name) for name in rows[0]])
        writer.writerows([escaped(row[name]) for name in rows[0]] for row in rows)
