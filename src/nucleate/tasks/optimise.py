"""Property optimisation (Takahara et al. 2024, arXiv 2406.09263, section 5; Xie et al., ICLR 2022).

Crystals are generated for the best property value of the training data. Whether they have it is judged twice: by a
property network, and by a universal potential after relaxation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.search.choose_weights import load_with_sampling
from nucleate.search.property_network import dataset_of, judges_hint, property_network_for
from nucleate.settings import OptimiseSettings
from nucleate.settings.optimise import read_optimise_settings
from nucleate.store.journal import changed_settings_text
from nucleate.tasks.optimise_report import limits_of, predicted, relaxation, success_report

if TYPE_CHECKING:
    from nucleate.evaluate.metric import Report
    from nucleate.generators import StructureGenerator
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.events import Watch
    from nucleate.pipeline.run import Executor
    from nucleate.pipeline.stage import Stage


@dataclass(frozen=True)
class OptimiseResult:
    """candidates: all that were generated, best prediction first, failures last."""

    settings: OptimiseSettings
    column: str
    target: float
    candidates: list[Candidate]
    report: Report


def optimise(
    settings: OptimiseSettings,
    out: str | Path,
    *,
    executor: Executor | None = None,
    workers: int | None = None,
    watch: Watch | None = None,
) -> OptimiseResult:
    """Generate, judge and report in the folder `out`; the same call finishes an interrupted run.

    executor: for relaxation; workers: processes that compare crystals; both take all cores by default.

    Raises NucleateError, before anything is written, for weights without the property, a judge that does not predict
    it, and a folder that holds something else.
    """
    from nucleate.engine.registry import get_executor
    from nucleate.search.names import require_named, require_properties
    from nucleate.stages.check import CheckStage
    from nucleate.stages.generate import GenerateStage
    from nucleate.store.database import RunStore
    from nucleate.store.journal import run_with_journal

    require_named(settings)
    require_properties([settings.property] if settings.property else (), [settings.weights])
    from nucleate.stages.properties import PredictStage

    generator = load_with_sampling(settings.weights, settings.sampling)
    column, target = aim(generator, settings)
    model, _, _ = property_network_for({column: (target, target)}, generator.facts(), settings.judge)
    if model is None:
        facts = generator.facts()
        raise NucleateError(
            f"no shipped network predicts {column} of {dataset_of(facts)}; name one by the setting 'judge'"
            f"{judges_hint([column], facts)}"
        )
    blank = _blank(generator, column, target, settings)
    limits = limits_of(generator, column, settings)
    relaxing = relaxation(settings) if settings.relax else []
    folder = Path(out)
    executor = executor or get_executor()
    with RunStore(folder) as store:
        _claim(store, settings, folder)
        stages: list[Stage] = [GenerateStage(generator), CheckStage(), PredictStage(model)]
        candidates = in_order(run_with_journal(store, blank, stages, executor, watch))
        relaxed = in_order(
            run_with_journal(store, candidates[: settings.relax], relaxing, executor, watch) if settings.relax else []
        )
    report = success_report(
        candidates, relaxed, column, target, generator, limits, model.name, settings, executor, workers, watch
    )
    latest = {c.id: c for c in relaxed}

    def key(c: Candidate) -> tuple[bool, float]:
        value = predicted(c, column)
        return (value is None, (-value if settings.maximise else value) if value is not None else 0.0)

    ranked = sorted((latest.get(c.id, c) for c in candidates), key=key)
    return OptimiseResult(settings, column, target, ranked, report)


def aim(generator: StructureGenerator, settings: OptimiseSettings) -> tuple[str, float]:
    """The column to optimise and the value to ask for."""
    from nucleate.generators.properties import resolve_property

    known = generator.facts().get("properties", {})
    if not known:
        raise NucleateError(f"{generator.name} takes no property; choose weights that do, or train some")
    if not settings.property and len(known) > 1:
        raise NucleateError(f"{generator.name} takes {', '.join(known)}; the setting 'property' says which to optimise")
    column = resolve_property(settings.property, known) if settings.property else next(iter(known))
    if column is None:
        raise NucleateError(f"{generator.name} takes {', '.join(known)}, not {settings.property}")
    best = known[column]["high" if settings.maximise else "low"]
    return column, best if settings.target is None else settings.target


def in_order(candidates: Sequence[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda c: c.id)


def _blank(generator: StructureGenerator, column: str, target: float, settings: OptimiseSettings) -> list[Candidate]:
    from nucleate.diffusion.philox import derived_seed
    from nucleate.generators import Condition
    from nucleate.generators.contract import require_accepted
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.origin import Wanted

    condition = Condition(properties={column: target})
    require_accepted(generator, [condition])
    wanted = Wanted(condition)
    return [
        Candidate(f"c{i + 1:05d}", derived_seed(settings.seed, i), wanted=wanted) for i in range(settings.candidates)
    ]


def _claim(store: Any, settings: OptimiseSettings, folder: Path) -> None:
    """Write what the run is, or refuse a folder that holds another one."""
    if not (folder / "request.json").is_file():
        store.write_request({"optimise": settings.plain()})
        return
    record = store.read_request()
    before = read_optimise_settings(record["optimise"]) if set(record) == {"optimise"} else None
    if before != settings:
        words = f" ({changed_settings_text(before.plain(), settings.plain())})" if before is not None else ""
        raise NucleateError(f"{folder} holds another run{words}; choose another folder")
