"""`nucleate compose`: new formulas from a composition language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.cli.from_settings import Config, ShowConfig, request_from, with_settings
from nucleate.cli.options import Contains, Exclude, NumElements, Properties
from nucleate.settings import ComposeSettings

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.pipeline.candidate import Candidate

COMMAND = "nucleate compose"
SHOWN = 40  # formulas on the screen
DEFAULT = 20  # formulas that are drawn


@with_settings(ComposeSettings)
def compose(
    request: Annotated[
        str,
        typer.Argument(help='Nothing, a chemical system ("Li-Fe-O"), or a formula with gaps ("Li ? O4", "Ba Ti *").'),
    ] = "",
    n: Annotated[
        int | None, typer.Option("--number", "-n", help=f"Number of formulas to draw (default {DEFAULT}).")
    ] = None,
    contains: Contains = None,
    exclude: Exclude = None,
    num_elements: NumElements = None,
    num_atoms: Annotated[int | None, typer.Option(help="Atoms in the formula.")] = None,
    properties: Properties = None,
    *,
    given: Mapping[str, Any],
    config: Config = None,
    show_config: ShowConfig = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="File for the formulas: .txt (one in each line), .csv with verdicts, or .jsonl."
        ),
    ] = None,
) -> None:
    """Draw new formulas, with chemical checks of each."""
    from nucleate.cli.check import write_verdicts
    from nucleate.cli.progress import progress_shown
    from nucleate.cli.tables import counted_noun, output_console
    from nucleate.files import check_ending
    from nucleate.generators.without_elements import without_elements
    from nucleate.io import replacing
    from nucleate.request.parse import parse_request
    from nucleate.search.names import require_named
    from nucleate.tasks.compose import compose as draw
    from nucleate.tasks.compose import condition_of
    from nucleate.tasks.run_file import run_file_text

    if out is not None:
        check_ending(out, (".txt", ".csv", ".jsonl"))
    own: dict[str, Any] = {
        "contains": contains,
        "exclude": exclude,
        "num_elements": num_elements,
        "num_atoms": num_atoms,
    }
    said = {"request": request, "property": properties, **own}
    wanted, settings = request_from(config, ComposeSettings, COMMAND, given, said, n, "number")
    if wanted is None:
        wanted = parse_request(request, candidates=n, default=DEFAULT, properties=properties or (), **own)
    condition, n = condition_of(wanted), wanted.candidates
    require_named(settings)
    if show_config:
        typer.echo(run_file_text(wanted, settings, COMMAND), nl=False)
        return
    from nucleate.generators.registry import get_formula_generator

    sampling = settings.sampling
    generator = get_formula_generator(
        settings.weights,
        steps=sampling.steps or None,
        sampler=sampling.sampler or None,
        guidance_scale=sampling.guidance,
        species_temperature=sampling.temperature,
    )
    offered = without_elements(generator, wanted.unasked)
    with progress_shown() as watch:
        made = draw(offered, condition, n, settings.seed, valid=settings.valid, progress=watch.counter("compose"))
    console, notes = output_console(), output_console(stderr=True)
    _show(made[:SHOWN], console)
    if len(made) > SHOWN:
        console.print(f"and {len(made) - SHOWN:,} more; --out FILE writes them all")
    if wanted.left_out:
        console.print(wanted.left_out)
    if len(made) < n:
        notes.print(f"only {len(made)} of {n} formulas were found; the wishes seem to allow no more", style="yellow")
    if out is not None and out.suffix.lower() == ".txt":
        with replacing(out) as temporary:
            temporary.write_text("".join(f"{c.id}\n" for c in made), encoding="utf-8")
    elif out is not None:
        write_verdicts(out, made, notes)
    if out is not None:
        console.print(f"{counted_noun(len(made), 'formula')} in {out}")


def _show(made: Sequence[Candidate], console: Console) -> None:
    """One row for each formula: the ions that make it neutral and balanced, and the states that the network gives."""
    from nucleate.cli.candidates import elements_of, marked, radioactive, state_sets
    from nucleate.cli.tables import TerminalColumn, coloured, show_table

    charges, states = [], []
    for c in made:
        if c.failure:
            charges.append(coloured("fail", str(c.failure)))
            states.append(coloured(""))
            continue
        charge = c.checks["charge" if c.checks["charge"].verdict != "pass" else "electronegativity"]
        charges.append(coloured(charge.verdict, charge.reason))
        states.append(coloured(c.checks["oxidation"].verdict, c.checks["oxidation"].reason))
    columns = [
        TerminalColumn("formula", [marked(c.id, elements_of(c)) for c in made]),
        TerminalColumn("charge and electronegativity", charges, gives_way=1, folds=20),
        TerminalColumn("oxidation states by the network", states, gives_way=2, folds=20),
    ]
    balanced = sum(not c.failure and not any(v.verdict == "fail" for v in c.checks.values()) for c in made)
    said = f"{balanced} of the {len(made)} fail none of these checks"
    show_table(
        console,
        columns,
        [said, *state_sets(made), *radioactive(map(elements_of, made))],
        whole="--out FILE.csv writes them",
    )
