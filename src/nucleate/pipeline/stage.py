"""`Stage`: one step of a pipeline, and what it declares of itself so that an executor can decide where it runs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from nucleate.pipeline.candidate import Candidate

Grain = Literal["one", "chunk", "all"]
Cost = Literal["quick", "slow"]
Resource = Literal["cpu", "gpu", "network", "process"]


class Stage(ABC):
    """Takes candidates and gives back as many, in any order, each with its id.

    A stage never raises for a bad candidate: it gives it back `failed`. It raises NucleateError for what no candidate
    escapes, such as a bad setting or a missing file.

    name: what the stage is called in records, reports and on the screen; unique within a pipeline.

    grain: which candidates a call needs to see.
        "one": each by itself, so that an executor may spread them over processes; the stage must be picklable then.
        "chunk": any number of them, and many at once are cheaper than one by one (a neural network's batch). The result
        of one does not depend on the others. Executors of one machine give it all that wait, and store as results come.
        "all": the result of one depends on the others (duplicates), so the stage sees all living candidates, also those
        that have it behind them, whenever one of them lacks it.

    cost: "quick" for milliseconds per candidate, where starting a process or waiting for the disk would take longer
        than the work; its results are stored in groups. "slow" for all else; each result is stored as it comes.

    resource: what the work waits for.
        "cpu": arithmetic in this process, with one thread; several processes share such work well.
        "gpu": an accelerator where there is one, else all cores of this process; one process has it.
        "network": the answers of a server.
        "process": processes that the stage starts itself.

    limit_s: seconds that one candidate may take in a worker process, after which the process is ended and the candidate
        fails with the code `Code.TIME_LIMIT`.
    """

    name: str
    grain: Grain
    cost: Cost
    resource: Resource
    limit_s: float = math.inf

    @abstractmethod
    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]: ...

    def take_transcript(self) -> list[dict[str, Any]]:
        """What was said to a language model and by it since the last call of this method; a run folder keeps it."""
        return []
