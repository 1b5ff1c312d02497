"""Jobs in worker processes. A worker that crashes or exceeds its time limit is replaced, and the other jobs go on."""

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

# Each worker computes with one thread, because more threads than cores slow each other down (five-fold in ASE's cell
# filter).
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
START_LIMIT = 120.0  # seconds that a new worker may take to import its libraries
BROKEN = 3  # after so many workers in a row have died before their first job, an error is raised
PR_SET_PDEATHSIG = 1  # the option of Linux's prctl(2) for a signal at the death of the parent process


@dataclass(frozen=True)
class Outcome:
    """What became of the job with number `index`: its `value`, or the `reason` why it has none.

    died: the process ended while it worked on the job. late: the job took longer than the time limit.
    """

    index: int
    value: Any = None
    reason: str | None = None
    died: bool = False
    late: bool = False


def usable_cores() -> int:
    """The number of processor cores that this process may use."""
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
    """Call `function(*job)` for each job in worker processes of one thread each. Yields the outcomes in the order in
    which the jobs are finished.

    A job that raises an exception, takes longer than `limit` seconds or ends its process gives an outcome with a
    reason, and the other jobs go on. `prepare` is called once in each worker before the time of its first job starts,
    for imports that are slow. `function` and `prepare` must be importable by name. Workers are started by spawning.
    They import the running script only if the jobs contain something that it defines; the script then needs the usual
    `if __name__ == "__main__":`. They end when the iterator ends, is interrupted or is given up, and on Linux at once
    when this process is killed.

    workers: the number of processes (default: `usable_cores`). 0 does the jobs in this process, without a time limit;
    it suits a few jobs that can neither crash nor hang. Raises NucleateError if workers cannot be started.
    """
    if workers == 0:
        for i, job in enumerate(jobs):
            yield Outcome(i, *_attempt(function, job))
        return
    waiting = deque(range(len(jobs)))
    count = min(workers or usable_cores(), len(jobs))
    pool: list[_Worker] = []
    broken = 0
    try:
        main = bool(jobs) and _mentions_main((function, prepare, jobs[0]))
        pool += [_Worker(function, prepare, main) for _ in range(count)]
        while waiting or any(w.job is not None for w in pool):
            for w in pool:
                if w.ready and w.job is None and waiting:
                    w.give(waiting.popleft(), jobs)
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
                if w.pipe.poll():  # it answered just before its time was over
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
    """As `map_jobs`, but jobs that fail can be replaced by other jobs. Yields (job, outcome) in the order in which the
    jobs are finished.

    again: called with a job that failed and the reason; gives the jobs that replace it, for instance its two halves, or
    none if the failure is final. They are done after all others, and can be replaced in the same way. `Outcome.index`
    has no meaning here.
    """
    while jobs:
        later: list[tuple] = []
        for outcome in map_jobs(function, jobs, limit=limit, workers=workers, prepare=prepare):
            job = jobs[outcome.index]
            replacements = again(job, outcome.reason) if outcome.reason is not None else ()
            if replacements:
                later += replacements
            else:
                yield job, outcome
        jobs = later


class _Worker:
    """One spawned process, its pipe and its current job. main: whether the process imports the running script."""

    def __init__(self, function: Callable[..., Any], prepare: Callable[[], None] | None, main: bool) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        # Linux sends the signal at the end of the thread that started the worker. Only the main thread is sure to live
        # as long as the process, so workers of other threads do without the signal.
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
        with contextlib.suppress(BrokenPipeError, ConnectionError):  # it has died, which the next `recv` finds out
            self.pipe.send(jobs[index])

    def deadline(self, limit: float) -> float:
        """The time (of `time.monotonic`) at which this worker exceeds its limit."""
        if not self.ready:
            return self.since + START_LIMIT
        return self.since + limit if self.job is not None else math.inf

    def end(self) -> str:
        """Kill the process if it is alive. Returns words on how it ended."""
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
    """The user's PYTHONWARNINGS, with one warning silenced: that a killed worker left a semaphore behind. Libraries
    make such semaphores, and the resource tracker of Python, which warns, also removes them."""
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
            f"worker processes cannot start ({how}); put the work of your script under "
            "`if __name__ == '__main__':`, or use one worker"
        )
    pool[pool.index(worker)] = _Worker(function, prepare, main)


def _serve(
    pipe: connection.Connection,
    function: Callable[..., Any],
    prepare: Callable[[], None] | None,
    parent: int | None = None,
) -> None:
    """What a worker does: it reports that it is ready, then answers (value, reason) to each job until the pipe
    closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is sent to all processes, and the parent ends the workers
    if parent is not None:
        die_with(parent)
    with contextlib.suppress(EOFError, OSError):
        if prepare is not None:
            prepare()
        pipe.send("ready")
        while True:
            pipe.send(_answer(pipe.recv_bytes(), function))


def die_with(parent: int) -> None:
    """Have this process killed as soon as the process `parent` ends, in whatever way. Works on Linux only; elsewhere it
    does nothing."""
    if sys.platform != "linux":
        return
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):  # without prctl a worker ends after its job, when it finds the pipe closed
        return
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # the parent ended before the signal was requested
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
    except Exception as error:  # any exception is sent to the parent process as a reason
        return None, reason_of(error)


def _mentions_main(values: Any) -> bool:
    """Whether values contain something that the running script defines, so that a worker must import the script."""
    return b"__main__" in bytes(ForkingPickler.dumps(values))


@contextlib.contextmanager
def _main_hidden() -> Iterator[None]:
    """A context in which a process that is started does not import the running script. A script without
    `if __name__ == "__main__":` would otherwise start from its beginning in each worker."""
    own = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = own


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """A context in which a process that is started gets these environment variables; numpy reads them at import."""
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
    """A context in which a process that is started ignores Ctrl-C from its first moment on. For that moment (about a
    millisecond) this process ignores it, too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
