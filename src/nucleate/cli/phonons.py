"""`nucleate phonons`: whether relaxed crystals are minima, by finite displacements with an interatomic potential."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from nucleate.cli.options import Crystals, CrystalsOut, Overwrite, Potential, Workers

if TYPE_CHECKING:
    from rich.table import Table

    from nucleate.pipeline.candidate import Candidate


def phonons(
    files: Crystals,
    out: CrystalsOut,
    potential: Potential = "chgnet",
    limit: Annotated[float, typer.Option(help="A lowest mode below this fails, THz.")] = -0.3,
    max_atoms: Annotated[int, typer.Option(help="Atoms in the supercell at most.")] = 140,
    workers: Workers = 0,
    overwrite: Overwrite = False,
) -> None:
    """Look for imaginary modes: crystals are relaxed tightly, displaced, and given the check "phonons"; what is written
    are the crystals as they came. After a kill, the same command goes on where it was."""
    from rich.console import Console

    from nucleate.cli.resumable import check_out, run_files
    from nucleate.pipeline.phonons import PhononSettings, PhononStage
    from nucleate.pipeline.potential import get_potential

    check_out(out, overwrite)
    settings = PhononSettings(potential=potential, limit=limit, max_atoms=max_atoms)
    stage = PhononStage(settings)
    record = {**dataclasses.asdict(settings), "method": get_potential(potential).method}
    done = run_files(files, out, stage, record, _afresh, workers=workers, overwrite=overwrite)
    Console().print(_table(done, record["method"]))


def _afresh(candidate: Candidate) -> Candidate:
    """Asked for by name, it is computed again."""
    return dataclasses.replace(
        candidate,
        stages=tuple(s for s in candidate.stages if s != "phonons"),
        checks={k: v for k, v in candidate.checks.items() if k != "phonons"},
    )


def _table(candidates: Sequence[Candidate], method: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(caption=f"phonons by {escape(method)}", caption_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("id", "formula", "lowest\nTHz", "verdict", "why"):
        table.add_column(name, justify="right" if "THz" in name else "left", overflow="fold")
    colours = {"pass": "green", "fail": "red", "unknown": "yellow"}
    for c in candidates:
        if c.failure or "phonons" not in c.checks:
            table.add_row(escape(c.id), c.formula or "-", "-", "-", escape(c.failure or ""), style="dim")
            continue
        check, low = c.checks["phonons"], c.provenance["phonons"].get("lowest_thz")
        verdict = f"[{colours[check.verdict]}]{check.verdict}[/]"
        table.add_row(escape(c.id), c.formula, "-" if low is None else f"{low:+.2f}", verdict, escape(check.reason))
    return table
