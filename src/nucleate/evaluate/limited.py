"""Work in other processes under a time limit that really ends it: an overdue worker is killed and replaced."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_context
from typing import Any

from nucleate.errors import NucleateError

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
START_LIMIT = 120.0  # seconds a fresh worker may take to import its libraries


@dataclass(frozen=True)
class Outcome:
    """What became of job `index`: its `value`, or the `reason` why there is none."""

    index: int
    value: Any = None
    reason: str | None = None


def map_limited(
    function: Callable[..., Any],
    jobs: Sequence[tuple],
    *,
    limit: float,
    workers: int | None = None,
    prepare: Callable[[], None] | None = None,
) -> Iterator[Outcome]:
    """`function(*job)` for each job, outcomes as they come, one thread per process.

    A job that raises, takes more than `limit` seconds or kills its process gives an outcome with a reason; the others
    go on. `function` and `prepare` (slow imports, done before the clock starts) must be importable by name. Workers
    are spawned, so a script that calls this needs the usual `if __name__ == "__main__":`.
    """
    todo = deque(range(len(jobs)))
    count = min(workers or available_cpus(), len(jobs))
    pool: list[_Worker] = []
    broken = 0  # workers in a row that died before their first job
    try:
        pool += [_Worker(function, prepare) for _ in range(count)]
        while todo or any(w.job is not None for w in pool):
            for w in pool:
                if w.ready and w.job is None and todo:
                    w.give(todo.popleft(), jobs)
            busy = [w for w in pool if w.job is not None or not w.ready]
            now = time.monotonic()
            wait = min(w.deadline(limit) for w in busy) - now
            for pipe in connection.wait([w.pipe for w in busy], timeout=max(wait, 0.0)):
                w = next(x for x in pool if x.pipe is pipe)
                try:
                    message = w.pipe.recv()
                except (EOFError, OSError):
                    if not w.ready:
                        broken += 1
                    elif w.job is not None:
                        yield Outcome(w.job, reason="the process that worked on it died")
                    w = _replace(pool, w, function, prepare, broken)
                    continue
                if not w.ready:
                    w.ready, broken = True, 0
                else:
                    index, w.job = w.job, None
                    assert index is not None
                    yield Outcome(index, *message)
            for w in [w for w in pool if time.monotonic() > w.deadline(limit)]:
                if w.pipe.poll():  # it answered at the last moment
                    continue
                if w.job is None:
                    broken += 1
                else:
                    yield Outcome(w.job, reason=f"took longer than {limit:g} s")
                _replace(pool, w, function, prepare, broken)
    finally:
        for w in pool:
            w.end()


def available_cpus() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Worker:
    """One spawned process, its pipe and the job it has."""

    def __init__(self, function: Callable[..., Any], prepare: Callable[[], None] | None) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, function, prepare), daemon=True)
        with _one_thread():
            self.process.start()
        theirs.close()
        self.ready = False
        self.job: int | None = None
        self.since = time.monotonic()

    def give(self, index: int, jobs: Sequence[tuple]) -> None:
        self.job, self.since = index, time.monotonic()
        with contextlib.suppress(OSError):  # it died idle: the next recv says so, and the job is named
            self.pipe.send(jobs[index])

    def deadline(self, limit: float) -> float:
        """Monotonic time at which this worker is overdue."""
        if not self.ready:
            return self.since + START_LIMIT
        return self.since + limit if self.job is not None else float("inf")

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _replace(
    pool: list[_Worker],
    worker: _Worker,
    function: Callable[..., Any],
    prepare: Callable[[], None] | None,
    broken: int,
) -> _Worker:
    worker.end()
    if broken >= 3:
        raise NucleateError(
            "worker processes cannot start; a script that calls this needs `if __name__ == '__main__':` around its work"
        )
    fresh = _Worker(function, prepare)
    pool[pool.index(worker)] = fresh
    return fresh


def _serve(pipe: connection.Connection, function: Callable[..., Any], prepare: Callable[[], None] | None) -> None:
    """The life of a worker: say ready, then answer (value, reason) to each job until the pipe closes."""
    if prepare is not None:
        prepare()
    pipe.send("ready")
    while True:
        try:
            job = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            answer: tuple[Any, str | None] = (function(*job), None)
        except Exception as error:  # the reason travels home, whatever it was
            text = str(error).strip().splitlines()
            answer = (None, f"{type(error).__name__}: {text[0][:120]}" if text else type(error).__name__)
        pipe.send(answer)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Processes started inside see one thread per numerical library; the environment is put back after."""
    before = {k: os.environ.get(k) for k in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for k, v in before.items():
            if v is None:
                os.environ.pop(k, None)
            else:
                os.environ[k] = v
