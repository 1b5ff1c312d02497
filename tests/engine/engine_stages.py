"""Stages for the tests of executors. Worker processes can import them; the id of a candidate says what they do."""

import os
import signal
import time
from pathlib import Path

from nucleate.errors import NucleateError
from nucleate.pipeline.stage import Stage


def seen(candidate, **more):
    threads = os.environ.get("OPENBLAS_NUM_THREADS")
    return candidate.with_(provenance={"seen": candidate.seed, "pid": os.getpid(), "threads": threads, **more})


class Misbehaves(Stage):
    name, grain, cost, resource = "odd", "one", "slow", "cpu"

    def __call__(self, candidates):
        for c in candidates:
            if c.id == "raise":
                raise ZeroDivisionError("on purpose\nand a second line")
            if c.id == "setting":
                raise NucleateError("no such potential")
            if c.id == "exit":
                os._exit(7)
            if c.id == "kill":
                os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
            if c.id.startswith("sleep"):
                time.sleep(2)
            if c.id != "lose":
                yield seen(c)


class DiesOnce(Stage):
    name, grain, cost, resource = "once", "one", "slow", "cpu"

    def __init__(self, mark):
        self.mark = mark

    def __call__(self, candidates):
        for c in candidates:
            if c.id == "b" and not Path(self.mark).exists():
                Path(self.mark).touch()
                os._exit(1)
            yield seen(c)


class Batched(Stage):
    name, grain, cost, resource = "all", "chunk", "slow", "cpu"

    def __call__(self, candidates):
        return [seen(c, n=len(candidates)) for c in candidates]


class Quick(Misbehaves):
    cost = "quick"


class Impatient(Misbehaves):
    limit_s = 1.0
