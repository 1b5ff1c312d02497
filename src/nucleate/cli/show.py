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
    from nucleate.tasks.design import DesignResult


def show(
    paths: Annotated[list[Path], typer.Argument(help="A run folder, or structure files.")],
    everything: Annotated[bool, typer.Option("--all", help="Show all candidates of a run, not only the best.")] = False,
    config: Annotated[
        bool, typer.Option("--config", help="Print request and settings of a run, for nucleate design --config.")
    ] = False,
) -> None:
    """Show a run's ranked table, or the formula, symmetry and density of structure files."""
    from nucleate.cli.tables import TerminalColumn, output_console, print_problems, show_table

    if config:
        _print_config(paths)
        return
    console = output_console()
    if len(paths) == 1 and (paths[0] / "request.json").is_file():
        from nucleate.cli.screen import print_screening
        from nucleate.tasks.runs import load_run
        from nucleate.tasks.screen import ScreenResult

        run = load_run(paths[0])
        if isinstance(run, ScreenResult):
            print_screening(run, console, everything)
        else:
            print_run(run, console, everything)
        return
    from nucleate.chem.formula import formula_text
    from nucleate.cli.candidates import marked, radioactive
    from nucleate.crystal.geometry import mass_density, shortest_distance
    from nucleate.crystal.symmetry import space_group
    from nucleate.io import read_structures

    result = read_structures(paths)
    every = [item.structure for item in result.structures]
    groups = [space_group(s) for s in every]
    elements = [{e.symbol for e in s.composition.elements} for s in every]
    formulas = [marked(formula_text(s.composition), e) for s, e in zip(every, elements, strict=True)]
    columns = [
        TerminalColumn("name", [item.name for item in result.structures]),
        TerminalColumn("formula", formulas),
        TerminalColumn("space group", [f"{symbol} ({number})" for number, symbol in groups]),
        TerminalColumn("atoms", [str(len(s)) for s in every], right=True, gives_way=1),
        TerminalColumn("a, b, c\nÅ", [" ".join(f"{v:.3f}" for v in s.lattice.abc) for s in every], gives_way=4),
        TerminalColumn("angles\ndegrees", [" ".join(f"{v:.1f}" for v in s.lattice.angles) for s in every], gives_way=5),
        TerminalColumn("density\ng/cm³", [f"{mass_density(s):.2f}" for s in every], right=True, gives_way=2),
        TerminalColumn(
            "shortest\ndistance, Å", [f"{shortest_distance(s):.2f}" for s in every], right=True, gives_way=3
        ),
    ]
    if every:
        show_table(console, columns, radioactive(elements))
    print_problems([*result.problems, *result.remarks], console)


def _print_config(paths: Sequence[Path]) -> None:
    """The TOML file of a run of `design` or `screen`."""
    from nucleate.errors import NucleateError
    from nucleate.settings.files import settings_text
    from nucleate.tasks.run_file import run_file_text
    from nucleate.tasks.runs import load_run
    from nucleate.tasks.screen import ScreenResult

    if len(paths) != 1:
        raise NucleateError("--config takes the folder of one run of design or screen")
    run = load_run(paths[0])
    if isinstance(run, ScreenResult):
        text = settings_text(run.settings, "nucleate screen FILES", {})
    else:
        text = run_file_text(run.request, run.settings, "nucleate design")
    typer.echo(text, nl=False)


def print_run(result: DesignResult, console: Console, everything: bool = False) -> None:
    """Print the ranked table of a run, what happened to the other candidates, and where the files are."""
    from nucleate.cli.candidates import show_candidates
    from nucleate.cli.tables import print_problems
    from nucleate.language.chat import usage_text
    from nucleate.search.tree import summary_text, was_opened
    from nucleate.tasks.outputs import sources

    shown = result.all if everything else result.candidates
    whole = f"{result.folder}/report.html has them"
    show_candidates(console, shown, stable=result.request.stable, whole=whole)
    print_problems(result.problems, console)
    for line in _why(shown):
        console.print(line)
    if result.request.left_out:
        console.print(result.request.left_out)
    lost = [c for c in result.all if c.failure is not None and was_opened(c)]
    if lost and not everything:
        reasons = Counter(c.failure.stage for c in lost if c.failure)
        text = ", ".join(f"{n} at {stage}" for stage, n in reasons.items())
        console.print(f"{len(lost)} of {len(result.all)} candidates were rejected: {text}")
    if read := sources(result.all):
        console.print(f"read: {'; '.join(read)}", soft_wrap=True)
    if result.language:
        used = usage_text(result.language, result.settings.language.price)
        console.print(f"language model: {used}", soft_wrap=True)
    if result.tree:
        console.print(summary_text(result.tree))
        if result.tree["left"]:
            console.print(
                f"go on with: nucleate design --resume {result.folder} --seconds N or --evaluations N (in all)",
                soft_wrap=True,
            )
    if len(result.candidates) < result.request.candidates and not result.tree:
        console.print(
            f"only {len(result.candidates)} of the {result.request.candidates} asked for survived; raise --oversample",
            style="yellow",
        )
    spent = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in result.seconds.items())
    console.print(f"time: {spent}")
    console.print(f"files: {result.folder}/  (open {result.folder}/report.html)", soft_wrap=True)


def _why(candidates: Sequence[Candidate]) -> list[str]:
    """A line for each candidate with the wishes in words that it meets."""
    return [f"{c.id} {c.formula}: {', '.join(c.meets)}" for c in candidates if c.meets]
