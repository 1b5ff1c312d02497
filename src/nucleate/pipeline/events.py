"""What a run tells while it is under way, who listens, and how it is stopped from outside."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleate.pipeline.candidate import Candidate


@dataclass(frozen=True)
class StageBegan:
    """A stage begins; `done` of its `total` candidates have it behind them from an earlier call."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class CandidateChanged:
    """A stage has given this candidate back, and the store has it or will have it with the next group."""

    stage: str
    candidate: Candidate


@dataclass(frozen=True)
class Progress:
    """So much of something is done; a total of 0 is not known. what: a stage or another piece of work, by its name."""

    what: str
    done: int
    total: int


@dataclass(frozen=True)
class StageEnded:
    """All candidates have a stage behind them; seconds: wall time of this call."""

    stage: str
    total: int
    seconds: float


Event = StageBegan | CandidateChanged | Progress | StageEnded
Listener = Callable[[Event], None]


class Cancelled(Exception):
    """A run was stopped by its `Cancel` token. What was finished is stored, and the same call goes on from there."""


class Cancel:
    """A token that stops a run from another thread, or from a listener, between two results."""

    def __init__(self) -> None:
        self._flag = threading.Event()

    def __call__(self) -> None:
        """Ask the run to stop."""
        self._flag.set()

    @property
    def is_set(self) -> bool:
        return self._flag.is_set()

    def check(self) -> None:
        """Raise `Cancelled` if the run is to stop."""
        if self.is_set:
            raise Cancelled("the run was cancelled; the same call goes on from what is stored")


class Watch:
    """Those who listen to a run, and the token that stops it; what long-running functions are given.

    Listeners are called in their order, in the thread of the run, which waits for them. An exception of a listener ends
    the run as Ctrl-C does: what is finished is stored.

        stop = Cancel()
        design("SrTiO3", "runs/one", watch=Watch(bars, page, cancel=stop))
    """

    def __init__(self, *listeners: Listener, cancel: Cancel | None = None) -> None:
        self.listeners = listeners
        self.cancel = cancel or Cancel()

    def tell(self, event: Event) -> None:
        """Give the event to all listeners, then raise `Cancelled` if the run is to stop."""
        for listener in self.listeners:
            listener(event)
        self.cancel.check()

    def progress(self, what: str, done: int, total: int) -> None:
        """Tell a `Progress`; itself a progress callable for functions that take one."""
        self.tell(Progress(what, done, total))

    def counter(self, what: str) -> Callable[[int, int], None]:
        """A progress callable (done, total) of one piece of work."""

        def count(done: int, total: int) -> None:
            self.progress(what, done, total)

        return count
