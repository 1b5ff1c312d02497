"""`nucleate relax`: relax crystals in files with an interatomic potential."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from nucleate.cli.options import Crystals, CrystalsOut, Overwrite, Potential, Workers


def relax(
    files: Crystals,
    out: CrystalsOut,
    fmax: Annotated[float, typer.Option(help="Largest force on an atom, eV/angstrom.")] = 0.05,
    steps: Annotated[int, typer.Option(help="Step limit per crystal.")] = 300,
    cell: Annotated[
        bool | None,
        typer.Option(
            "--cell/--fixed-cell",
            help="Relax the cell as well. Default: yes, but not where a file fixes atoms (selective dynamics), as with "
            "VASP's ISIF = 2; with --cell fixed atoms keep their fractional coordinates (ISIF = 3).",
        ),
    ] = None,
    optimiser: Annotated[str, typer.Option(help="bfgs or fire.")] = "bfgs",
    potential: Potential = "chgnet",
    primitive: Annotated[
        bool, typer.Option("--primitive/--as-given", help="Relax what repeats itself as its primitive cell.")
    ] = True,
    time_limit: Annotated[float, typer.Option(help="Seconds for one crystal; then it stays as far as it is.")] = 3600.0,
    workers: Workers = 0,
    overwrite: Overwrite = False,
) -> None:
    """Relax cell and positions; what blows up is written as rejected, with the reason. Atoms that a file fixes stay.
    After a kill, the same command goes on where it was."""
    from collections import Counter

    from nucleate.cli.resumable import check_out, run_files
    from nucleate.cli.tables import screen, some
    from nucleate.potentials.registry import get_potential
    from nucleate.relaxation.pool import RelaxSettings
    from nucleate.stages.afresh import unrelaxed
    from nucleate.stages.relax import RelaxStage

    check_out(out, overwrite)
    settings = RelaxSettings.of(
        fmax=fmax,
        relax_steps=steps,
        cell=cell,
        optimiser=optimiser,
        time_limit=time_limit,
        potential=potential,
        primitive=primitive,
    )
    stage = RelaxStage(settings)
    record = {**dataclasses.asdict(settings), "method": get_potential(potential).method}
    done = run_files(files, out, stage, record, unrelaxed, workers=workers, overwrite=overwrite)

    failures = Counter(str(c.failure) for c in done if c.failure)
    alive = [c for c in done if c.failure is None]
    converged = sum(c.checks["relaxed"].verdict == "pass" for c in alive)
    print_ = screen().print
    stopped = f"{len(alive) - converged} stopped at the step or time limit, {sum(failures.values())} rejected"
    print_(
        f"{some(len(done), 'crystal')} in {out}: {converged} relaxed by {record['method']}, {stopped}", soft_wrap=True
    )
    for reason, n in failures.most_common(20):
        print_(f"  {n} x {reason}")
    if alive:
        print_(f"next, their place among known crystals: nucleate hull run {out}", soft_wrap=True)
