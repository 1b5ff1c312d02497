"""`nucleate evaluate`: measure a model, or anyone's predictions, against known crystals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nucleate.cli.evaluate_dng import dng
from nucleate.cli.evaluate_sets import compare, compositions, optimisation

app = typer.Typer(help="Measure models against known crystals, counted as in the literature.", no_args_is_help=True)
for command in (dng, compositions, compare, optimisation):
    app.command()(command)


@app.callback()
def evaluate() -> None:
    """Measure models against known crystals, counted as in the literature."""


@app.command()
def csp(
    weights: Annotated[str, typer.Option(help="Shipped model, checkpoint file or plug-in that predicts.")] = "mp20-csp",
    dataset: Annotated[str, typer.Option(help="Data set and split with the true structures.")] = "mp-20:test",
    n: Annotated[
        int | None,
        typer.Option("--n", help="Number of compositions, a random subset; default: 200, with --predictions all."),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, help="Predictions per composition; with --predictions the most that are used.")
    ] = 5,
    steps: Annotated[int | None, typer.Option(min=1, help="Sampling steps; default: the recipe's.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Crystals drawn at once.")] = 128,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the subset and of the random numbers of the predictions.")
    ] = 0,
    predictions: Annotated[
        Path | None, typer.Option(help="Judge this JSON-lines file of predictions; nothing is generated.")
    ] = None,
    hide: Annotated[
        list[str] | None,
        typer.Option(
            help="Known crystals that a method which takes from them (adaptive cells, templates, prototypes) must not "
            "know, with all of their formula and structure; default: those of the data set. mp-20:val,test, an id, a "
            "formula, or a file with one in each line; may be given repeatedly."
        ),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="It sets the tolerances of the matcher and the counts that are printed in bold: cdvae-2022, ..."
        ),
    ] = "crystalite-2026",
    composition_rule: Annotated[
        str, typer.Option(help="Rule of compositional validity for 'filtered': original (CDVAE's), smact14 or icsd24.")
    ] = "original",
    across: Annotated[
        bool, typer.Option(help="Match predictions with all targets of their composition, for METRe; slow for carbon.")
    ] = True,
    time_limit: Annotated[float, typer.Option(min=0.1, help="Seconds the matcher may take for one pair.")] = 20.0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes for matching; default: every core.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for predictions.jsonl and report.json; the same call continues a stopped one."),
    ] = None,
) -> None:
    """Crystal structure prediction: match rate and RMSE for known compositions, with 95 % intervals."""
    from nucleate.cli.evaluate_dng import check_report_folder, show_and_write
    from nucleate.cli.interrupts import going_on
    from nucleate.cli.progress import progress_shown
    from nucleate.errors import NucleateError
    from nucleate.evaluate import csp as run
    from nucleate.evaluate.csp_report import reported_by
    from nucleate.evaluate.matching.counts import MatchSettings
    from nucleate.evaluate.protocols import get_protocol
    from nucleate.search.names import require_names

    if composition_rule not in ("original", "smact14", "icsd24"):
        raise NucleateError(f"--composition-rule must be original, smact14 or icsd24, not '{composition_rule}'")
    check_report_folder(out)
    rules = get_protocol(protocol)
    ltol, stol, angle_tol = rules.csp
    matcher = MatchSettings(stol, ltol, angle_tol, time_limit=time_limit, composition_rule=composition_rule)
    require_names(weights=[weights] if predictions is None else (), datasets=[dataset])
    made = out or Path(f"csp-{Path(weights).stem}")  # where predictions are stored as they come
    going = f"the same command goes on from what is in {made}" if predictions is None else "give the command again"
    with going_on(going), progress_shown() as watch:
        if predictions is not None:
            if out is not None:
                run.open_folder(out, {})
            targets = run.load_targets(dataset, n, seed)
            found = run.read_predictions(predictions)
            settings = {"predictions": predictions.name, "dataset": dataset, "n": len(targets), "seed": seed}
        else:
            from nucleate.generators.defaults import BaseGenerator
            from nucleate.generators.registry import get_generator, is_weights
            from nucleate.library.library import load_library

            n = 200 if n is None else n
            out = made
            targets = run.load_targets(dataset, n, seed)
            generator = get_generator(weights, steps=steps, batch_size=batch_size if is_weights(weights) else None)
            fixed: dict[str, Any] = {
                "weights": weights,
                "weights_sha256": run.weights_digest(weights),
                "dataset": dataset,
                "seed": seed,
                "steps": steps,
            }
            if isinstance(generator, BaseGenerator) and generator.uses_library:
                view = load_library(hide=hide or [dataset])
                generator = generator.with_library(view)
                fixed["hidden"] = view.hidden_text
            elif hide:
                raise NucleateError(f"{generator.name} takes nothing from known crystals; leave out --hide")
            run.open_folder(out, fixed)
            run.predict_missing(generator, targets, samples, seed, out / "predictions.jsonl", 4 * batch_size, watch)
            found = run.read_predictions(out / "predictions.jsonl")
            settings = {**fixed, "n": len(targets), "model": generator.name}
        k = min(samples, 1 + max((s for v in found.values() for s in v), default=0))
        report = run.judge_predictions(
            targets,
            found,
            k,
            matcher,
            workers,
            watch,
            across,
            protocol=protocol,
            dataset=dataset,
            subject=str(settings.get("model") or settings.get("predictions")),
            settings=settings,
        )
    show_and_write(report, out, strong=reported_by(rules, report))
