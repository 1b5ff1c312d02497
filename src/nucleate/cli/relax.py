"""`nucleate relax`: relax crystals in files with an interatomic potential."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nucleate.pipeline.candidate import Candidate


def relax(
    files: Annotated[
        list[Path], typer.Argument(help="Crystals: CIF, extxyz, POSCAR, .jsonl, ASE database, or folders.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder (CIFs), .extxyz, .db, or .jsonl (whole records).")],
    fmax: Annotated[float, typer.Option(help="Largest force on an atom, eV/angstrom.")] = 0.05,
    steps: Annotated[int, typer.Option(help="Step limit per crystal.")] = 300,
    cell: Annotated[bool, typer.Option("--cell/--fixed-cell", help="Relax the cell as well.")] = True,
    optimiser: Annotated[str, typer.Option(help="bfgs or fire.")] = "bfgs",
    potential: Annotated[
        str, typer.Option(help="chgnet, sevennet, mace:FILE, matgl:FOLDER or ase:PACKAGE.MODULE:CALLABLE.")
    ] = "chgnet",
    workers: Annotated[int, typer.Option(help="Processes (0: one per core).")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Relax cell and positions; what blows up is written as rejected, with the reason."""
    from collections import Counter

    from rich.console import Console

    from nucleate.cli.progress import StageBars
    from nucleate.cli.tables import print_problems
    from nucleate.engine.local import executor
    from nucleate.errors import NucleateError
    from nucleate.io.write import WRITERS
    from nucleate.pipeline.files import read_candidates, write_candidates
    from nucleate.pipeline.relax import RelaxSettings, RelaxStage
    from nucleate.pipeline.run import Nowhere, run

    if out.exists() and not overwrite:
        raise NucleateError(f"{out} exists; use --overwrite or another --out")
    if not out.is_dir() and out.suffix and out.suffix.lower() not in WRITERS:  # now, not after an hour's work
        raise NucleateError(f"--out is a folder or ends in {', '.join(WRITERS)}, not '{out.suffix}'")
    stage = RelaxStage(RelaxSettings(fmax, max_steps=steps, cell=cell, optimiser=optimiser, potential=potential))
    machine = executor(workers or None)
    candidates, problems = read_candidates(files)
    notes = Console(stderr=True)
    print_problems(problems, notes)
    fresh = [c if c.failure else _unrelaxed(c) for c in candidates]
    with StageBars() as bars:
        done = run(fresh, [stage], machine, Nowhere(), bars)
    for left in write_candidates(out, done):
        notes.print(f"left out: {left.id} has no structure; only .jsonl holds such records", highlight=False)

    failures = Counter(c.failure for c in done if c.failure)
    alive = [c for c in done if c.failure is None]
    converged = sum(c.checks["relaxed"].verdict == "pass" for c in alive)
    print_ = Console().print
    print_(
        f"{len(done)} crystals in {out}: {converged} relaxed, {len(alive) - converged} stopped at the step limit, ",
        end="",
    )
    print_(f"{sum(failures.values())} rejected", highlight=False)
    for reason, n in failures.most_common(20):
        print_(f"  {n} x {reason}", highlight=False, markup=False)


def _unrelaxed(candidate: Candidate) -> Candidate:
    """Asked for by name, it runs again on what was relaxed before; nothing said of the old structure stays."""
    return dataclasses.replace(
        candidate,
        stages=tuple(s for s in candidate.stages if s not in ("relax", "hull", "unique", "novelty")),
        checks={k: v for k, v in candidate.checks.items() if k not in ("relaxed", "hull", "unique", "novel")},
        energies={},
    )
