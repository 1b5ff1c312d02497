"""`nucleate check`: verdicts with reasons for formulas and crystal files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from nucleate.pipeline.candidate import Candidate, Check

COLOURS = {"pass": "green", "fail": "red", "unknown": "yellow"}


def check(
    inputs: Annotated[
        list[str],
        typer.Argument(help="Formulas (chemistry only) and files or folders of crystals.", metavar="INPUTS..."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the crystals with their checks, best as .jsonl.")
    ] = None,
) -> None:
    """Check charge neutrality, electronegativity balance, volume, density and the shortest distance."""
    from rich.console import Console

    from nucleate.cli.tables import print_problems
    from nucleate.errors import NucleateError
    from nucleate.pipeline.check import check as check_candidate
    from nucleate.pipeline.check import check_chemistry
    from nucleate.pipeline.files import read_candidates, write_candidates
    from nucleate.search.request import parse_formula

    formulas = [text for text in inputs if not _is_path(text)]
    paths = [text for text in inputs if _is_path(text)]
    if out is not None and not paths:
        raise NucleateError(
            "--out writes crystals, and there are only formulas here; give files as well, or leave it out"
        )
    rows: list[tuple[str, str, dict[str, Check], str | None]] = [
        (text, "", check_chemistry(parse_formula(text)), None) for text in formulas
    ]
    checked: list[Candidate] = []
    notes = Console(stderr=True)
    if paths:
        candidates, problems = read_candidates(paths)
        print_problems(problems, notes)
        checked = [c if c.failure else check_candidate(c) for c in candidates]
        rows += [(c.id, c.formula, dict(c.checks), c.failure) for c in checked]
    Console().print(_table(rows))
    if out is not None:
        for left in write_candidates(out, checked):
            notes.print(f"left out: {left.id} has no structure; only .jsonl holds such records", highlight=False)


def _is_path(text: str) -> bool:
    """Formulas have no slash, and no ending that is a word: "a.cif" is a file even where there is none."""
    path = Path(text)
    return path.exists() or "/" in text or "\\" in text or (len(path.suffix) > 2 and path.suffix[1:].isalpha())


def _table(rows: Sequence[tuple[str, str, dict[str, Check], str | None]]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("what", "check", "verdict", "reason")
    for name, formula, checks, failure in rows:
        label = f"{name} ({formula})" if formula and formula != name else name
        for check_name, verdict in checks.items():
            colour = COLOURS[verdict.verdict]
            table.add_row(escape(label), check_name, f"[{colour}]{verdict.verdict}[/]", escape(verdict.reason))
            label = ""
        if failure:
            table.add_row(escape(label), "", "[red]rejected[/]", escape(failure))
        table.add_section()
    return table
