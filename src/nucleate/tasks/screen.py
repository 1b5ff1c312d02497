"""Crystals made elsewhere, judged as `design` judges its own: checks, relaxation, hull, novelty, a second potential."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.lazy import imported_when_called
from nucleate.pipeline.collection import Candidates
from nucleate.pipeline.rank import rank
from nucleate.settings.screen import ScreenSettings, read_screen_settings

if TYPE_CHECKING:
    import pandas as pd

    from nucleate.io import Problem
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.events import Watch
    from nucleate.pipeline.run import Executor
    from nucleate.pipeline.stage import Stage

RECORD = "screen"  # what the record of such a run holds its settings under


@dataclass(frozen=True)
class ScreenResult:
    """Judged crystals: `candidates` are the best, in order; `all` holds every one, rejected ones with their reasons.

    folder: of the run, None where nothing was written. title: what was judged. seconds: of work, by stage. problems:
    broken records of the folder, left out.
    """

    settings: ScreenSettings
    folder: Path | None
    candidates: Candidates
    all: Candidates
    title: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """All of them as a pandas table, best first (columns: `pipeline.frame.to_frame`)."""
        return self.all.to_frame()

    def __repr__(self) -> str:
        lost = sum(c.failure is not None for c in self.all)
        where = f", in {self.folder}" if self.folder is not None else ""
        return f"screened {len(self.all):,} crystals, {lost:,} rejected{where}; the best:\n{self.candidates!r}"

    _repr_html_ = imported_when_called("nucleate.report.notebook", "run_html")


def screen_candidates(
    given: Sequence[Candidate],
    out: str | Path | None = None,
    settings: ScreenSettings | None = None,
    *,
    title: str = "",
    executor: Executor | None = None,
    watch: Watch | None = None,
    overwrite: bool = False,
) -> ScreenResult:
    """Judge crystals, and write a run folder `out` as `design` does; without one nothing is written.

    What was said of them before is forgotten; rejected ones stay rejected. Raises NucleateError for names in the
    settings that there are not, before any work. An interrupted run is finished by `resume_screen(out)`.
    """
    from nucleate.stages.reset import without_results

    settings = settings or ScreenSettings()
    require_settings(settings)
    if not given:
        raise NucleateError("no crystal was given to screen")
    stages, reviews = stages_of(settings), reviews_of(settings)
    fresh = [c if c.failure else without_results(c) for c in given]
    title = title or f"{len(given):,} crystals"
    if out is None:
        return _in_memory(fresh, settings, title, stages, reviews, executor, watch)
    from nucleate.store.database import RunStore
    from nucleate.store.folders import require_free_folder

    require_free_folder(Path(out), overwrite)
    record: dict[str, Any] = {RECORD: settings.plain(), "title": title, "seconds": {}}

    def begin(store: RunStore) -> None:
        require_free_folder(Path(out), overwrite)
        store.clear()
        store.write_request(record)

    with RunStore(out, prepare=begin) as store:
        store.save_many(fresh)
        return _in_folder(store, record, stages, reviews, executor, watch)


def resume_screen(out: str | Path, *, executor: Executor | None = None, watch: Watch | None = None) -> ScreenResult:
    """Finish an interrupted screening; stages that a crystal has behind it are not repeated."""
    from nucleate.store.database import RunStore
    from nucleate.store.folders import require_run

    require_run(Path(out))
    with RunStore(out) as store:
        record = store.read_request()
        settings = _settings_of(record, Path(out))
        require_settings(settings)
        _, problems = store.read()
        result = _in_folder(store, record, stages_of(settings), reviews_of(settings), executor, watch)
        return dataclasses.replace(result, problems=tuple(problems))


def load_screen(out: str | Path) -> ScreenResult:
    """Read the folder of a screening as it stands, finished or not."""
    from nucleate.store.database import RunStore

    with RunStore(out, read_only=True) as store:
        record = store.read_request()
        found, problems = store.read()
    return _result(Path(out), record, found, problems)


def require_settings(settings: ScreenSettings) -> None:
    """Raise NucleateError for names of potentials, reference sets and datasets that there are not."""
    from nucleate.search.names import require_named

    require_named(settings)


def stages_of(settings: ScreenSettings) -> list[Stage]:
    """What all crystals go through, in order: `design` without its first half."""
    from nucleate.stages.check import CheckStage
    from nucleate.stages.hull import HullStage
    from nucleate.stages.novelty import NoveltyStage, UniqueStage
    from nucleate.stages.relax import RelaxStage

    return [
        CheckStage(),
        RelaxStage(settings.relaxation),
        HullStage(settings.reference),
        UniqueStage(),
        NoveltyStage(settings.known or None),
    ]


def reviews_of(settings: ScreenSettings) -> list[tuple[Stage, int]]:
    """What is done with the best alone, and with how many of them."""
    from nucleate.stages.phonons import PhononSettings, PhononStage
    from nucleate.stages.second_judge import second_judge_stage

    second = second_judge_stage(settings.relaxation, settings.second, settings.second_reference)
    reviews: list[tuple[Stage, int]] = [(second, settings.best)] if second is not None else []
    if settings.phonons:
        reviews.append((PhononStage(PhononSettings(potential=settings.relaxation.potential)), settings.phonons))
    return reviews


def _in_memory(
    fresh: Sequence[Candidate],
    settings: ScreenSettings,
    title: str,
    stages: Sequence[Stage],
    reviews: Sequence[tuple[Stage, int]],
    executor: Executor | None,
    watch: Watch | None,
) -> ScreenResult:
    from nucleate.engine.local import executor as local
    from nucleate.pipeline.run import NoStore, run_stages

    executor = executor or local()
    done = _judged(lambda s, c: run_stages(c, s, executor, NoStore(), watch), fresh, stages, reviews)
    return ScreenResult(settings, None, _best(done, settings), Candidates(rank(done)), title)


def _in_folder(
    store: Any,
    record: dict[str, Any],
    stages: Sequence[Stage],
    reviews: Sequence[tuple[Stage, int]],
    executor: Executor | None,
    watch: Watch | None,
) -> ScreenResult:
    from nucleate.engine.local import executor as local
    from nucleate.search.run_in_progress import RunInProgress
    from nucleate.tasks.outputs import write_files

    work = RunInProgress(store, record, executor or local(), watch)
    done = _judged(work.do, store.load(), stages, reviews)
    result = _result(store.folder, record, done)
    said = {"understood": f"{result.title}, made elsewhere", **result.settings.flat()}
    write_files(store.folder, result.all, f"Screening of {result.title}", said, dict(result.seconds))
    return result


def _judged(
    do: Callable[[Sequence[Stage], Sequence[Candidate]], Sequence[Candidate]],
    given: Sequence[Candidate],
    stages: Sequence[Stage],
    reviews: Sequence[tuple[Stage, int]],
) -> list[Candidate]:
    done = list(do(stages, given))
    for stage, count in reviews:
        best = [c for c in rank(done) if c.failure is None and c.structure is not None][:count]
        latest = {c.id: c for c in do([stage], best)}
        done = [latest.get(c.id, c) for c in done]
    return done


def _best(done: Sequence[Candidate], settings: ScreenSettings) -> Candidates:
    living = [c for c in rank(done) if c.failure is None and c.structure is not None]
    return Candidates(living[: settings.best])


def _settings_of(record: Mapping[str, Any], out: Path) -> ScreenSettings:
    if RECORD not in record:
        raise NucleateError(f"{out} is no screening; finish it with: nucleate design --resume {out}")
    return read_screen_settings(record[RECORD])


def _result(
    folder: Path, record: Mapping[str, Any], found: Sequence[Candidate], problems: Sequence[Problem] = ()
) -> ScreenResult:
    settings = _settings_of(record, folder)
    ranked = Candidates(rank(found))
    title, seconds = str(record.get("title", "")), record.get("seconds", {})
    return ScreenResult(settings, folder, _best(found, settings), ranked, title, seconds, tuple(problems))
