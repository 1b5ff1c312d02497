"""Executors for one machine: `Serial` in this process, `Processes` over its cores."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from nucleate.errors import Code, NucleateError, code_of, reason_of
from nucleate.parallel import map_jobs, usable_cores
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.run import Executor
from nucleate.pipeline.stage import Stage


def executor(workers: int | None = None) -> Executor:
    """`Processes` for several workers, `Serial` for one; None means one per usable core."""
    if workers is not None and workers < 1:
        raise NucleateError(f"the number of workers must be at least 1, not {workers}")
    workers = workers or usable_cores()
    return Serial() if workers == 1 else Processes(workers)


def apply_one(stage: Stage, candidate: Candidate) -> list[Candidate]:
    """Apply the stage to one candidate. An unexpected exception becomes the candidate's failure and does not end a run.

    A NucleateError is raised again: it reports a missing resource or a bad setting, which concerns all candidates.
    """
    try:
        return list(stage([candidate]))
    except NucleateError:
        raise
    except Exception as error:
        return [candidate.failed(stage.name, code_of(error), reason_of(error))]


class Serial:
    """One candidate after the other, in this process."""

    def map(self, stage: Stage, candidates: Sequence[Candidate]) -> Generator[Candidate, None, None]:
        """Yield each result when it is there. A stage that takes many candidates gets all of them in one call, and
        every error of such a call is raised."""
        if stage.grain != "one":
            yield from stage(candidates)
            return
        for candidate in candidates:
            yield from apply_one(stage, candidate)


class Processes:
    """Candidates spread over worker processes (`nucleate.parallel`), which are started and ended by each `map`.

    When a worker dies (out of memory, a crash in compiled code), its candidate is tried once more while no other worker
    runs. If the worker dies again, the candidate fails. A candidate that takes longer than the stage's `limit_s` fails
    at once. Only slow stages that take one candidate at a time and need a CPU are spread. The others, and a single
    candidate, are worked on in this process, because a worker takes seconds to import torch. A script that uses this
    needs the usual `if __name__ == "__main__":`.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise NucleateError(f"the number of workers must be at least 1, not {workers}")
        self.workers = workers or usable_cores()

    def map(self, stage: Stage, candidates: Sequence[Candidate]) -> Generator[Candidate, None, None]:
        """Yield each result when it is there, in any order."""
        spreads = stage.grain == "one" and stage.cost == "slow" and stage.resource == "cpu"
        if not spreads or min(self.workers, len(candidates)) < 2:
            yield from Serial().map(stage, candidates)
            return
        suspects: list[Candidate] = []
        for candidate, result in _spread(stage, candidates, self.workers):
            if isinstance(result, str):
                suspects.append(candidate)
            else:
                yield from result
        for suspect in suspects:
            ((_, result),) = _spread(stage, [suspect], 1)
            if isinstance(result, str):
                yield suspect.failed(stage.name, Code.DIED, f"twice {result}")
            else:
                yield from result


def _spread(
    stage: Stage, candidates: Sequence[Candidate], workers: int
) -> Iterator[tuple[Candidate, list[Candidate] | str]]:
    """Each candidate with its results, or with a text that says how the process that worked on it died."""
    for outcome in map_jobs(_apply, [(stage, c) for c in candidates], workers=workers, limit=stage.limit_s):
        candidate = candidates[outcome.index]
        if outcome.died:
            yield candidate, str(outcome.reason)
        elif outcome.late:
            yield candidate, [candidate.failed(stage.name, Code.TIME_LIMIT, str(outcome.reason))]
        elif outcome.reason is not None:
            raise NucleateError(outcome.reason)
        else:
            error, results = outcome.value
            if error is not None:
                raise NucleateError(error)
            yield candidate, results


def _apply(stage: Stage, candidate: Candidate) -> tuple[str | None, list[Candidate]]:
    try:
        return None, apply_one(stage, candidate)
    except NucleateError as error:
        return str(error), []
