"""What an optimisation reports: success rates by network and potential, the best of each ten, and diversity."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nucleate.errors import NucleateError
from nucleate.search.property_network import dataset_of

if TYPE_CHECKING:
    from nucleate.evaluate.measures.success_rate import Thresholds
    from nucleate.evaluate.metric import Report, ReportSection
    from nucleate.generators import StructureGenerator
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.events import Watch
    from nucleate.pipeline.run import Executor
    from nucleate.pipeline.stage import Stage
    from nucleate.settings import OptimiseSettings

# columns that are energies: a potential's formation energy ranks crystals as they do
ENERGIES = ("formation_energy_per_atom", "energy_per_atom", "heat_ref", "heat_all")
RELAX = "relax"  # the stage at which a crystal may fail that a network has judged before
RESTARTS = 10  # of an optimisation, as CDVAE and DiffCSP count them: the best is the result
SAME_SCALE = "formation_energy_per_atom"  # of the Materials Project: the default potential's own scale


def limits_of(generator: StructureGenerator, column: str, settings: OptimiseSettings) -> Thresholds:
    """What counts as success: the published thresholds where there are any, else percentiles of the model's data."""
    from nucleate.evaluate.measures.success_rate import CDVAE, PERCENTS, success_thresholds

    dataset = dataset_of(generator.facts())
    published = dataset in CDVAE and CDVAE[dataset][0] == column and not settings.maximise
    return success_thresholds(dataset, None if published else column, percents=PERCENTS, maximise=settings.maximise)


def success_report(
    candidates: list[Candidate],
    relaxed: list[Candidate],
    column: str,
    target: float,
    generator: StructureGenerator,
    limits: Thresholds,
    judge: str,
    settings: OptimiseSettings,
    executor: Executor,
    workers: int | None,
    watch: Watch | None,
) -> Report:
    from nucleate.evaluate.measures.success_rate import success_rates

    dataset = dataset_of(generator.facts())
    values, method = [predicted(c, column) for c in candidates], f"{judge}, crystals as generated"
    first = success_rates(
        values,
        limits,
        names=[c.id for c in candidates],
        reasons=[why_not(c) for c in candidates],
        method=method,
        subject=f"{generator.name} at {column} = {target:.4g}",
    )
    sections = [dataclasses.replace(s, title=f"{s.title} by the property network {judge}") for s in first.sections]
    if len(values) >= RESTARTS:
        whole = len(values) // RESTARTS * RESTARTS
        groups = [str(i // RESTARTS) for i in range(whole)]
        best = success_rates(values[:whole], limits, groups=groups, method=method, subject=first.subject)
        title = f"Success rates by {judge}, the best of each {RESTARTS}"
        (section,) = best.sections
        rates = tuple(m for m in section.metrics if m.name.startswith("sr_"))  # the others are those of all crystals
        sections.append(_renamed(dataclasses.replace(section, title=title, metrics=rates), f"best_of_{RESTARTS}"))
    protocols, failures, series = dict(first.protocol), list(first.failures), list(first.series)
    if relaxed and column in ENERGIES:
        limits = energy_thresholds(dataset, column, settings, executor, watch)
        found = [c.energies["e_form"].value if c.failure is None and "e_form" in c.energies else None for c in relaxed]
        second = success_rates(
            found,
            limits,
            names=[c.id for c in relaxed],
            reasons=[why_not(c) for c in relaxed],
            method=f"e_form by {settings.relaxation.potential} after relaxation",
            subject=first.subject,
        )
        title = f"Success rates by {settings.relaxation.potential}, the first {len(relaxed):,} relaxed"
        sections += [_renamed(dataclasses.replace(s, title=title), "relaxed") for s in second.sections]
        protocols[f"{limits.protocol}, {settings.relaxation.potential}"] = second.protocol[limits.protocol]
        failures += [(name, "relaxed", why) for name, _, why in second.failures]
        series += [dataclasses.replace(s, title="Relaxed formation energy", axis="eV/atom") for s in second.series]
    sections.append(diversity(candidates, dataset, workers))
    return dataclasses.replace(
        first,
        sections=tuple(sections),
        protocol=protocols,
        failures=tuple(failures),
        series=tuple(series),
        settings=settings.flat() | {"column": column, "target": target},
    )


def predicted(candidate: Candidate, column: str) -> float | None:
    """The network's value of a candidate that has not failed."""
    if candidate.failure is not None and candidate.failure.stage != RELAX:
        return None
    value = candidate.predicted.values.get(column) if candidate.predicted else None
    return None if value is None else float(value)


def why_not(candidate: Candidate) -> str | None:
    """Why a candidate has no value: rejected, refused by the network, or not placed against a reference."""
    hull = candidate.checks.get("hull")
    if candidate.failure is not None:
        return str(candidate.failure)
    return (candidate.predicted.missing if candidate.predicted else "") or (hull.reason if hull else None)


def relaxation(settings: OptimiseSettings) -> list[Stage]:
    from nucleate.stages.hull import HullStage
    from nucleate.stages.relax import RelaxStage

    return [RelaxStage(settings.relaxation), HullStage(settings.reference)]


def energy_thresholds(
    dataset: str, column: str, settings: OptimiseSettings, executor: Executor, watch: Watch | None
) -> Thresholds:
    """Thresholds on the potential's scale: the published ones where that is the data's, else percentiles of training
    crystals which the potential has relaxed, kept for the next run."""
    from nucleate.evaluate.measures.success_rate import PERCENTS, percentile_thresholds, success_thresholds

    if column == SAME_SCALE and not settings.maximise:
        return success_thresholds(dataset)
    from nucleate.data.catalog import user_cache
    from nucleate.evaluate.inputs import read_crystals
    from nucleate.evaluate.measurements import DngSettings
    from nucleate.evaluate.relaxed import sample_candidates
    from nucleate.store.database import RunStore
    from nucleate.store.journal import run_with_journal

    known = read_crystals([f"{dataset}:train"])
    count = min(settings.calibrate, len(known))
    blank = sample_candidates(
        known, count, DngSettings(potential=settings.relaxation.potential, hull=settings.reference)
    )
    folder = user_cache() / "optimise" / f"{dataset}-{settings.relaxation.potential}-{settings.reference}-{count}"
    folder.mkdir(parents=True, exist_ok=True)
    with RunStore(folder) as store:
        finished = run_with_journal(store, blank, relaxation(settings), executor, watch)
    values = [c.energies["e_form"].value for c in finished if c.failure is None and "e_form" in c.energies]
    source = f"{dataset}:train, e_form by {settings.relaxation.potential} after relaxation"
    return percentile_thresholds(values, PERCENTS, settings.maximise, source)


def diversity(candidates: Sequence[Candidate], dataset: str, workers: int | None) -> ReportSection:
    from nucleate.data.tables import load_table
    from nucleate.evaluate.matching.unique import novel, unique
    from nucleate.evaluate.measures.statistics import rate
    from nucleate.evaluate.metric import Metric, ReportSection, metric

    sound = [c.structure if c.failure is None or c.failure.stage == RELAX else None for c in candidates]
    n = len(sound)
    metrics: list[Metric] = [
        metric("valid", "possible geometry", rate(sum(s is not None for s in sound), n), "distances, volume, density"),
        metric(
            "unique",
            "unique",
            rate(len(unique(sound, workers=workers).alone), n),
            "no earlier crystal matches (0.2, 0.3, 5)",
        ),
    ]
    try:
        table = load_table(dataset, "train")
    except NucleateError:
        return ReportSection("Diversity", tuple(metrics), f"{dataset} is not here: novelty was not tested")
    new = len(novel(sound, table, workers=workers).alone)
    metrics.append(metric("novel", "new", rate(new, n), f"no crystal of {dataset}:train matches"))
    return ReportSection("Diversity", tuple(metrics), "As generated; pymatgen's matcher at its defaults.")


def _renamed(section: ReportSection, prefix: str) -> ReportSection:
    """The section under names of its own, so that one report can hold several; published values stay with the first."""
    metrics = tuple(m.with_(name=f"{prefix}_{m.name}", published={}) for m in section.metrics)
    return dataclasses.replace(section, metrics=metrics)
