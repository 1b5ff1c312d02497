"""`nucleate optimise`: crystals with the best value of a property, judged twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from nucleate.cli.from_settings import Config, ShowConfig, settings_from, with_settings
from nucleate.cli.options import Workers
from nucleate.settings import OptimiseSettings

COMMAND = "nucleate optimise"


@with_settings(OptimiseSettings, without=["weights"])
def optimise(
    weights: Annotated[
        str, typer.Argument(help="Model that takes properties: a shipped one or a file.", show_default=False)
    ] = "",
    *,
    given: Mapping[str, Any],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Run folder; an unfinished run is resumed.")] = None,
    config: Config = None,
    show_config: ShowConfig = False,
    workers: Workers = 0,
) -> None:
    """Property optimisation: generate for the best known value; success rates by a network and by a potential."""
    from nucleate.cli.evaluate_dng import show_and_write
    from nucleate.cli.interrupts import going_on
    from nucleate.cli.progress import progress_shown
    from nucleate.cli.tables import output_console
    from nucleate.engine.registry import get_executor
    from nucleate.errors import NucleateError
    from nucleate.files import check_writable
    from nucleate.pipeline.candidate_files import write_candidates
    from nucleate.search.names import require_named
    from nucleate.settings.files import settings_text
    from nucleate.tasks.optimise import optimise as run
    from nucleate.tasks.optimise_report import predicted

    if not weights and config is None:
        raise NucleateError("name the model that draws the crystals, for example: nucleate optimise mp20-cds")
    chosen = {**given, "weights": weights} if weights else given
    settings, _ = settings_from(config, OptimiseSettings, COMMAND, chosen)
    if show_config:
        require_named(settings)
        typer.echo(settings_text(settings, COMMAND, {}), nl=False)
        return
    folder = out or Path("runs") / f"optimise-{Path(settings.weights).stem}"
    check_writable(folder, folder=True)
    with going_on(f"the same command goes on in {folder}"), progress_shown() as watch:
        result = run(settings, folder, executor=get_executor(workers or None), workers=workers or None, watch=watch)
    write_candidates(folder / "candidates.jsonl", result.candidates)
    with_structure = [c for c in result.candidates if c.structure is not None]
    if with_structure:
        write_candidates(folder / "candidates.extxyz", with_structure)
    show_and_write(result.report, folder)
    best: dict[str, float] = {}  # the lowest (highest) of each formula
    for c in result.candidates:
        value = predicted(c, result.column)
        if value is not None and len(best) < 10:
            best.setdefault(c.formula, value)
    words = ", ".join(f"{formula} {value:.3f}" for formula, value in best.items())
    output_console().print(f"Best by the network: {words}")
