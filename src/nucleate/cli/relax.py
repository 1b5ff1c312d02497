"""`nucleate relax` and `nucleate phonons`: crystals in files relaxed with an interatomic potential, and whether they
are minima."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.cli.from_settings import with_settings
from nucleate.cli.options import Crystals, CrystalsOut, Overwrite, Potential, Workers
from nucleate.settings import RelaxSettings

if TYPE_CHECKING:
    from nucleate.pipeline.candidate import Candidate

DEFAULTS: dict[str, Any] = {"time_limit": 3600.0}  # seconds; where the settings themselves have no limit


@with_settings(RelaxSettings, names={"relax_steps": "steps"}, **DEFAULTS)
def relax(
    files: Crystals,
    out: CrystalsOut,
    *,
    given: Mapping[str, Any],
    workers: Workers = 0,
    overwrite: Overwrite = False,
) -> None:
    """Relax cell and positions; what blows up is written as rejected, with the reason. Atoms that a file fixes stay.
    After a kill, the same command goes on where it was."""
    from collections import Counter

    from nucleate.cli.resumable import check_out, run_files
    from nucleate.cli.tables import counted_noun, output_console
    from nucleate.potentials.registry import get_potential
    from nucleate.stages.relax import RelaxStage
    from nucleate.stages.reset import without_relaxation

    check_out(out, overwrite)
    settings = RelaxSettings.of(**{**DEFAULTS, **given})
    stage = RelaxStage(settings)
    record = {**settings.plain(), "method": get_potential(settings.potential).method}
    done = run_files(files, out, stage, record, without_relaxation, workers=workers, overwrite=overwrite)

    failures = Counter(str(c.failure) for c in done if c.failure)
    alive = [c for c in done if c.failure is None]
    converged = sum(c.checks["relaxed"].verdict == "pass" for c in alive)
    print_ = output_console().print
    stopped = f"{len(alive) - converged} stopped at the step or time limit, {sum(failures.values())} rejected"
    print_(
        f"{counted_noun(len(done), 'crystal')} in {out}: {converged} relaxed by {record['method']}, {stopped}",
        soft_wrap=True,
    )
    for reason, n in failures.most_common(20):
        print_(f"  {n} x {reason}")
    if alive:
        print_(f"next, their place among known crystals: nucleate hull run {out}", soft_wrap=True)


def phonons(
    files: Crystals,
    out: CrystalsOut,
    potential: Potential = "chgnet",
    limit: Annotated[float, typer.Option(help="A lowest mode below this fails, THz.")] = -0.3,
    max_atoms: Annotated[int, typer.Option(help="Atoms in the supercell at most.")] = 140,
    workers: Workers = 0,
    overwrite: Overwrite = False,
) -> None:
    """Look for imaginary modes by finite displacements, after a tight relaxation.

    The crystals are written as they were given, with the check "phonons". After a kill, the same command continues
    where it was.
    """
    from nucleate.cli.resumable import check_out, run_files
    from nucleate.potentials.registry import get_potential
    from nucleate.stages.phonons import PhononSettings, PhononStage

    check_out(out, overwrite)
    settings = PhononSettings(potential=potential, limit=limit, max_atoms=max_atoms)
    stage = PhononStage(settings)
    record = {**dataclasses.asdict(settings), "method": get_potential(potential).method}
    done = run_files(files, out, stage, record, _without_phonons, workers=workers, overwrite=overwrite)
    _show_phonons(done, record["method"])


def _without_phonons(candidate: Candidate) -> Candidate:
    """The candidate without earlier results of phonons, which are computed anew."""
    return dataclasses.replace(
        candidate,
        stages=tuple(s for s in candidate.stages if s != "phonons"),
        checks={k: v for k, v in candidate.checks.items() if k != "phonons"},
        phonons=None,
    )


def _show_phonons(candidates: Sequence[Candidate], method: str) -> None:
    from nucleate.cli.candidates import elements_of, marked, radioactive
    from nucleate.cli.tables import TerminalColumn, coloured, counted_noun, output_console, show_table

    lowest, verdicts, reasons = [], [], []
    for c in candidates:
        check = None if c.failure else c.checks.get("phonons")
        low = c.phonons.lowest_thz if check and c.phonons else None
        lowest.append("-" if low is None else f"{low:+.2f}")
        verdicts.append(coloured(check.verdict if check else "-"))
        reasons.append(check.reason if check else str(c.failure or ""))
    columns = [
        TerminalColumn("id", [c.id for c in candidates]),
        TerminalColumn("formula", [marked(c.formula or "-", elements_of(c)) for c in candidates]),
        TerminalColumn("lowest\nTHz", lowest, right=True),
        TerminalColumn("verdict", verdicts),
        TerminalColumn("why", reasons, gives_way=1, folds=20),
    ]
    minima = sum(
        c.failure is None and c.checks["phonons"].verdict == "pass" for c in candidates if "phonons" in c.checks
    )
    what = "is a minimum" if minima == 1 else "are minima"
    said = (
        f"{minima} of {counted_noun(len(candidates), 'crystal')} {what}, without an imaginary mode; phonons by {method}"
    )
    dim = [c.failure is not None for c in candidates]
    show_table(output_console(), columns, [said, *radioactive(map(elements_of, candidates))], dim=dim)
