"""`nucleate optimise`: crystals with the best value of a property, judged twice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nucleate.cli.options import Guidance, Judge, Sampler, Seed, Steps, Temperature, Workers


def optimise(
    weights: Annotated[str, typer.Argument(help="Generator that takes properties: shipped name or file.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Run folder; an unfinished run is resumed.")] = None,
    prop: Annotated[str, typer.Option("--property", "-p", help="What to optimise; default: its only property.")] = "",
    maximise: Annotated[bool, typer.Option("--maximise", help="High values are the good ones.")] = False,
    target: Annotated[
        float | None, typer.Option(help="Value to ask for; default: the best one of the training data.")
    ] = None,
    candidates: Annotated[int, typer.Option("--candidates", "-n", min=1, help="Crystals to generate.")] = 1000,
    relax: Annotated[int, typer.Option(min=0, help="How many of them the potential relaxes and judges.")] = 0,
    guidance: Guidance = None,
    temperature: Temperature = None,
    steps: Steps = 0,
    sampler: Sampler = "",
    seed: Seed = 0,
    judge: Judge = "auto",
    potential: Annotated[str, typer.Option(help="Universal potential, the second judge.")] = "chgnet",
    calibrate: Annotated[int, typer.Option(min=20, help="Training crystals relaxed for its thresholds.")] = 300,
    workers: Workers = 0,
) -> None:
    """Property optimisation: generate for the best known value; success rates by a network and by a potential."""
    from nucleate.cli.evaluate_dng import show
    from nucleate.cli.interrupts import going_on
    from nucleate.cli.progress import progress_shown
    from nucleate.cli.tables import screen
    from nucleate.engine.registry import get_executor
    from nucleate.files import check_writable
    from nucleate.pipeline.candidate_files import write_candidates
    from nucleate.settings import OptimiseSettings
    from nucleate.tasks.optimise import optimise as run
    from nucleate.tasks.optimise_report import predicted

    settings = OptimiseSettings.of(
        weights=weights,
        property=prop,
        candidates=candidates,
        maximise=maximise,
        target=target,
        guidance=guidance,
        temperature=temperature,
        steps=steps,
        sampler=sampler,
        seed=seed,
        judge=judge,
        relax=relax,
        calibrate=calibrate,
        potential=potential,
    )
    folder = out or Path("runs") / f"optimise-{Path(weights).stem}"
    check_writable(folder, folder=True)
    with going_on(f"the same command goes on in {folder}"), progress_shown() as watch:
        result = run(settings, folder, executor=get_executor(workers or None), workers=workers or None, watch=watch)
    write_candidates(folder / "candidates.jsonl", result.candidates)
    with_structure = [c for c in result.candidates if c.structure is not None]
    if with_structure:
        write_candidates(folder / "candidates.extxyz", with_structure)
    show(result.report, folder)
    best: dict[str, float] = {}  # the lowest (highest) of each formula
    for c in result.candidates:
        value = predicted(c, result.column)
        if value is not None and len(best) < 10:
            best.setdefault(c.formula, value)
    words = ", ".join(f"{formula} {value:.3f}" for formula, value in best.items())
    screen().print(f"Best by the network: {words}")
