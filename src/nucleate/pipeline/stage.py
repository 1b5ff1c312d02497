"""`Stage`: one step of a pipeline, and what it declares so that an executor can decide where it runs."""

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
    """Takes candidates and gives every one of them back, in any order, each with its id.

    A stage never raises for a bad candidate: it gives it back `failed`. It raises NucleateError for what concerns all
    candidates, such as a bad setting or a missing file.

    name: of the stage in records, in reports and on the screen; unique within a pipeline.

    grain: which candidates a call needs to see.
        "one": one at a time, so that an executor may spread them over processes. The stage must be picklable.
        "chunk": any number of them, where many at once take less time than one by one, as a neural network's batch
        does. The result of one does not depend on the others. Executors of one machine give all waiting candidates to
        one call.
        "all": the result of one depends on the others, as for duplicates. If any candidate has not been through the
        stage, the stage sees all candidates that were not rejected, also those that have been through it before.

    cost: "quick" if a candidate takes milliseconds, so that starting a process or waiting for the disk would take
        longer than the work. Results are then stored in groups. "slow" otherwise; each result is stored at once.

    resource: what the work needs.
        "cpu": one thread of this process. Several processes share such work well.
        "gpu": an accelerator if there is one, else all cores, used by one process.
        "network": the answers of a server.
        "process": processes that the stage starts itself.

    limit_s: seconds that one candidate may take in a worker process. After that the process is ended, and the candidate
        fails with the code `Code.TIME_LIMIT`.
    """

    name: str
    grain: Grain
    cost: Cost
    resource: Resource
    limit_s: float = math.inf

    @abstractmethod
    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        """Each of the candidates with what the stage found, or failed."""
        ...

    def take_transcript(self) -> list[dict[str, Any]]:
        """Requests to a language model and its answers since the last call of this method, for the run folder."""
        return []
