"""From a request to a run folder of ranked crystals: the package's main job, resumable at any point."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.lazy import imported_when_called
from nucleate.pipeline.collection import Candidates
from nucleate.request.parse import parse_request
from nucleate.request.request import Request, read_request
from nucleate.settings import DesignSettings
from nucleate.settings.design import read_design_settings
from nucleate.store.folders import require_free_folder, require_run
from nucleate.tasks.blueprint import Blueprint, blueprint

if TYPE_CHECKING:
    import pandas as pd

    from nucleate.io import Problem
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.events import Watch
    from nucleate.pipeline.run import Executor


@dataclass(frozen=True)
class DesignResult:
    """A finished run: `candidates` are the best, in order; `all` holds every one, failures with their reasons."""

    request: Request
    settings: DesignSettings
    folder: Path
    candidates: Candidates
    all: Candidates
    seconds: Mapping[str, float] = field(default_factory=dict)
    tree: Mapping[str, Any] = field(default_factory=dict)  # what a tree search has done (`search.tree.search_summary`)
    language: Mapping[str, int] = field(default_factory=dict)  # what was taken of a language model (`chat.usage_text`)
    problems: tuple[Problem, ...] = ()  # broken records of the folder, left out (`resume` does those candidates again)

    def to_frame(self) -> pd.DataFrame:
        """All candidates as a pandas table, best first (columns: `pipeline.frame.to_frame`)."""
        return self.all.to_frame()

    def __repr__(self) -> str:
        return f"{self.request.describe()}, of {len(self.all):,}, in {self.folder}:\n{self.candidates!r}"

    _repr_html_ = imported_when_called("nucleate.report.notebook", "run_html")


def design(
    request: str | Request,
    out: str | Path,
    settings: DesignSettings | None = None,
    *,
    executor: Executor | None = None,
    watch: Watch | None = None,
    overwrite: bool = False,
) -> DesignResult:
    """Run a request from the start into the folder `out`.

    executor: how stages are spread over processes; default: all cores. Raises NucleateError for a request that cannot
    be met, before anything is written. An interrupted run is finished by `resume(out)`.
    """
    request = parse_request(request) if isinstance(request, str) else request
    require_free_folder(Path(out), overwrite)
    plan = blueprint(request, settings or DesignSettings())
    from nucleate.store.database import RunStore

    record = {"request": dataclasses.asdict(request), "settings": plan.settings.recorded(), "seconds": {}}

    def begin(store: RunStore) -> None:
        require_free_folder(Path(out), overwrite)
        store.clear()
        store.write_request(record)

    with RunStore(out, prepare=begin) as store:
        return _run(store, record, plan, executor, watch)


def folder_for(text: str) -> Path:
    """The folder of a run that is given none: runs/<request>."""
    return Path("runs") / (re.sub(r"[^A-Za-z0-9.\-]+", "-", text).strip("-.")[:60] or "run")


def resume(
    out: str | Path,
    *,
    executor: Executor | None = None,
    watch: Watch | None = None,
    seconds: float | None = None,
    evaluations: int | None = None,
    llm: str = "",
) -> DesignResult:
    """Finish an interrupted run; stages that a candidate has behind it are not repeated.

    seconds, evaluations: a new budget of a tree search, for all of it, what is done already included; 0: to its end.
    llm: the address of the language model, which the run does not have where it holds a password or a key.
    """
    from nucleate.store.database import RunStore

    require_run(Path(out))
    with RunStore(out) as store:
        record = store.read_request()
        request, settings = _read_record(record, Path(out))
        settings = _with_budget(settings, seconds, evaluations)
        if llm and not settings.language.address:
            raise NucleateError("this run asks no language model; leave 'llm' out")
        settings = settings.replaced(llm=llm or settings.language.address)
        record["settings"] = settings.recorded()
        plan = blueprint(request, settings)
        _, problems = store.read()  # of broken records, whose candidates are done again
        result = _run(store, record, plan, executor, watch)
        return dataclasses.replace(result, problems=tuple(problems))


def _with_budget(settings: DesignSettings, seconds: float | None, evaluations: int | None) -> DesignSettings:
    if seconds is None and evaluations is None:
        return settings
    if not settings.search.strategy:
        raise NucleateError("this run is no tree search: it has no budget, and goes on to its end")
    return settings.replaced(
        seconds=settings.search.seconds if seconds is None else seconds,
        evaluations=settings.search.evaluations if evaluations is None else evaluations,
    )


def load_run(out: str | Path) -> DesignResult:
    """Read a run folder as it stands, finished or not."""
    from nucleate.pipeline.rank import rank
    from nucleate.store.database import RunStore

    if not (Path(out) / "request.json").is_file():
        raise NucleateError(f"{out} is not a run folder (no request.json)")
    with RunStore(out, read_only=True) as store:
        record = store.read_request()
        found, problems = store.read()
    return _result(Path(out), record, rank(found), problems)


def _read_record(record: Mapping[str, Any], out: Path) -> tuple[Request, DesignSettings]:
    if "screen" in record:
        raise NucleateError(f"{out} is a screening; finish it with: nucleate screen --resume {out}")
    try:
        return read_request(record["request"]), read_design_settings(record["settings"])
    except (KeyError, TypeError, ValueError, NucleateError) as error:
        raise NucleateError(f"{out / 'request.json'} is not a request of this version ({error})") from None


def generate_candidates(
    request: str | Request, settings: DesignSettings | None = None, *, watch: Watch | None = None
) -> list[Candidate]:
    """Candidates with structures, neither checked nor relaxed, nothing written.

    Wanted properties are predicted for the crystals as generated.
    """
    from nucleate.engine.local import Serial
    from nucleate.pipeline.run import NoStore, run_stages

    request = parse_request(request) if isinstance(request, str) else request
    plan = blueprint(request, settings or DesignSettings.of(oversample=1), as_generated=True)
    made = run_stages(plan.blanks, [*plan.proposals, *plan.stages], Serial(), NoStore(), watch)
    return list(plan.predict(made)) if plan.predict is not None else made


def _run(
    store: Any,
    record: dict[str, Any],
    plan: Blueprint,
    executor: Executor | None,
    watch: Watch | None,
) -> DesignResult:
    from nucleate.pipeline.rank import rank
    from nucleate.search.run_in_progress import RunInProgress, tree_search
    from nucleate.tasks.outputs import write_outputs

    if executor is None:
        from nucleate.engine.registry import get_executor

        executor = get_executor()
    work = RunInProgress(store, record, executor, watch)
    candidates = work.do(plan.proposals, store.resumed(plan.blanks))

    def show(some: Sequence[Candidate]) -> None:
        write_outputs(_result(store.folder, record, rank(some)), plan)

    if plan.tree is not None:
        candidates = tree_search(work, candidates, plan.stages, plan.tree, show)
    else:
        candidates = work.do(plan.stages, candidates)
    for stage, count in plan.reviews:
        latest = {c.id: c for c in work.do([stage], _best(rank(candidates), count))}
        candidates = [latest.get(c.id, c) for c in candidates]
    show(candidates)
    return _result(store.folder, record, rank(candidates))


def _best(ranked: Sequence[Candidate], count: int) -> list[Candidate]:
    """The first that live and have a structure; formulas of a tree search need not."""
    return [c for c in ranked if c.failure is None and c.structure is not None][:count]


def _result(
    folder: Path, record: Mapping[str, Any], ranked: list[Candidate], problems: Sequence[Problem] = ()
) -> DesignResult:
    request, settings = _read_record(record, folder)
    best = _best(ranked, request.candidates)
    said, done = record.get("language", {}), record.get("tree", {})
    seconds = record["seconds"]
    return DesignResult(
        request, settings, folder, Candidates(best), Candidates(ranked), seconds, done, said, tuple(problems)
    )
