"""Runs stages in order on candidates and stores every result when it is there."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Sequence
from typing import Protocol

from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.events import CandidateChanged, StageBegan, StageEnded, Watch
from nucleate.pipeline.stage import Stage


class Executor(Protocol):
    """Decides where stages run. The package `engine` documents what an executor must do, and has those of one
    machine."""

    def map(self, stage: Stage, candidates: Sequence[Candidate]) -> Generator[Candidate, None, None]:
        """Apply the stage to the candidates and yield each result when it is there, in any order."""
        ...


class Store(Protocol):
    """Keeps candidates."""

    def save_many(self, candidates: Sequence[Candidate]) -> None:
        """Insert or update the candidates; they are on disk before it returns."""
        ...


class NoStore:
    """A store that keeps nothing, for runs whose only result is the list that `run_stages` returns."""

    def save_many(self, candidates: Sequence[Candidate]) -> None:
        """Do nothing."""


GROUP = 200  # results of a quick stage that are stored together, because each save waits for the disk


def run_stages(
    candidates: Sequence[Candidate],
    stages: Sequence[Stage],
    executor: Executor,
    store: Store,
    watch: Watch | None = None,
) -> list[Candidate]:
    """Apply the stages in order and return all candidates. A rejected candidate is kept and skipped by later stages.

    Stages that a candidate has already been through are skipped too, so an interrupted run is resumed by the same call
    with the candidates that the store holds. watch: is told of every stage and result. Its token ends the run with
    `Cancelled` between two results, after all results have been stored. Raises NucleateError for what stages raise.
    """
    watch = watch or Watch()
    current = {c.id: c for c in candidates}
    for stage in stages:
        living = [c for c in current.values() if c.failure is None]
        todo, total = [c for c in living if stage.name not in c.stages], len(living)
        if todo and stage.grain == "all":
            todo = living
        began, waiting = time.perf_counter(), {c.id for c in todo}
        watch.tell(StageBegan(stage.name, total - len(waiting), total))
        saving = _Saving(store, GROUP if stage.cost == "quick" else 1)
        with contextlib.ExitStack() as ending:
            ending.callback(saving.flush)
            results = executor.map(stage, todo)
            ending.callback(results.close)  # ends worker processes, also where a traceback still holds the generator
            for result in results:
                if result.id not in waiting:
                    raise RuntimeError(f"stage {stage.name} invented candidate {result.id}")
                waiting.discard(result.id)
                current[result.id] = changed = result.finished(stage.name)
                saving.add(changed)
                watch.tell(CandidateChanged(stage.name, changed))
                watch.progress(stage.name, total - len(waiting), total)
        if waiting:
            raise RuntimeError(f"stage {stage.name} lost {len(waiting)} candidates")
        watch.tell(StageEnded(stage.name, total, time.perf_counter() - began))
    return list(current.values())


class _Saving:
    """Puts candidates into a store in groups."""

    def __init__(self, store: Store, group: int) -> None:
        self.store, self.group = store, group
        self.pending: list[Candidate] = []

    def add(self, candidate: Candidate) -> None:
        self.pending.append(candidate)
        if len(self.pending) >= self.group:
            self.flush()

    def flush(self) -> None:
        if self.pending:
            self.store.save_many(self.pending)
            self.pending = []
