"""Commands that write crystals to a file or folder, and continue where an earlier call was killed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.events import Listener
    from nucleate.pipeline.stage import Stage
    from nucleate.store.part import PartFile


def check_out(out: Path, overwrite: bool, *more: str) -> None:
    """Raise NucleateError where `out` exists (unless `overwrite`) or cannot be written, before any work is done. more:
    endings that are allowed beside those of crystals."""
    from nucleate.errors import NucleateError
    from nucleate.store.part import remove_leftovers

    if out.exists() and not overwrite:
        remove_leftovers(out)
        raise NucleateError(f"{out} exists; use --overwrite or another --out")
    check_place(out, *more)


def check_place(out: Path, *more: str) -> None:
    """Raise NucleateError where `out` is neither a folder nor has the ending of a format for crystals (or one of
    `more`), and where it cannot be written."""
    from nucleate.errors import NucleateError
    from nucleate.files import check_writable
    from nucleate.io.write import WRITERS

    folder = out.is_dir() or not out.suffix
    if not folder and out.suffix.lower() not in (*more, *WRITERS):
        raise NucleateError(f"--out is a folder or ends in {', '.join((*more, *WRITERS))}, not '{out.suffix}'")
    check_writable(out, folder)


def run_files(
    files: Sequence[Path],
    out: Path,
    stage: Stage,
    settings: Mapping[str, Any],
    afresh: Callable[[Candidate], Candidate],
    *,
    workers: int,
    overwrite: bool,
) -> list[Candidate]:
    """Take the crystals in files through a stage, write them to `out` when all are done, and return them.

    settings: all that the results depend on; an interrupted run with other settings is not continued. afresh: gives a
    candidate without earlier results of the stage; it is not called for rejected candidates.
    """
    from nucleate.cli.tables import output_console, print_problems
    from nucleate.pipeline.candidate_files import read_candidates, write_candidates
    from nucleate.store.part import PartFile

    notes = output_console(stderr=True)
    candidates, problems = read_candidates(files)
    print_problems(problems, notes)
    fresh = [c if c.failure else afresh(c) for c in candidates]
    with PartFile(out, {"stage": stage.name, **settings}, overwrite) as part:
        done = run_part(part, fresh, [stage], workers, notes)
        for left in write_candidates(out, done):
            notes.print(f"left out: {left.id} has no structure; only .jsonl holds such records")
        part.finish()
    return done


def run_part(
    part: PartFile,
    candidates: Sequence[Candidate],
    stages: Sequence[Stage],
    workers: int,
    notes: Console,
    what: str = "crystals",
    seconds: float = 0.0,
    listeners: Sequence[Listener] = (),
) -> list[Candidate]:
    """The candidates after the stages; those that `part` holds are not worked on again. what: their name in
    messages. seconds: after which `tasks.predict_limit` ends the run, 0 for never. listeners: who is told, too."""
    from nucleate.cli.interrupts import going_on
    from nucleate.cli.progress import progress_shown
    from nucleate.engine.registry import get_executor
    from nucleate.tasks.predict_limit import run_within

    todo = part.resumed(candidates)
    if have := sum(stages[0].name in c.stages for c in todo):
        notes.print(f"going on: {have} of {len(todo)} {what} are in {part.path}")
    with going_on(f"the same command goes on from {part.path}"), progress_shown(*listeners) as watch:
        return run_within(seconds, todo, stages, get_executor(workers or None), part, watch)
