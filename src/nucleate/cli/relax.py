"""`nucleate relax`: relax crystals in files with an interatomic potential."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nucleate.cli.from_settings import with_settings
from nucleate.cli.options import Crystals, CrystalsOut, Overwrite, Workers
from nucleate.settings import RelaxSettings

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
