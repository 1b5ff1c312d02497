"""Executors for one machine: `Serial` in this process, `Processes` over its cores."""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from typing import Any

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.run import Executor, Stage

# One thread per worker: threads beyond the cores slow each other down (ASE's cell filter five-fold).
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)


def usable_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def executor(workers: int | None = None) -> Executor:
    """`Processes` for several workers, `Serial` for one; None means one per usable core."""
    if workers is not None and workers < 1:
        raise NucleateError(f"the number of workers must be at least 1, not {workers}")
    workers = workers or usable_cores()
    return Serial() if workers == 1 else Processes(workers)


def apply_one(stage: Stage, candidate: Candidate) -> list[Candidate]:
    """The stage on one candidate; an unexpected exception becomes its failure, so that it cannot end a run.

    NucleateError passes: it tells of a missing resource or a bad setting, which no other candidate escapes either.
    """
    try:
        return list(stage([candidate]))
    except NucleateError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200].removesuffix(": ")
        return [candidate.failed(stage.name, reason)]


class Serial:
    """One candidate after the other, in this process."""

    def map(self, stage: Stage, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        """Results as they come. A batched stage gets all candidates at once, and its errors are raised."""
        if stage.batched:
            yield from stage(candidates)
            return
        for candidate in candidates:
            yield from apply_one(stage, candidate)


@dataclass(eq=False)
class _Worker:
    process: Any
    pipe: Connection
    held: Candidate | None = None  # what it is working on


@dataclass(frozen=True)
class _Death:
    candidate: Candidate
    exit_code: int | None


class Processes:
    """Candidates spread over worker processes, which are started with `spawn` and live for one `map`.

    A worker that dies (out of memory, a crash in compiled code) loses nothing: its candidate is tried once more, with
    no other worker beside it, and if the worker dies again it is failed. The workers end with the `map`, whether it
    is read to its end, interrupted or abandoned. Stages that are batched or say `quick = True`, and a single
    candidate, stay in this process: a worker takes seconds to import torch. A script that uses this needs the usual
    `if __name__ == "__main__":`.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise NucleateError(f"the number of workers must be at least 1, not {workers}")
        self.workers = workers or usable_cores()

    def map(self, stage: Stage, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        """Results as they come, in any order."""
        if stage.batched or getattr(stage, "quick", False) or min(self.workers, len(candidates)) < 2:
            yield from Serial().map(stage, candidates)
            return
        suspects: list[_Death] = []
        yield from _spread(stage, candidates, self.workers, suspects)
        for suspect in suspects:
            again: list[_Death] = []
            yield from _spread(stage, [suspect.candidate], 1, again)
            for death in again:
                reason = f"the worker process died twice on it (the last time {_how(death.exit_code)})"
                yield death.candidate.failed(stage.name, reason)


def _spread(stage: Stage, candidates: Sequence[Candidate], workers: int, suspects: list[_Death]) -> Iterator[Candidate]:
    """Work through the candidates; those whose worker died are put into `suspects`."""
    todo = deque(candidates)
    crew: list[_Worker] = []
    one_started = False
    try:
        while todo or any(w.held is not None for w in crew):
            while len(crew) < min(workers, len(todo) + sum(w.held is not None for w in crew)):
                crew.append(_start())
            for worker in _events(crew):
                message = _receive(worker)
                if message is None:  # it died
                    crew.remove(worker)
                    worker.process.join()
                    if worker.held is not None:
                        suspects.append(_Death(worker.held, worker.process.exitcode))
                    elif not one_started:
                        raise NucleateError(
                            f"a worker process could not start ({_how(worker.process.exitcode)}); "
                            "call from under `if __name__ == '__main__':`, or use one worker"
                        )
                    else:  # there is no room for so many
                        workers = max(1, workers - 1)
                    continue
                one_started, worker.held = True, None
                if todo:
                    worker.held = todo.popleft()
                    with contextlib.suppress(OSError):  # it died in between: its end is the next event
                        worker.pipe.send((stage, worker.held))
                kind, value = message
                if kind == "error":
                    raise NucleateError(value)
                yield from value
    finally:
        _stop(crew)


def _how(exit_code: int | None) -> str:
    """An exit code in words; the system kills with SIGKILL when memory runs out."""
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        return name + (", out of memory?" if name == "SIGKILL" else "")
    return f"exit code {exit_code}"


def _events(crew: list[_Worker]) -> list[_Worker]:
    ready = set(wait([w.pipe for w in crew]))
    return [w for w in crew if w.pipe in ready]


def _receive(worker: _Worker) -> tuple[str, Any] | None:
    try:
        return worker.pipe.recv()
    except (EOFError, OSError):
        return None


def _start() -> _Worker:
    context = mp.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there,), daemon=True)
    with _environment(ONE_THREAD), _interrupts_ignored():
        process.start()
    there.close()  # so that the worker's death closes the pipe
    return _Worker(process, here)


def _stop(crew: list[_Worker]) -> None:
    for worker in crew:
        worker.process.terminate()
    for worker in crew:
        worker.process.join(5)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.pipe.close()


def _work(pipe: Connection) -> None:
    """A worker: tasks come through the pipe until it closes, as it does when the parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends the workers
    with contextlib.suppress(EOFError, OSError):
        pipe.send(("done", []))
        while True:
            pipe.send(_answer(pipe))


def _answer(pipe: Connection) -> tuple[str, Any]:
    data = pipe.recv_bytes()
    try:
        stage, candidate = ForkingPickler.loads(data)
    except Exception as error:
        return "error", f"a worker process cannot import the stage ({error}); define it in a module, or use one worker"
    try:
        return "done", apply_one(stage, candidate)
    except NucleateError as error:
        return "error", str(error)


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
