"""A run in progress: stages are done and timed, and a tree search calls them again and again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.errors import Code
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.events import Watch
from nucleate.pipeline.run import Executor, run_stages
from nucleate.pipeline.stage import Stage
from nucleate.redact import redacted
from nucleate.search import tree

if TYPE_CHECKING:
    from nucleate.store.database import RunStore

TRANSCRIPT = "language-model.jsonl"  # file in the run folder with questions and answers
EVERY = 30.0  # seconds after which the tables of the run folder are written again


@dataclass(frozen=True)
class RunInProgress:
    """A run in progress.

    record: of the run; its entries "seconds", "language" and "tree" are kept up to date in the store.
    """

    store: RunStore
    record: dict[str, Any]
    executor: Executor
    watch: Watch | None = None

    def do(self, stages: Sequence[Stage], candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """Take the candidates through these stages, and store each result as it comes; returns the candidates after
        them."""
        for stage in stages:
            began = time.perf_counter()
            try:
                candidates = run_stages(candidates, [stage], self.executor, self.store, self.watch)
            finally:
                self._keep_transcript(stage)
            spent = self.record["seconds"].get(stage.name, 0.0) + time.perf_counter() - began
            self.record["seconds"][stage.name] = round(spent, 2)
            self.store.write_request(self.record)
        return candidates

    def _keep_transcript(self, stage: Stage) -> None:
        """Write down questions to a language model and its answers, and add up the tokens, also where the stage
        failed."""
        exchanges = stage.take_transcript()
        if not exchanges:
            return
        with (self.store.folder / TRANSCRIPT).open("a", encoding="utf-8") as file:
            file.writelines(redacted(json.dumps(exchange)) + "\n" for exchange in exchanges)
        used = self.record.setdefault("language", {"questions": 0, "prompt_tokens": 0, "completion_tokens": 0})
        used["questions"] += len(exchanges)
        for name in ("prompt_tokens", "completion_tokens"):
            used[name] += sum(exchange[name] for exchange in exchanges)
        self.store.write_request(self.record)

    @property
    def spent(self) -> float:
        """Seconds of work, with those of earlier calls."""
        return sum(self.record["seconds"].values())


def tree_search(
    work: RunInProgress,
    proposed: Sequence[Candidate],
    stages: Sequence[Stage],
    plan: tree.TreePlan,
    show: Callable[[Sequence[Candidate]], None],
) -> list[Candidate]:
    """Do a tree search over the proposed formulas; returns all its candidates.

    What is stored already is not done again. stages: those from a formula to a judged crystal. show: called with all
    candidates from time to time, so that it can write down the best ones so far.
    """
    living = [c for c in proposed if c.failure is None or stages[0].name in c.stages or c.failure.stage == tree.BEAM]
    branches, pruned = tree.make_branches(living, plan.extent, plan.kind)
    stored = {c.id: c for c in work.store.load()}
    new = [c for branch in branches for c in branch if c.id not in stored]
    work.store.save_many([*pruned, *new])  # before any of them is worked on
    current = {**stored, **{c.id: c for c in (*proposed, *pruned, *new)}}
    done = {c.id: current[c.id] for branch in branches for c in branch if _finished(current[c.id], stages)}
    written = time.monotonic()
    while True:
        waiting = tree.frontier(plan.strategy, branches, done)
        allowed = plan.budget.left(work.spent, len(done))
        block = [current[c.id] for c in waiting[:allowed]]
        work.record["tree"] = tree.search_summary(plan, (current[c.id] for c in proposed), branches, done, len(waiting))
        work.store.write_request(work.record)
        if not waiting:
            aside = [current[c.id] for branch in branches for c in branch if c.id not in done]
            aside = [c.failed(tree.BEAM, Code.NOT_OPENED, "other formulas went on") for c in aside if c.failure is None]
            work.store.save_many(aside)
            current |= {c.id: c for c in aside}
        if not block:
            return list(current.values())
        done |= {c.id: c for c in work.do(stages, [*done.values(), *block])}
        current |= done
        if time.monotonic() - written > EVERY:
            show(list(current.values()))
            written = time.monotonic()


def _finished(c: Candidate, stages: Sequence[Stage]) -> bool:
    return stages[-1].name in c.stages or (c.failure is not None and stages[0].name in c.stages)
