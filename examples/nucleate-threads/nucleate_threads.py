"""An engine for nucleate: stages of single candidates run in threads, all others in the calling thread."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from nucleate.engine.local import Serial, apply_one
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.stage import Stage


class Threads:
    """Runs at most `workers` candidates at once, by default as many as there are cores.

    Threads share one Python interpreter, so this helps stages that wait, for instance for an external program.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1

    def map(self, stage: Stage, candidates: Sequence[Candidate]) -> Generator[Candidate]:
        """The results of the stage as they come, in any order: as many as there are candidates, each with its id."""
        if stage.grain != "one" or self.workers == 1 or len(candidates) < 2:
            yield from Serial().map(stage, candidates)
            return
        pool = ThreadPoolExecutor(self.workers)
        try:
            for future in as_completed([pool.submit(apply_one, stage, c) for c in candidates]):
                yield from future.result()
        finally:
            pool.shutdown(cancel_futures=True)
