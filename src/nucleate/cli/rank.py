"""`nucleate rank`: the order of candidates in files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nucleate.cli.options import Crystals


def rank(
    files: Crystals,
    top: Annotated[int | None, typer.Option("--top", help="How many candidates to show (default: all).")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File for the candidates in their order: .csv, .jsonl, .extxyz, .db."),
    ] = None,
    known: Annotated[
        str,
        typer.Option(help="Dataset whose crystals are known too, beside those that come with nucleate: mp-20."),
    ] = "",
) -> None:
    """Rank candidates: unique, relaxed and close to the hull first, rejected ones last.

    Uniqueness among them and novelty are tested where they have not been.
    """
    from nucleate.cli.candidates import show_candidates
    from nucleate.cli.resumable import check_place
    from nucleate.cli.tables import output_console, print_problems
    from nucleate.engine.local import Serial
    from nucleate.errors import NucleateError
    from nucleate.io.cells import write_csv
    from nucleate.pipeline.candidate_files import read_candidates, write_candidates
    from nucleate.pipeline.rank import rank as order
    from nucleate.pipeline.rank import to_rows
    from nucleate.pipeline.run import NoStore, run_stages
    from nucleate.search.names import require_names
    from nucleate.stages.novelty import NoveltyStage, UniqueStage

    if out is not None:
        check_place(out, ".csv")
    if top is not None and top < 1:
        raise NucleateError(f"the number of candidates to show must be at least 1, not {top}")
    require_names(datasets=[known] if known else ())
    candidates, problems = read_candidates(files)
    notes = output_console(stderr=True)
    print_problems(problems, notes)
    candidates = run_stages(candidates, [UniqueStage(), NoveltyStage(known or None)], Serial(), NoStore())
    ranked = order(candidates, top)
    show_candidates(output_console(), ranked, whole="--out FILE.csv writes them")
    if out is None:
        return
    if out.suffix.lower() == ".csv":
        write_csv(out, to_rows(ranked))
        return
    for left in write_candidates(out, ranked):
        notes.print(f"left out: {left.id} has no structure; only .jsonl and .csv hold such records", style="yellow")
