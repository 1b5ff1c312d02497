"""`nucleate data`: get, add, list and prepare datasets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nucleate.cli.options import Crystals
from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from nucleate.data.tables import Summary
    from nucleate.systems.base import Data

app = typer.Typer(help="Datasets: download, add your own, list, prepare for training.", no_args_is_help=True)

SHOWN = 20  # problems on the screen; the rest are counted


def _print(summaries: Sequence[Summary]) -> None:
    from nucleate.data.tables import problems_file

    for summary in summaries:
        typer.echo(str(summary))
        for problem in summary.problems[:SHOWN]:
            typer.echo(f"  {problem}", err=True)
        more = len(summary.problems) - SHOWN
        if more > 0:
            typer.echo(f"  and {more:,} more, all in {problems_file(Path(summary.file))}", err=True)
        for remark in summary.remarks[:SHOWN]:
            typer.echo(f"  note: {remark}", err=True)
        if len(summary.remarks) > SHOWN:
            typer.echo(f"  note: {len(summary.remarks) - SHOWN:,} more", err=True)


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="mp-20, perov-5 or carbon-24.")],
    force: Annotated[bool, typer.Option("--force", help="Download again what is here already.")] = False,
) -> None:
    """Download a public dataset. After an interruption, the same command continues where it stopped."""
    from nucleate.cli.progress import progress_shown
    from nucleate.data import download as download_data

    with progress_shown() as watch:
        summaries = download_data(name, watch.progress, force)
    _print(summaries)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A new name, such as my-oxides.")],
    files: Crystals,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a dataset of this name.")] = False,
    fractions: Annotated[str, typer.Option(help="Shares of the splits train, val and test.")] = "0.8,0.1,0.1",
    seed: Annotated[int, typer.Option(help="Seed of the random split.")] = 0,
) -> None:
    """Keep your own structure files as a dataset."""
    from nucleate.cli.progress import progress_shown
    from nucleate.data import add_files

    try:
        shares = tuple(float(v) for v in fractions.split(","))
    except ValueError:
        shares = ()
    if len(shares) != 3:
        raise NucleateError(f"--fractions takes three numbers such as 0.8,0.1,0.1, not '{fractions}'")
    with progress_shown() as watch:
        summaries = add_files(name, files, shares, seed, overwrite, lambda n: watch.progress("reading", n, 0))
    _print(summaries)


@app.command("list")
def list_() -> None:
    """List the datasets that are here, how many of their crystals can be used, and how to get the others."""
    from nucleate.cli.tables import TerminalColumn, output_console, show_table
    from nucleate.data import CATALOG, home
    from nucleate.data.tables import Summary, overview

    here: list[Summary] = []
    missing: dict[str, str] = {}
    for item in overview():
        if isinstance(item, Summary):
            here.append(item)
        else:
            name, reason = item.split(":", 1)[0], item.split(": ", 1)[1]
            missing[reason] = name
    console = output_console()
    if here:
        remarks = [[*(f"{n:,} {why}" for why, n in s.left_out.items()), *s.notes] for s in here]
        columns = [
            TerminalColumn("dataset", [f"{s.name}:{s.split}" for s in here]),
            TerminalColumn("rows", [f"{s.rows:,}" for s in here], right=True),
            TerminalColumn("usable", [f"{s.usable:,}" for s in here], right=True),
            TerminalColumn("atoms", [f"{s.atoms[0]}-{s.atoms[1]}" if s.usable else "" for s in here]),
            TerminalColumn("remarks", ["; ".join(some) for some in remarks], gives_way=1, folds=20),
        ]
        show_table(console, columns, [f"in {home()}"])
    for reason, name in missing.items():
        console.print(reason, soft_wrap=True)
        if name in CATALOG:
            published = all(s.sha256 for s in CATALOG[name].files.values())
            sums = (
                "with a published checksum"
                if published
                else "no checksum is published: that of the first download is kept"
            )
            console.print(f"  {CATALOG[name].about}; {sums}", soft_wrap=True)


@app.command()
def prepare(
    name: Annotated[
        str, typer.Argument(help="A dataset, such as mp-20 or mp-20:val, a parquet file, or a recipe (.toml).")
    ],
    out: Annotated[Path, typer.Option(help="File to write (safetensors).")],
    split: Annotated[str | None, typer.Option(help="Split of the dataset: train, val or test.")] = None,
    max_atoms: Annotated[
        int | None,
        typer.Option(
            help="Leave out crystals with more atoms. Default: 20, or the recipe's.", min=1, show_default=False
        ),
    ] = None,
    properties: Annotated[str, typer.Option(help="Columns of properties to keep: e_form,band_gap.")] = "",
) -> None:
    """Write crystals or formulas as tensors, so that a machine with torch alone can train on them."""
    from nucleate.cli.progress import progress_shown
    from nucleate.data.tables import require_dataset
    from nucleate.io import replacing
    from nucleate.systems import load_recipe

    columns = tuple(c.strip() for c in properties.split(",") if c.strip())
    if not name.endswith(".toml") and split is None:
        require_dataset(name)
    with progress_shown() as watch:
        from nucleate.data import prepare as prepare_data
        from nucleate.systems import prepare_for

        batch: Data
        if name.endswith(".toml"):
            if given := [k for k, v in (("split", split), ("max-atoms", max_atoms), ("properties", properties)) if v]:
                raise NucleateError(f"a recipe says itself what it takes: leave out --{given[0]}, or change the recipe")
            batch, summary = prepare_for(load_recipe(name), watch.progress)
        else:
            batch, summary = prepare_data(name, split, max_atoms or 20, watch.counter("reducing cells"), columns)
    if not len(batch):
        raise NucleateError(f"{summary}: nothing to write")
    with replacing(out) as temporary:
        batch.save(temporary)
    typer.echo(str(summary))
    typer.echo(f"wrote {out}")
