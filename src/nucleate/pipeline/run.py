"""The pipeline: stages in order over candidates, every result stored as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.stage import Stage


class Executor(Protocol):
    """Applies a stage to candidates, yielding results as they come; `engine` has the local ones."""

    def map(self, stage: Stage, candidates: Sequence[Candidate]) -> Iterator[Candidate]: ...


class Store(Protocol):
    """Keeps candidates; each `save`, and `save_many` where there is one, is committed before it returns."""

    def save(self, candidate: Candidate) -> None: ...


class Nowhere:
    """The store that keeps nothing, for runs whose result is the list that `run` returns."""

    def save(self, candidate: Candidate) -> None:
        """Do nothing."""


Progress = Callable[[str, int, int], None]  # (stage, done, total)
GROUP = (
    200  # results of a quick stage that are stored at once, where the store has `save_many`: a save waits for the disk
)


def run(
    candidates: Sequence[Candidate],
    stages: Sequence[Stage],
    executor: Executor,
    store: Store,
    progress: Progress | None = None,
) -> list[Candidate]:
    """Apply the stages in order; a rejected candidate is kept and skipped, one that has a stage behind it as well.

    Hence the same call resumes an interrupted run: give it the candidates that the store holds.
    """
    current = {c.id: c for c in candidates}
    for stage in stages:
        living = [c for c in current.values() if c.failure is None]
        todo, total = [c for c in living if stage.name not in c.stages], len(living)
        if todo and stage.grain == "all":
            todo = living
        waiting = {c.id for c in todo}
        if progress is not None:
            progress(stage.name, total - len(waiting), total)
        save, flush = _saver(store, GROUP if stage.cost == "quick" else 1)
        try:
            for result in executor.map(stage, todo):
                if result.id not in waiting:
                    raise RuntimeError(f"stage {stage.name} invented candidate {result.id}")
                waiting.discard(result.id)
                current[result.id] = result.finished(stage.name)
                save(current[result.id])
                if progress is not None:
                    progress(stage.name, total - len(waiting), total)
        finally:
            flush()
        if waiting:
            raise RuntimeError(f"stage {stage.name} lost {len(waiting)} candidates")
    return list(current.values())


def _saver(store: Store, group: int) -> tuple[Callable[[Candidate], None], Callable[[], None]]:
    """(save, flush): how candidates go to the store, one by one or in groups."""
    save_many = getattr(store, "save_many", None)
    if group == 1 or save_many is None:
        return store.save, lambda: None
    pending: list[Candidate] = []

    def flush() -> None:
        if pending:
            save_many(pending)
            pending.clear()

    def save(candidate: Candidate) -> None:
        pending.append(candidate)
        if len(pending) >= group:
            flush()

    return save, flush
