"""`nucleate screen`: crystals made elsewhere in, a ranked table and a report out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nucleate.cli.options import CRYSTAL_FILES, Potential, Workers

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.tasks.screen import ScreenResult


def screen(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILES|DIR...]", help=f"Crystals: {CRYSTAL_FILES}."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Run folder (default: runs/screen-<first file>).")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Finish the interrupted screening in this folder.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in the folder.")] = False,
    best: Annotated[
        int,
        typer.Option("--best", "-n", min=1, help="Show so many, which the second potential judges as well."),
    ] = 10,
    potential: Potential = "chgnet",
    fmax: Annotated[float, typer.Option(help="Force threshold, eV/angstrom.")] = 0.05,
    relax_steps: Annotated[int, typer.Option(min=0, help="Relaxation steps at most.")] = 300,
    time_limit: Annotated[
        float | None, typer.Option(help="Seconds for one crystal; then it stays as far as it is.")
    ] = None,
    reference: Annotated[str, typer.Option(help="Reference energies: shipped set or file.")] = "chgnet-mp",
    known: Annotated[str, typer.Option(help="Dataset to test novelty against, e.g. mp-20.")] = "",
    second: Annotated[
        str, typer.Option(help="Second potential, which judges the best again: auto, none, or as --potential.")
    ] = "auto",
    second_reference: Annotated[str, typer.Option(help="Its reference energies (auto: the shipped set).")] = "auto",
    phonons: Annotated[int, typer.Option(min=0, help="Test so many of the best for imaginary modes.")] = 0,
    workers: Workers = 0,
) -> None:
    """Judge crystals that were made elsewhere: check, relax, place on the hull, test novelty, ask a second potential,
    rank, report. A killed call goes on with --resume."""
    from nucleate.cli.interrupts import going_on
    from nucleate.cli.progress import progress_shown
    from nucleate.cli.tables import print_problems
    from nucleate.cli.tables import screen as console_of
    from nucleate.engine.local import executor
    from nucleate.errors import NucleateError
    from nucleate.pipeline.candidate_files import read_candidates
    from nucleate.settings.screen import ScreenSettings
    from nucleate.store.folders import require_free_folder
    from nucleate.tasks.screen import require_settings, resume_screen, screen_candidates

    if resume is not None and files:
        raise NucleateError("--resume takes the crystals from the run; give no files")
    if resume is None and not files:
        raise NucleateError("give the files or folders of the crystals, or --resume RUN")
    paths = files or []
    folder = resume or out or Path("runs") / f"screen-{paths[0].resolve().stem}"
    with going_on(f"finish it with: nucleate screen --resume {folder}"):
        if resume is not None:
            with progress_shown() as watch:
                result = resume_screen(resume, executor=executor(workers or None), watch=watch)
        else:
            settings = ScreenSettings.of(
                best=best,
                potential=potential,
                fmax=fmax,
                relax_steps=relax_steps,
                time_limit=time_limit,
                reference=reference,
                known=known,
                second=second,
                second_reference=second_reference,
                phonons=phonons,
            )
            require_settings(settings)
            require_free_folder(folder, overwrite)
            given, problems = read_candidates(paths)
            print_problems(problems, console_of(stderr=True))
            names = ", ".join(path.resolve().name for path in paths[:3])
            more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
            with progress_shown() as watch:
                result = screen_candidates(
                    given,
                    folder,
                    settings,
                    title=f"{names}{more}",
                    executor=executor(workers or None),
                    watch=watch,
                    overwrite=overwrite,
                )
    print_screening(result, console_of())


def print_screening(result: ScreenResult, console: Console, everything: bool = False) -> None:
    """The ranked table, what became of the rest, and where the files are."""
    from collections import Counter

    from nucleate.cli.candidates import show_candidates
    from nucleate.cli.tables import print_problems, some

    shown = result.all if everything else result.candidates
    show_candidates(console, shown, whole=f"{result.folder}/report.html has them")
    print_problems(result.problems, console)
    more = sum(c.failure is None for c in result.all) - len(shown)
    if more > 0:
        console.print(f"{more:,} more came through; nucleate show {result.folder} --all lists them", soft_wrap=True)
    lost = [c.failure for c in result.all if c.failure is not None]
    if lost and not everything:
        counts = Counter(failure.stage for failure in lost)
        text = ", ".join(f"{n:,} at {stage}" for stage, n in counts.items())
        console.print(f"{len(lost):,} of {some(len(result.all), 'crystal')} were rejected: {text}")
    console.print(f"time: {', '.join(f'{stage} {seconds:.0f} s' for stage, seconds in result.seconds.items())}")
    console.print(f"files: {result.folder}/  (open {result.folder}/report.html)", soft_wrap=True)
