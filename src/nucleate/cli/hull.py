"""`nucleate hull`: energies against known crystals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

Reference = Annotated[str, typer.Option(help="Reference energies: shipped set or file of `hull build`.")]


@app.command("run")
def run(
    files: Annotated[list[Path], typer.Argument(help="Relaxed candidates (of `nucleate relax`).")],
    reference: Reference = "chgnet-mp",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write .jsonl, .extxyz, .db, or a folder.")] = None,
) -> None:
    """Give candidates their formation energy and energy above the hull of known crystals."""
    from rich.console import Console

    from nucleate.cli.progress import StageBars
    from nucleate.cli.tables import print_problems, table
    from nucleate.errors import NucleateError
    from nucleate.pipeline.files import read_candidates, write_candidates
    from nucleate.pipeline.hull import HullStage
    from nucleate.pipeline.rank import rank, to_rows

    stage = HullStage(reference)
    candidates, problems = read_candidates(files)
    print_problems(problems, Console(stderr=True))
    if not any("energy" in c.energies for c in candidates):
        raise NucleateError("no candidate has an energy; relax them first: nucleate relax FILES --out relaxed.jsonl")
    living = [c for c in candidates if c.failure is None]
    done = [c for c in candidates if c.failure is not None]
    with StageBars() as bars:
        for result in stage(living):
            done.append(result.finished(stage.name))
            bars(stage.name, len(done) - len(candidates) + len(living), len(living))
    Console().print(table(to_rows(rank(done))))
    if out is not None:
        write_candidates(out, done)


@app.command("show")
def show(
    system: Annotated[str, typer.Argument(help="A chemical system, e.g. Li-Fe-O.")],
    reference: Reference = "chgnet-mp",
) -> None:
    """List the stable phases of a chemical system."""
    from rich.console import Console
    from rich.table import Table

    from nucleate.chem.elements import atomic_number
    from nucleate.cli.tables import energy
    from nucleate.errors import NucleateError
    from nucleate.pipeline.hull import stable_phases
    from nucleate.pipeline.reference import load_reference

    known = load_reference(reference)
    elements = [e for e in re.split(r"[-,\s]+", system.strip()) if e]
    if not elements:
        raise NucleateError(f"'{system}' is not a chemical system; write one like Li-Fe-O")
    for e in elements:
        atomic_number(e)
    phases = stable_phases(elements, known)
    out = Table(
        "formula", "e_form (eV/atom)", "source", caption=f"{known.method}, reference {known.name}: {known.note}"
    )
    for formula, source, e_form in phases:
        out.add_row(formula, energy(e_form), source)
    Console().print(out)


@app.command("build")
def build(
    out: Annotated[Path, typer.Option("--out", "-o", help="Parquet file to write.")],
    dataset: Annotated[str, typer.Option(help="Dataset or parquet file of known crystals.")] = "mp-20",
    max_e_hull: Annotated[float, typer.Option(help="Leave out crystals further above the hull (eV/atom).")] = 0.02,
    max_atoms: Annotated[int, typer.Option(help="Leave out larger primitive cells.")] = 40,
    potential: Annotated[str, typer.Option(help="Universal potential.")] = "chgnet",
    elements: Annotated[str, typer.Option(help="Only crystals of these elements, e.g. Li,Fe,O.")] = "",
) -> None:
    """Compute reference energies for known crystals; an interrupted build goes on when called again."""
    from rich.console import Console

    from nucleate.cli.progress import StageBars
    from nucleate.errors import NucleateError
    from nucleate.pipeline.known import known_table, select
    from nucleate.pipeline.reference_build import build_reference, selection_rule

    if max_e_hull < 0 or max_atoms < 1:
        raise NucleateError("--max-e-hull must not be negative and --max-atoms must be at least 1")
    if out.suffix != ".parquet":
        raise NucleateError(f"--out must end in .parquet, not '{out.name}'")
    wanted = [e for e in re.split(r"[-,\s]+", elements.strip()) if e]
    table = known_table(dataset, needs_hull=True)
    Console(stderr=True).print(f"choosing from {table.num_rows:,} crystals of {dataset}", highlight=False)
    crystals = select(table, max_e_hull, max_atoms, wanted or None)
    rule = selection_rule(max_e_hull, max_atoms)
    with StageBars() as bars:
        reference = build_reference(
            crystals,
            out,
            name=out.stem,
            potential=potential,
            metadata={"source": f"geometries of dataset {dataset}", "selection": rule},
            progress=lambda done, total: bars("reference", done, total),
        )
    Console().print(f"{out}: {len(reference)} crystals by {reference.method}: {reference.note}", highlight=False)
    Console().print(f"use it with --reference {out}", highlight=False)
