"""Commands that apply one stage to crystals in files, and go on where an earlier, killed call was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.run import Stage


def check_out(out: Path, overwrite: bool) -> None:
    """Refuse a place that cannot be written to, before an hour's work."""
    from nucleate.errors import NucleateError
    from nucleate.io.write import WRITERS

    if out.exists() and not overwrite:
        raise NucleateError(f"{out} exists; use --overwrite or another --out")
    if not out.is_dir() and out.suffix and out.suffix.lower() not in WRITERS:
        raise NucleateError(f"--out is a folder or ends in {', '.join(WRITERS)}, not '{out.suffix}'")


def run_into(
    out: Path,
    candidates: Sequence[Candidate],
    stage: Stage,
    settings: Mapping[str, Any],
    *,
    workers: int,
    overwrite: bool,
    notes: Console,
) -> list[Candidate]:
    """The candidates after the stage, also written to `out`, which appears complete.

    settings: what the results depend on; an interrupted run with others is not gone on with.
    """
    import typer

    from nucleate.cli.progress import StageBars
    from nucleate.engine.local import executor
    from nucleate.pipeline.files import write_candidates
    from nucleate.pipeline.run import run
    from nucleate.store.part import PartFile

    machine = executor(workers or None)
    with PartFile(out, {"stage": stage.name, **settings}, overwrite) as part:
        todo = part.resumed(candidates)
        have = sum(stage.name in c.stages for c in todo)
        if have:
            notes.print(f"going on: {have} of {len(todo)} crystals are in {part.path}", highlight=False)
        try:
            with StageBars() as bars:
                done = run(todo, [stage], machine, part, bars)
        except KeyboardInterrupt:
            notes.print(f"interrupted; the same command goes on from {part.path}", highlight=False)
            raise typer.Exit(130) from None
        for left in write_candidates(out, done):
            notes.print(f"left out: {left.id} has no structure; only .jsonl holds such records", highlight=False)
        part.finish()
    return done
