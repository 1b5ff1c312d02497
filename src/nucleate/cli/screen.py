"""`nucleate screen`: crystals made elsewhere in, a ranked table and a report out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.cli.from_settings import Config, ShowConfig, settings_from, with_settings
from nucleate.cli.options import CRYSTAL_FILES, Workers
from nucleate.settings import ScreenSettings

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.tasks.screen import ScreenResult


COMMAND = "nucleate screen"
FILES = "files"  # the key of a file with settings that says which crystals are judged


@with_settings(ScreenSettings)
def screen(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILES|DIR...]", help=f"Crystals: {CRYSTAL_FILES}."),
    ] = None,
    *,
    given: Mapping[str, Any],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Run folder (default: runs/screen-<first file>).")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Finish the interrupted screening in this folder.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in the folder.")] = False,
    config: Config = None,
    show_config: ShowConfig = False,
    workers: Workers = 0,
) -> None:
    """Judge crystals that were made elsewhere: check, relax, place on the hull, test novelty, ask a second potential,
    rank, report. A killed call goes on with --resume."""
    from nucleate.cli.interrupts import going_on
    from nucleate.cli.progress import progress_shown
    from nucleate.cli.tables import output_console, print_problems
    from nucleate.engine.local import executor
    from nucleate.errors import NucleateError
    from nucleate.pipeline.candidate_files import read_candidates
    from nucleate.settings.files import settings_text
    from nucleate.store.folders import require_free_folder
    from nucleate.tasks.screen import load_screen, require_settings, resume_screen, screen_candidates

    if resume is not None:
        _require_alone(files, given, config)
    settings, task = settings_from(config, ScreenSettings, COMMAND, given, [FILES])
    paths = _files(files or [], config, task)
    if resume is None and not paths:
        raise NucleateError("give the files or folders of the crystals, or --resume RUN")
    if show_config:
        task = {FILES: list(map(str, paths))}
        settings = load_screen(resume).settings if resume is not None else settings
        require_settings(settings)
        typer.echo(settings_text(settings, COMMAND, {} if resume is not None else task), nl=False)
        return
    folder = resume or out or Path("runs") / f"screen-{paths[0].resolve().stem}"
    with going_on(f"finish it with: nucleate screen --resume {folder}"):
        if resume is not None:
            with progress_shown() as watch:
                result = resume_screen(resume, executor=executor(workers or None), watch=watch)
        else:
            require_settings(settings)
            require_free_folder(folder, overwrite)
            crystals, problems = read_candidates(paths)
            print_problems(problems, output_console(stderr=True))
            names = ", ".join(path.resolve().name for path in paths[:3])
            more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
            with progress_shown() as watch:
                result = screen_candidates(
                    crystals,
                    folder,
                    settings,
                    title=f"{names}{more}",
                    executor=executor(workers or None),
                    watch=watch,
                    overwrite=overwrite,
                )
    print_screening(result, output_console())


def _require_alone(files: Sequence[Path] | None, given: Mapping[str, Any], config: Path | None) -> None:
    """Raise NucleateError for what would change a screening that goes on."""
    from nucleate.errors import NucleateError

    if files:
        raise NucleateError("--resume takes the crystals from the run; give no files")
    if others := [*given, *(["config"] if config is not None else [])]:
        raise NucleateError(f"--resume takes the settings from the run; leave --{others[0].replace('_', '-')} out")


def _files(files: Sequence[Path], config: Path | None, task: Mapping[str, Any]) -> list[Path]:
    """The files of the command line, or of the file with the settings."""
    from nucleate.errors import NucleateError

    if FILES not in task:
        return list(files)
    if files:
        raise NucleateError(f"{config} has {FILES}; leave FILES out, or take {FILES} out of the file")
    if not isinstance(task[FILES], list) or not all(isinstance(path, str) for path in task[FILES]):
        raise NucleateError(f"{config}: '{FILES}' is a list of names of files, not {task[FILES]!r}")
    return list(map(Path, task[FILES]))


def print_screening(result: ScreenResult, console: Console, everything: bool = False) -> None:
    """The ranked table, what became of the rest, and where the files are."""
    from collections import Counter

    from nucleate.cli.candidates import show_candidates
    from nucleate.cli.tables import counted_noun, print_problems

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
        console.print(f"{len(lost):,} of {counted_noun(len(result.all), 'crystal')} were rejected: {text}")
    console.print(f"time: {', '.join(f'{stage} {seconds:.0f} s' for stage, seconds in result.seconds.items())}")
    console.print(f"files: {result.folder}/  (open {result.folder}/report.html)", soft_wrap=True)
