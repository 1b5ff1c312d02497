"""`nucleate evaluate dng`: the metrics of the field for crystals that were generated without a given formula."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nucleate.evaluate.inputs import CrystalSet
    from nucleate.evaluate.measurements import DngSettings
    from nucleate.evaluate.metric import Report
    from nucleate.pipeline.events import Watch


def dng(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Files or folders of generated crystals, or a data set such as mp-20:val.", metavar="FILES..."
        ),
    ],
    reference: Annotated[str, typer.Option(help="Real crystals to compare with: data set and split, or file.")] = (
        "mp-20:test"
    ),
    protocol: Annotated[
        list[str] | None,
        typer.Option(help="cdvae-2022, mattergen-2025, lemat-2025 or crystalite-2026; several may be given."),
    ] = None,
    known: Annotated[
        str | None, typer.Option(help="Known crystals for novelty; default: the reference's training split.")
    ] = None,
    floor: Annotated[
        str | None,
        typer.Option(
            help="Real crystals that are measured in the same way and show the value of a perfect model; default: as "
            "--known; none: without."
        ),
    ] = None,
    relax: Annotated[
        int, typer.Option(min=0, help="Relax this many crystals, drawn at random, for stability (resumable).")
    ] = 0,
    e_above_hull: Annotated[
        str | None,
        typer.Option("--e-above-hull", help="Column of the files that has e_above_hull, if named otherwise."),
    ] = None,
    energies: Annotated[
        bool, typer.Option(help="Formation energies and network features of 1,000 valid crystals, by --potential.")
    ] = True,
    potential: Annotated[
        str,
        typer.Option(help="Universal potential, or a property network (shipped name or file), which cannot relax."),
    ] = "chgnet",
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random subsets.")] = 0,
    time_limit: Annotated[float, typer.Option(min=0.1, help="Seconds for one crystal or one comparison.")] = 20.0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: every core.")] = None,
    cache: Annotated[bool, typer.Option(help="Keep measurements on disk, so that a second run is fast.")] = True,
    out: Annotated[Path | None, typer.Option(help="Folder for report.json, report.html and relaxed crystals.")] = None,
) -> None:
    """Validity, coverage, distributions, uniqueness, novelty, stability and symmetry, with intervals and floors."""
    from nucleate.cli.interrupts import going_on
    from nucleate.cli.progress import progress_shown
    from nucleate.data.catalog import user_cache
    from nucleate.errors import NucleateError
    from nucleate.evaluate.dng import evaluate_dng
    from nucleate.evaluate.inputs import read_crystals
    from nucleate.evaluate.measurements import DEFAULT_PROTOCOLS, DngSettings
    from nucleate.evaluate.measures.network import property_network
    from nucleate.evaluate.protocols import get_protocol
    from nucleate.search.names import require_names

    check_report_folder(out)
    names = tuple(dict.fromkeys(protocol or DEFAULT_PROTOCOLS))
    for name in names:
        get_protocol(name)
    if relax and out is None:
        raise NucleateError("--relax needs --out, a folder that keeps the relaxed crystals")
    if property_network(potential) is not None and relax:
        raise NucleateError(
            f"--relax needs a universal potential; {potential} has no forces: relax in a run of its own"
        )
    columns = {"e_above_hull": e_above_hull} if e_above_hull else {}
    require_names(datasets=[name for name in (known, floor) if name and name != "none"])
    generated = read_crystals(files, columns)
    base = read_crystals([reference])
    train = f"{base.dataset}:train" if base.dataset else "mp-20:train"
    settings = DngSettings(names, known or train, energies, potential=potential, seed=seed, time_limit=time_limit)
    kept = "the same command goes on from what is measured" if cache else "give the command again"
    with going_on(kept), progress_shown() as watch:
        real = _floor(floor or known or train)
        relaxed = relax_sample(generated, relax, settings, out, workers, watch) if relax and out is not None else None
        report = evaluate_dng(
            generated,
            base,
            settings,
            floor=real,
            relaxed=relaxed,
            workers=workers,
            watch=watch,
            cache=user_cache() / "evaluate" if cache else None,
        )
    show_and_write(report, out, [*generated.notes, *base.notes])


def check_report_folder(out: Path | None) -> None:
    """Raise NucleateError where the folder for the report cannot be written, before any work is done."""
    from nucleate.files import check_writable

    if out is not None:
        check_writable(out, folder=True)


def _floor(name: str) -> CrystalSet | None:
    from nucleate.evaluate.inputs import read_crystals

    return None if name == "none" else read_crystals([name])


def relax_sample(
    generated: CrystalSet, n: int, settings: DngSettings, out: Path, workers: int | None, watch: Watch
) -> CrystalSet:
    """Relax n crystals, drawn by the seed, and place them on the hull. The run folder keeps what is done."""
    from nucleate.engine.registry import get_executor
    from nucleate.evaluate.relaxed import from_candidates, sample_candidates, stages
    from nucleate.store.database import RunStore
    from nucleate.store.journal import run_with_journal

    folder = out / "relaxed"
    folder.mkdir(parents=True, exist_ok=True)
    with RunStore(folder) as store:
        blank = sample_candidates(generated, n, settings)
        finished = run_with_journal(store, blank, stages(settings), get_executor(workers), watch)
    order = {c.id: c for c in finished}
    return from_candidates([order[c.id] for c in blank], f"{len(blank):,} of {generated.name}, relaxed")


def protocol_text(fields: Mapping[str, object]) -> str:
    """The thresholds of a protocol in one paragraph, and its notes below."""
    told = ("name", "title", "source", "notes", "sections")
    values = {k: v for k, v in fields.items() if k not in told and v not in (None, False, (), [], {})}
    values |= {k: v for k, v in fields.items() if isinstance(v, float)}  # a threshold of 0.0 is one, too
    said = "; ".join(f"{k} {_words(v)}" for k, v in values.items())
    notes = fields.get("notes", ())
    return "\n".join([said, *(f"- {note}" for note in notes)] if isinstance(notes, tuple | list) else [said])


def _words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_words(v)}" for k, v in value.items())
    if isinstance(value, tuple | list):
        return "/".join(_words(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def show_and_write(report: Report, out: Path | None, notes: Sequence[str] = (), strong: Container[str] = ()) -> None:
    """Print the tables and notes of a report; write report.json and report.html into the folder.

    strong: names of metrics that are printed in bold, those that the protocol itself reports.
    """
    from nucleate.cli.metrics import show_report
    from nucleate.cli.tables import output_console
    from nucleate.evaluate.csp import write_whole
    from nucleate.report.evaluation_page import write_page

    console = output_console()
    console.print(f"{report.subject}: {report.n:,} against {report.reference or 'nothing'}", style="bold")
    for name, fields in report.protocol.items():
        console.print(f"{name}: {fields['title']}; {fields['source']}")
        console.print(protocol_text(fields), style="dim")
    for note in notes:
        console.print(note, style="yellow")
    show_report(console, report, strong)
    seconds = ", ".join(f"{stage} {s:.3g} s" for stage, s in report.seconds.items() if s >= 0.1)
    if seconds:
        console.print(f"Time: {seconds}", style="dim")
    if out is not None:
        write_whole(out / "report.json", report.to_json())
        write_page(out / "report.html", report)
        console.print(f"Written: {out / 'report.json'}, {out / 'report.html'}", soft_wrap=True)
