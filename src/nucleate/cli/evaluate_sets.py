"""`nucleate evaluate compositions`, `compare` and `optimisation`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path | None, typer.Option(help="Folder for report.json and report.html.")]


def compositions(
    source: Annotated[
        str,
        typer.Argument(
            help="Formulas: text with one a line; CSV, JSON lines or parquet with a column; crystals; a data set.",
            metavar="FILE",
        ),
    ],
    train: Annotated[str, typer.Option(help="Formulas that the model has seen: data set or file.")] = "mp-20:train",
    test: Annotated[
        str, typer.Option(help="Formulas that it has not seen, which are measured too: data set, file, none.")
    ] = ("mp-20:test"),
    known: Annotated[
        str | None, typer.Option(help="Formulas of a database for the recovery rate; default: --test.")
    ] = (None),
    column: Annotated[str | None, typer.Option(help="Column of the formulas, if not named formula or composition.")] = (
        None
    ),
    paper_vocabulary: Annotated[
        bool,
        typer.Option(
            "--paper-vocabulary", help="A formula must keep to the elements and under 50 atoms of Dong et al."
        ),
    ] = False,
    oxidation_states: Annotated[
        bool, typer.Option(help="Check the oxidation states that the shipped network oxidation-icsd assigns (row OS).")
    ] = True,
    out: Out = None,
) -> None:
    """Generated formulas: parsable, unique, novel, recovered, charge neutral and balanced, distance to known ones."""
    from nucleate.chem.elements import MAIN_ELEMENTS
    from nucleate.cli.evaluate_dng import check_report_folder, show_and_write
    from nucleate.cli.progress import progress_shown
    from nucleate.evaluate.composition_sections import Vocabulary
    from nucleate.evaluate.compositions import evaluate_compositions
    from nucleate.evaluate.formulas import read_formulas
    from nucleate.stages.oxidation import oxidation_verdicts

    check_report_folder(out)
    made = read_formulas(source, column)
    seen = read_formulas(train)
    held = None if test == "none" else read_formulas(test)
    base = read_formulas(known) if known is not None else None
    names = {"train": train, "test": test, **({"known": known} if known else {})}
    with progress_shown() as watch:
        report = evaluate_compositions(
            made.texts,
            seen.texts,
            held.texts if held is not None else None,
            known=base.texts if base is not None else None,
            reasons=made.reasons,
            vocabulary=Vocabulary(MAIN_ELEMENTS, 49) if paper_vocabulary else None,
            oxidation_states=oxidation_verdicts if oxidation_states else None,
            subject=made.name,
            names=names,
            watch=watch,
        )
    show_and_write(report, out, [note for f in (made, seen, held, base) if f is not None for note in f.notes])


def compare(
    a: Annotated[str, typer.Argument(help="Crystals with energies: file, folder or data set.")],
    b: Annotated[str, typer.Argument(help="The crystals to compare them with.")],
    energy: Annotated[
        str | None, typer.Option(help="e_form, energy or e_above_hull; default: the first that both have.")
    ] = None,
    e_form: Annotated[str | None, typer.Option("--e-form", help="Column that has e_form, if named otherwise.")] = None,
    e_above_hull: Annotated[
        str | None, typer.Option("--e-above-hull", help="Column that has e_above_hull, if named otherwise.")
    ] = None,
    tie: Annotated[float, typer.Option(min=0, help="Energies that differ by less count as equal, eV/atom.")] = 0.001,
    out: Out = None,
) -> None:
    """Two sets, composition by composition: difference of formation energies, reduction rate, # stable."""
    from nucleate.cli.evaluate_dng import check_report_folder, show_and_write
    from nucleate.errors import NucleateError
    from nucleate.evaluate.inputs import read_crystals
    from nucleate.evaluate.per_composition import compare as compare_sets
    from nucleate.evaluate.per_composition import measured

    check_report_folder(out)
    columns = {k: v for k, v in (("e_form", e_form), ("e_above_hull", e_above_hull)) if v}
    sets = [read_crystals([source], columns, require=False) for source in (a, b)]
    for name, wanted in columns.items():
        if not any(name in item.energies for s in sets for item in s.items):
            raise NucleateError(f"neither {sets[0].name} nor {sets[1].name} has a number in the column '{wanted}'")
    names = (sets[0].name, sets[1].name)
    report = compare_sets(*(measured(s.items) for s in sets), names=names, energy=energy, tie=tie)
    show_and_write(report, out, [note for s in sets for note in s.notes])


def optimisation(
    files: Annotated[
        list[str], typer.Argument(help="Files or folders of crystals, or a data set.", metavar="FILES...")
    ],
    dataset: Annotated[
        str,
        typer.Option(
            help="Data set of the thresholds: mp-20, perov-5 or carbon-24 as published, or any with --column."
        ),
    ] = "mp-20",
    value: Annotated[
        str | None, typer.Option(help="Column of the files that has the property; default: CHGNet's e_form.")
    ] = None,
    column: Annotated[
        str | None, typer.Option(help="Column of the data set whose percentiles are the thresholds.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="Column that names the optimisation a crystal belongs to; its best one counts.")
    ] = None,
    maximise: Annotated[bool, typer.Option("--maximise", help="High values are better, not low ones.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: every core.")] = None,
    out: Out = None,
) -> None:
    """Property optimisation: SR5, SR10, SR15, the share that reaches the best 5, 10, 15 % of the data."""
    from nucleate.cli.evaluate_dng import check_report_folder, show_and_write
    from nucleate.cli.progress import progress_shown
    from nucleate.data.catalog import user_cache
    from nucleate.errors import NucleateError
    from nucleate.evaluate.inputs import read_crystals
    from nucleate.evaluate.measurements import MeasuredSet, formulas_and_fingerprints, valid_crystals
    from nucleate.evaluate.measures.features import measure
    from nucleate.evaluate.measures.network import predict_energies
    from nucleate.evaluate.measures.success_rate import success_rates, success_thresholds

    check_report_folder(out)
    limits = success_thresholds(dataset, column, maximise=maximise)
    crystals = read_crystals(files)
    groups = _groups([item.info.get(group) for item in crystals.items], group) if group else None
    if value is None and (dataset.partition(":")[0] != "mp-20" or column is not None):
        raise NucleateError(
            f"CHGNet's formation energy cannot be held against {limits.source}; give --value COLUMN with a property on "
            "the same scale"
        )
    if value is not None and all(value not in item.info for item in crystals.items):
        raise NucleateError(f"no crystal in {crystals.name} has a value in the column '{value}'")
    cache = user_cache() / "evaluate"
    with progress_shown() as watch:
        features = measure(crystals.structures, workers=workers, progress=watch.counter("crystals"), cache=cache)
        sound = valid_crystals(MeasuredSet(crystals, features, *formulas_and_fingerprints(crystals)))
        if value is not None:
            values: list[float | None] = [item.info.get(value) for item in crystals.items]
            method = f"the column '{value}' of {crystals.name}"
        else:
            have = [i for i, s in enumerate(crystals.structures) if s is not None]
            structures = [s for s in crystals.structures if s is not None]
            found = predict_energies(structures, workers=workers, progress=watch.counter("energies"), cache=cache)
            values = [None] * len(crystals)
            for i, e in zip(have, found.e_form.tolist(), strict=True):
                values[i] = e
            method = f"e_form by {found.method}, crystals as they stand"
    report = success_rates(
        values,
        limits,
        sound.tolist(),
        groups,
        names=[item.name for item in crystals.items],
        method=method,
        subject=crystals.name,
    )
    show_and_write(report, out, crystals.notes)


def _groups(values: Sequence[object], column: str) -> list[str]:
    from nucleate.errors import NucleateError

    if missing := sum(v is None for v in values):
        raise NucleateError(f"{missing:,} crystals have no value in the column '{column}'")
    return [str(v) for v in values]
