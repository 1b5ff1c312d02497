"""`nucleate show`: a run or structure files, on the terminal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from nucleate.pipeline.candidate import Candidate
    from nucleate.search.design import DesignResult


def show(
    paths: Annotated[list[Path], typer.Argument(help="A run folder, or structure files.")],
    everything: Annotated[bool, typer.Option("--all", help="All candidates of a run, not only the best.")] = False,
) -> None:
    """Show a run's ranked table, or the formula, symmetry and density of structure files."""
    from rich.console import Console

    console = Console()
    if len(paths) == 1 and (paths[0] / "request.json").is_file():
        from nucleate.search.design import load_run

        print_run(load_run(paths[0]), console, everything)
        return
    from rich.table import Table

    from nucleate.cli.tables import print_problems
    from nucleate.crystal.geometry import density, shortest_distance
    from nucleate.crystal.symmetry import space_group
    from nucleate.io import read_structures

    result = read_structures(paths)
    table = Table("name", "formula", "space group", "atoms", "a, b, c (Å)", "angles (°)", "g/cm³", "shortest (Å)")
    for item in result.structures:
        s = item.structure
        number, symbol = space_group(s)
        table.add_row(
            item.name,
            s.composition.reduced_formula,
            f"{symbol} ({number})",
            str(len(s)),
            " ".join(f"{v:.3f}" for v in s.lattice.abc),
            " ".join(f"{v:.1f}" for v in s.lattice.angles),
            f"{density(s):.2f}",
            f"{shortest_distance(s):.2f}",
        )
    console.print(table)
    print_problems([*result.problems, *result.remarks], console)


def print_run(result: DesignResult, console: Console, everything: bool = False) -> None:
    """The ranked table of a run, what became of the rest, and where the files are."""
    from nucleate.cli.tables import print_problems, table
    from nucleate.pipeline.rank import to_rows
    from nucleate.search.chat import usage_text
    from nucleate.search.outputs import sources
    from nucleate.search.tree import opened, summary_text

    console.print(table(to_rows(result.all if everything else result.candidates)))
    print_problems(result.problems, console)
    for line in _why(result.all if everything else result.candidates):
        console.print(line, highlight=False, markup=False)
    lost = [c for c in result.all if c.failure is not None and opened(c)]
    if lost and not everything:
        reasons = Counter(str(c.failure).split(":")[0] for c in lost)
        text = ", ".join(f"{n} at {stage}" for stage, n in reasons.items())
        console.print(f"{len(lost)} of {len(result.all)} candidates were rejected: {text}", highlight=False)
    if read := sources(result.all):
        console.print(f"read: {'; '.join(read)}", highlight=False, markup=False, soft_wrap=True)
    if result.language:
        used = usage_text(result.language, result.settings.llm_price)
        console.print(f"language model: {used}", highlight=False, soft_wrap=True)
    if result.tree:
        console.print(summary_text(result.tree), highlight=False)
        if result.tree["left"]:
            console.print(
                f"go on with: nucleate design --resume {result.folder} --seconds N or --evaluations N (in all)",
                highlight=False,
                soft_wrap=True,
            )
    if len(result.candidates) < result.request.candidates and not result.tree:
        console.print(
            f"only {len(result.candidates)} of the {result.request.candidates} asked for survived; raise --oversample",
            style="yellow",
            highlight=False,
        )
    spent = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in result.seconds.items())
    console.print(f"time: {spent}", highlight=False)
    console.print(f"files: {result.folder}/  (open {result.folder}/report.html)", highlight=False, soft_wrap=True)


def _why(candidates: Sequence[Candidate]) -> list[str]:
    """What holds of a request in plain words, candidate by candidate."""
    return [f"{c.id} {c.formula}: {', '.join(c.provenance['why'])}" for c in candidates if c.provenance.get("why")]
