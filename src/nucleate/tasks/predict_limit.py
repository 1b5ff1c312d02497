"""A prediction that ends after so many seconds, with what was done until then."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nucleate.errors import Code
from nucleate.pipeline.events import Cancel, Cancelled, CandidateChanged, Event, Watch
from nucleate.pipeline.run import NoStore, run_stages

if TYPE_CHECKING:
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.run import Executor, Store
    from nucleate.pipeline.stage import Stage

OVER = "not done when the time was over"


def was_stopped(done: Sequence[Candidate]) -> bool:
    """Whether the time was over before all was done."""
    return any(c.failure is not None and c.failure.reason.startswith(OVER) for c in done)


def run_within(
    seconds: float,
    candidates: Sequence[Candidate],
    stages: Sequence[Stage],
    executor: Executor,
    store: Store,
    watch: Watch | None = None,
) -> list[Candidate]:
    """As `pipeline.run.run_stages`, for about so many seconds (0: without limit).

    The time is looked at between two results, so the crystal that is worked on is finished. Then the slow stages that
    are left are skipped: a candidate that has not been through them fails with the code "time-limit", and the others go
    through the quick stages that follow. Such failures are not stored, so the same call with more time continues.
    """
    watch = watch or Watch()
    if not seconds:
        return run_stages(candidates, stages, executor, store, watch)
    latest = {c.id: c for c in candidates}
    end = time.monotonic() + seconds
    token = Cancel()

    def limit(event: Event) -> None:
        if isinstance(event, CandidateChanged):
            latest[event.candidate.id] = event.candidate
        if watch.cancel.is_set or (isinstance(event, CandidateChanged) and time.monotonic() > end):
            token()

    inner = Watch(*watch.listeners, limit, cancel=token)
    try:
        return run_stages(candidates, stages, executor, store, inner)
    except Cancelled:
        watch.cancel.check()
    return _finished(list(latest.values()), stages, executor, seconds)


def _finished(
    candidates: Sequence[Candidate], stages: Sequence[Stage], executor: Executor, seconds: float
) -> list[Candidate]:
    """The candidates after the quick stages that are left; those that lack a slow one, or a structure, are failed."""
    reason = f"{OVER} (--seconds {seconds:g})"
    out = []
    for c in candidates:
        missing = [
            s for s in stages if s.name not in c.stages and (s is stages[0] or (s.cost == "slow" and s.grain == "one"))
        ]
        out.append(c.failed(missing[0].name, Code.TIME_LIMIT, reason) if c.failure is None and missing else c)
    return run_stages(out, stages, executor, NoStore())
