"""`nucleate design`: a request in, ranked crystals out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.cli.from_settings import Config, ShowConfig, request_from, with_settings
from nucleate.cli.options import (
    Contains,
    Elements,
    Engine,
    Exclude,
    Fix,
    LatticeShape,
    Mask,
    NumAtoms,
    NumElements,
    Properties,
    Sites,
    SpaceGroup,
    Workers,
)
from nucleate.settings import DesignSettings

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.request.request import Request

COMMAND = "nucleate design"
CHANGEABLE = "seconds", "evaluations", "llm"  # settings that a run may go on with


@with_settings(DesignSettings)
def design(
    request: Annotated[
        str,
        typer.Argument(help='"SrTiO3", "Li-Fe-O", "a cobalt spinel", "anything"; ", 5 candidates", ", cubic".'),
    ] = "",
    elements: Elements = None,
    contains: Contains = None,
    exclude: Exclude = None,
    num_elements: NumElements = None,
    candidates: Annotated[
        int | None, typer.Option("--candidates", "-n", help="Number of crystals to return (default 5).")
    ] = None,
    num_atoms: NumAtoms = None,
    properties: Properties = None,
    space_group: SpaceGroup = "",
    sites: Sites = "",
    fix: Fix = None,
    mask: Mask = "lattice",
    lattice_shape: LatticeShape = None,
    *,
    given: Mapping[str, Any],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Run folder (default: runs/<request>).")] = None,
    resume: Annotated[Path | None, typer.Option(help="Finish the interrupted run in this folder.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the run in the folder.")] = False,
    config: Config = None,
    show_config: ShowConfig = False,
    workers: Workers = 0,
    engine: Engine = "",
) -> None:
    """Design crystals: generate, check, relax, place on the hull, test novelty, rank, report.

    Where --generator names a model of formulas, or the request a family, formulas are made and checked first and then
    get structures. A tree search (--search) keeps to a budget. --show-config prints a file that --config runs again."""
    from nucleate.cli.interrupts import going_on
    from nucleate.cli.progress import progress_shown
    from nucleate.cli.tables import output_console
    from nucleate.engine.registry import get_executor
    from nucleate.tasks.blueprint import cautions, decided
    from nucleate.tasks.design import design as run
    from nucleate.tasks.design import folder_for
    from nucleate.tasks.design import resume as finish
    from nucleate.tasks.run_file import run_file_text

    options = {
        "elements": elements,
        "contains": contains,
        "exclude": exclude,
        "num_elements": num_elements,
        "num_atoms": num_atoms,
        "properties": properties or None,
        "space_group": space_group or None,
        "sites": sites or None,
    }
    asked = {name: value for name, value in options.items() if value is not None}
    kept = {"fix": fix, "lattice_shape": lattice_shape}
    said = {"request": request, "property": properties, **asked, **kept, "properties": None}
    console, notes = output_console(), output_console(stderr=True)
    if resume is not None:
        _require_alone(resume, [*said.values(), candidates], given, config)
        if show_config:
            _print_config(resume)
            return
        with going_on(f"finish it with: nucleate design --resume {resume}"), progress_shown() as watch:
            again = {name: given[name] for name in CHANGEABLE if name in given}
            result = finish(resume, executor=get_executor(workers or None, engine), watch=watch, **again)
    else:
        wanted, settings = request_from(config, DesignSettings, COMMAND, given, said, candidates)
        if wanted is None:
            wanted = _read_request(request, asked, candidates, fix, mask, lattice_shape)
        settings = decided(wanted, settings)
        if show_config:
            typer.echo(run_file_text(wanted, settings, COMMAND), nl=False)
            return
        notes.print(f"Understood as: {wanted.describe()}", style="bold")
        _warn_if_unbalanced(wanted, notes)
        for line in cautions(wanted, settings):
            notes.print(f"warning: {line}", style="yellow")
        folder = out or folder_for(wanted.text or "anything")
        with going_on(f"finish it with: nucleate design --resume {folder}"), progress_shown() as watch:
            result = run(
                wanted,
                folder,
                settings,
                executor=get_executor(workers or None, engine),
                watch=watch,
                overwrite=overwrite,
            )
    from nucleate.cli.show import print_run

    print_run(result, console)


def _read_request(
    text: str,
    asked: Mapping[str, Any],
    candidates: int | None,
    fix: Path | None,
    mask: str,
    lattice_shape: str | None,
) -> Request:
    """The request that the command line makes."""
    from nucleate.cli.options import with_parts
    from nucleate.request.parse import parse_request

    wanted = with_parts(parse_request(text, candidates=candidates, **asked), fix, mask, lattice_shape)
    return dataclasses.replace(wanted, text=text or asked.get("elements") or "")


def _require_alone(folder: Path, said: Sequence[Any], given: Mapping[str, Any], config: Path | None) -> None:
    """Raise NucleateError for what would change a run that goes on."""
    from nucleate.errors import NucleateError

    if any(value is not None and value != "" for value in said):
        raise NucleateError("--resume takes the request from the run; give no other")
    others = [key for key in given if key not in CHANGEABLE] + (["config"] if config is not None else [])
    if others:
        raise NucleateError(
            f"--resume takes the settings from the run; leave --{others[0].replace('_', '-')} out (--seconds, "
            f"--evaluations and --llm may be given), or begin another run than {folder}"
        )


def _print_config(folder: Path) -> None:
    from nucleate.tasks.design import load_run
    from nucleate.tasks.run_file import run_file_text

    result = load_run(folder)
    typer.echo(run_file_text(result.request, result.settings, COMMAND), nl=False)


def _warn_if_unbalanced(request: Request, notes: Console) -> None:
    if request.composition is None:
        return
    from nucleate.chem.formula import formula_text
    from nucleate.chem.valence import charge_verdict

    verdict = charge_verdict(request.composition)
    if verdict.verdict == "fail":
        notes.print(f"warning: {formula_text(request.composition)}: {verdict.reason}", style="yellow")
