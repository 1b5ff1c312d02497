"""Jobs in worker processes that survive a crash, a hang and Ctrl-C: a dead or overdue worker is replaced."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.reduction import ForkingPickler
from types import ModuleType
from typing import Any

from nucleate.errors import NucleateError, reason_of

# One thread per worker: threads beyond the cores slow each other down (ASE's cell filter five-fold).
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
START_LIMIT = 120.0  # seconds a fresh worker may take to import its libraries
BROKEN = 3  # workers in a row that may die before their first job
PR_SET_PDEATHSIG = 1  # of Linux's prctl(2)


@dataclass(frozen=True)
class Outcome:
    """What became of job `index`: its `value`, or the `reason` why there is none; `died`: its process ended with it;
    `late`: it took too long."""

    index: int
    value: Any = None
    reason: str | None = None
    died: bool = False
    late: bool = False


def usable_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def map_jobs(
    function: Callable[..., Any],
    jobs: Sequence[tuple],
    *,
    limit: float = math.inf,
    workers: int | None = None,
    prepare: Callable[[], None] | None = None,
) -> Iterator[Outcome]:
    """`function(*job)` for each job, outcomes as they come, in one-thread processes.

    A job that raises, takes more than `limit` seconds or kills its process gives an outcome with a reason; the others
    go on. `function` and `prepare` (slow imports, done before the clock starts) must be importable by name. Workers
    are spawned; they import the script that runs only where the jobs hold something that is defined in it, which then
    needs the usual `if __name__ == "__main__":`. They end with the iterator, whether it is read to its end, interrupted
    or abandoned, and on Linux at once when this process is killed.

    workers: 0 does the jobs in this process instead, without a limit: for few jobs that are known to be harmless.
    """
    if workers == 0:
        for i, job in enumerate(jobs):
            yield Outcome(i, *_attempt(function, job))
        return
    todo = deque(range(len(jobs)))
    count = min(workers or usable_cores(), len(jobs))
    pool: list[_Worker] = []
    broken = 0
    try:
        main = bool(jobs) and _mentions_main((function, prepare, jobs[0]))
        pool += [_Worker(function, prepare, main) for _ in range(count)]
        while todo or any(w.job is not None for w in pool):
            for w in pool:
                if w.ready and w.job is None and todo:
                    w.give(todo.popleft(), jobs)
            busy = [w for w in pool if w.job is not None or not w.ready]
            overdue = min(w.deadline(limit) for w in busy)
            patience = None if overdue == math.inf else max(overdue - time.monotonic(), 0.0)
            for pipe in connection.wait([w.pipe for w in busy], timeout=patience):
                w = next(x for x in pool if x.pipe is pipe)
                try:
                    message = w.pipe.recv()
                except (EOFError, OSError):
                    if not w.ready:
                        broken += 1
                    elif w.job is not None:
                        yield Outcome(w.job, reason=f"the process that worked on it died ({w.end()})", died=True)
                    _replace(pool, w, function, prepare, broken, main)
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
                    yield Outcome(w.job, reason=f"took longer than {limit:g} s", late=True)
                _replace(pool, w, function, prepare, broken, main)
    finally:
        for w in pool:
            w.end()


def map_again(
    function: Callable[..., Any],
    jobs: Sequence[tuple],
    again: Callable[[tuple, str], Sequence[tuple]],
    *,
    limit: float = math.inf,
    workers: int | None = None,
    prepare: Callable[[], None] | None = None,
) -> Iterator[tuple[tuple, Outcome]]:
    """(job, outcome) of all jobs as they come, as of `map_jobs`, where what failed may be done again in another way.

    again: the jobs that take the place of one that failed with this reason, such as its halves, or none if the failure
    is to stand. They are done after all others, and may fail and be replaced themselves; `Outcome.index` means nothing.
    """
    while jobs:
        later: list[tuple] = []
        for outcome in map_jobs(function, jobs, limit=limit, workers=workers, prepare=prepare):
            job = jobs[outcome.index]
            instead = again(job, outcome.reason) if outcome.reason is not None else ()
            if instead:
                later += instead
            else:
                yield job, outcome
        jobs = later


class _Worker:
    """One spawned process, its pipe and the job it has. main: whether it imports the script that runs."""

    def __init__(self, function: Callable[..., Any], prepare: Callable[[], None] | None, main: bool) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        # Linux's signal comes at the end of the thread that started the worker, and other threads may outlive theirs
        parent = os.getpid() if threading.current_thread() is threading.main_thread() else None
        self.process = context.Process(target=_serve, args=(theirs, function, prepare, parent), daemon=True)
        script = contextlib.nullcontext() if main else _main_hidden()
        with _environment({**ONE_THREAD, "PYTHONWARNINGS": _warnings()}), _interrupts_ignored(), script:
            self.process.start()
        theirs.close()  # so that the worker's death closes the pipe
        self.ready = False
        self.job: int | None = None
        self.since = time.monotonic()

    def give(self, index: int, jobs: Sequence[tuple]) -> None:
        self.job, self.since = index, time.monotonic()
        with contextlib.suppress(BrokenPipeError, ConnectionError):  # it died idle: the next recv says so
            self.pipe.send(jobs[index])

    def deadline(self, limit: float) -> float:
        """Monotonic time at which this worker is overdue."""
        if not self.ready:
            return self.since + START_LIMIT
        return self.since + limit if self.job is not None else math.inf

    def end(self) -> str:
        """Kill it if it lives; how it ended, in words."""
        self.process.join(0.2 if self.process.exitcode is None and not self.process.is_alive() else 0)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()
        code = self.process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            return name + (", out of memory?" if name == "SIGKILL" else "")
        return f"exit code {code}"


def _warnings() -> str:
    """The user's PYTHONWARNINGS, without the complaint that a killed worker left a semaphore (of a library's) behind:
    Python's resource tracker, which complains, removes it."""
    own = os.environ.get("PYTHONWARNINGS")
    return ",".join(w for w in (own, "ignore::UserWarning:multiprocessing.resource_tracker") if w)


def _replace(
    pool: list[_Worker],
    worker: _Worker,
    function: Callable[..., Any],
    prepare: Callable[[], None] | None,
    broken: int,
    main: bool,
) -> None:
    how = worker.end()
    if broken >= BROKEN:
        raise NucleateError(
            f"worker processes cannot start ({how}); a script that calls this needs `if __name__ == '__main__':` "
            "around its work, or use one worker"
        )
    pool[pool.index(worker)] = _Worker(function, prepare, main)


def _serve(
    pipe: connection.Connection,
    function: Callable[..., Any],
    prepare: Callable[[], None] | None,
    parent: int | None = None,
) -> None:
    """The life of a worker: say ready, then answer (value, reason) to each job until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends the workers
    if parent is not None:
        die_with(parent)
    with contextlib.suppress(EOFError, OSError):
        if prepare is not None:
            prepare()
        pipe.send("ready")
        while True:
            pipe.send(_answer(pipe.recv_bytes(), function))


def die_with(parent: int) -> None:
    """End this process when the parent does, however that ends, and whatever this one is busy with; Linux alone."""
    if sys.platform != "linux":
        return
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):  # a C library without it: the worker ends after its job, when the pipe is closed
        return
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the signal was asked for
        os._exit(1)


def _answer(data: bytes, function: Callable[..., Any]) -> tuple[Any, str | None]:
    try:
        job = ForkingPickler.loads(data)
    except Exception as error:
        return None, f"a worker process cannot import the job ({error}); define it in a module, or use one worker"
    return _attempt(function, job)


def _attempt(function: Callable[..., Any], job: tuple) -> tuple[Any, str | None]:
    try:
        return function(*job), None
    except Exception as error:  # the reason travels home, whatever it was
        return None, reason_of(error)


def _mentions_main(values: Any) -> bool:
    """Whether values hold something that the script which runs defines, so that a worker must import it."""
    return b"__main__" in bytes(ForkingPickler.dumps(values))


@contextlib.contextmanager
def _main_hidden() -> Iterator[None]:
    """A process started inside does not import the script that runs: a script without `if __name__ == "__main__":`
    would begin all over in each of them."""
    own = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = own


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for a process started inside; numpy reads them when it is imported."""
    before = {k: os.environ.get(k) for k in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """A process started inside ignores Ctrl-C from its first moment (for a millisecond so do we)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
