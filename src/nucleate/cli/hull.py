"""`nucleate hull`: energies against known crystals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nucleate.cli.groups import default_group

if TYPE_CHECKING:
    from nucleate.hull.reference import Entry
    from nucleate.library.entries import KnownEntry

app = typer.Typer(no_args_is_help=True, cls=default_group("show"))

Reference = Annotated[
    str,
    typer.Option(help="Known crystals: chgnet-mp, sevennet-mp, a file, a run folder, mp:Li-Fe-O; several with commas."),
]


Corrected = Annotated[
    bool | None,
    typer.Option("--corrected/--raw", help="Whether the energies in a table (.csv, .json) contain MP2020 corrections."),
]


@app.command("run")
def run(
    files: Annotated[list[Path], typer.Argument(help="Relaxed candidates (of `nucleate relax`).")],
    reference: Reference = "chgnet-mp",
    corrected: Corrected = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where candidates are written: .jsonl, .extxyz, .db, or a folder."),
    ] = None,
) -> None:
    """Give candidates their formation energy and energy above the hull of known crystals."""
    from nucleate.cli.candidates import show_candidates
    from nucleate.cli.progress import progress_shown
    from nucleate.cli.resumable import check_place
    from nucleate.cli.tables import output_console, print_problems
    from nucleate.errors import NucleateError
    from nucleate.hull.load import require_reference
    from nucleate.hull.sources import with_correction_endings
    from nucleate.pipeline.candidate import UNKNOWN, Check
    from nucleate.pipeline.candidate_files import read_candidates, write_candidates
    from nucleate.pipeline.rank import rank
    from nucleate.stages.hull import HullStage

    if out is not None:
        check_place(out)
    source = with_correction_endings(reference, corrected)
    require_reference(source)
    candidates, problems = read_candidates(files)
    print_problems(problems, output_console(stderr=True))
    if not any("energy" in c.energies for c in candidates):
        raise NucleateError("no candidate has an energy; relax them first: nucleate relax FILES --out relaxed.jsonl")
    stage = HullStage(source)
    living = [c for c in candidates if c.failure is None]
    done = [c for c in candidates if c.failure is not None]
    refused: list[NucleateError] = []  # energies of other methods
    with progress_shown() as watch:
        for candidate in living:
            try:
                (result,) = stage([candidate])
            except NucleateError as error:
                refused.append(error)
                result = candidate.with_(checks={"hull": Check(UNKNOWN, str(error))})
            done.append(result.finished(stage.name))
            watch.progress(stage.name, len(done) - len(candidates) + len(living), len(living))
    if refused and len(refused) == sum("energy" in c.energies for c in living):
        raise refused[0]
    if refused:
        output_console(stderr=True).print(f"{len(refused):,} not placed on the hull: {refused[0]}", style="yellow")
    show_candidates(output_console(), rank(done), decomposition=True, whole="--out FILE.jsonl writes all that is known")
    if out is not None:
        write_candidates(out, done)


@app.command("show")
def show(
    system: Annotated[str, typer.Argument(help="A chemical system, e.g. Li-Fe-O.")],
    reference: Reference = "chgnet-mp",
    corrected: Corrected = None,
    candidates: Annotated[
        Path | None, typer.Option(help="Candidates to draw into the diagram: a run folder or .jsonl of `hull run`.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Picture: .svg, .png, .pdf (default: Li-Fe-O.svg). Table: .csv, .json."),
    ] = None,
) -> None:
    """List the stable phases of a chemical system, and draw its phase diagram (two to four elements)."""
    from nucleate.chem.elements import atomic_number
    from nucleate.cli.tables import TerminalColumn, counted_noun, energy_text, output_console, show_table
    from nucleate.errors import NucleateError
    from nucleate.files import check_writable
    from nucleate.hull import phase_diagram, phase_table
    from nucleate.hull.distances import stable_phases
    from nucleate.hull.load import load_reference
    from nucleate.hull.sources import with_correction_endings
    from nucleate.library.library import load_library
    from nucleate.pipeline.candidate_files import read_candidates

    elements = list(dict.fromkeys(e for e in re.split(r"[-,\s]+", system.strip()) if e))
    if not elements:
        raise NucleateError(f"'{system}' is not a chemical system; write one like Li-Fe-O")
    for e in elements:
        atomic_number(e)
    drawable = len(elements) in phase_diagram.DRAWN_SIZES
    file = out or (Path(f"{'-'.join(elements)}.svg") if drawable else None)
    pictures, tables = phase_diagram.FORMATS, phase_table.FORMATS
    if file is not None and file.suffix.lower() not in (*pictures, *tables):
        known_endings = f"a picture is {', '.join(pictures)}, a table of the phases {' or '.join(tables)}"
        raise NucleateError(f"--out {file} has no known ending: {known_endings}")
    if file is not None:
        check_writable(file)
    needs_picture = candidates is not None if file is None else file.suffix.lower() in pictures
    if needs_picture and not drawable:
        raise NucleateError(
            f"a picture has 2, 3 or 4 elements, not {len(elements)}; a table of the phases has any number: "
            f"--out {'-'.join(elements)}.csv (or .json)"
        )
    known = load_reference(with_correction_endings(reference, corrected))
    phases = stable_phases(elements, known)
    library = load_library()
    crystals = [library.get(entry.source) for entry, _ in phases]
    columns = [
        TerminalColumn("formula", [entry.formula for entry, _ in phases]),
        TerminalColumn("e_form\neV/atom", [energy_text(e_form) for _, e_form in phases], right=True),
        TerminalColumn("prototype", [_prototype(*pair) for pair in zip(crystals, phases, strict=True)], gives_way=1),
        TerminalColumn("made", [_made(of) for of in crystals]),
        TerminalColumn("source", [entry.source for entry, _ in phases]),
    ]
    console = output_console()
    stable = f"{counted_noun(len(phases), 'phase is', 'phases are')} stable in {'-'.join(elements)}"
    show_table(console, columns, [stable, f"energies: {known.method}, reference {known.name}: {known.note}"])
    if file is not None:
        source = candidates / "candidates.jsonl" if candidates is not None and candidates.is_dir() else candidates
        found = (
            phase_diagram.candidate_phases(read_candidates([source])[0], elements, known) if source is not None else []
        )
        drawn = file.suffix.lower() in pictures
        write = phase_diagram.draw_phase_diagram if drawn else phase_table.write_phases
        written = write(file, elements, known, found)
        among = f", {counted_noun(len(found), 'candidate formula')}" if candidates is not None else ""
        verb = "drawn" if drawn else "written"
        console.print(f"{verb} in {file}: {counted_noun(len(written), 'known formula')}{among}", soft_wrap=True)


def _prototype(crystal: KnownEntry | None, phase: tuple[Entry, float]) -> str:
    """The label of a known crystal; without the letters of its sites where the library does not have it."""
    entry, _ = phase
    return crystal.prototype if crystal is not None else entry.prototype if entry.space_group else "-"


def _made(crystal: KnownEntry | None) -> str:
    """Whether a known crystal was made in an experiment."""
    made = crystal.experimental if crystal is not None else None
    return "-" if made is None else "yes" if made else "no"


@app.command("build")
def build(
    out: Annotated[Path, typer.Option("--out", "-o", help="Parquet file to write.")],
    dataset: Annotated[
        str, typer.Option(help="Known crystals: known (those that come with nucleate), a dataset, or a parquet file.")
    ] = "known",
    max_e_hull: Annotated[float, typer.Option(help="Leave out crystals further above the hull (eV/atom).")] = 0.02,
    max_atoms: Annotated[int, typer.Option(help="Leave out primitive cells with more atoms.")] = 40,
    potential: Annotated[str, typer.Option(help="Universal potential.")] = "chgnet",
    elements: Annotated[str, typer.Option(help="Only crystals of these elements, e.g. Li,Fe,O.")] = "",
    correct: Annotated[
        bool | None,
        typer.Option("--correct/--raw", help="Add MP2020 corrections (default: if the potential is uncorrected)."),
    ] = None,
) -> None:
    """Compute reference energies for known crystals; an interrupted build goes on when called again."""
    from nucleate.cli.progress import progress_shown
    from nucleate.cli.tables import counted_noun, output_console
    from nucleate.errors import NucleateError
    from nucleate.files import check_ending
    from nucleate.hull.build import build_reference, selection_rule
    from nucleate.hull.known_crystals import known_source, select_crystals

    if max_e_hull < 0 or max_atoms < 1:
        raise NucleateError("--max-e-hull must not be negative and --max-atoms must be at least 1")
    check_ending(out, (".parquet",))
    wanted = [e for e in re.split(r"[-,\s]+", elements.strip()) if e]
    source = known_source(dataset)
    output_console(stderr=True).print(f"choosing from {len(source):,} crystals of {dataset}")
    crystals = select_crystals(source, max_e_hull, max_atoms, wanted or None)
    rule = selection_rule(max_e_hull, max_atoms)
    with progress_shown() as watch:
        reference = build_reference(
            crystals,
            out,
            name=out.stem,
            potential=potential,
            correct=correct,
            metadata={"source": f"geometries of {dataset}", "selection": rule},
            progress=watch.counter("reference"),
        )
    output_console().print(f"{out}: {counted_noun(len(reference), 'crystal')} by {reference.method}: {reference.note}")
    output_console().print(f"use it with --reference {out}", soft_wrap=True)
