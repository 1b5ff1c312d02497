"""Events of a run for listeners such as progress bars, and the token that stops a run from outside."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleate.pipeline.candidate import Candidate


@dataclass(frozen=True)
class StageBegan:
    """A stage begins. `done` of its `total` candidates went through it in an earlier call."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class CandidateChanged:
    """A stage has given this candidate back. It is stored already, or will be with the next group of results."""

    stage: str
    candidate: Candidate


@dataclass(frozen=True)
class Progress:
    """`done` of `total` units of a piece of work are done; a total of 0 means that it is not known. what: the name of
    the work, for instance of a stage."""

    what: str
    done: int
    total: int


@dataclass(frozen=True)
class StageEnded:
    """All candidates went through a stage. seconds: wall-clock time of this call."""

    stage: str
    total: int
    seconds: float


Event = StageBegan | CandidateChanged | Progress | StageEnded
Listener = Callable[[Event], None]


class Cancelled(Exception):
    """A run was stopped by its `Cancel` token. Finished results are stored, and the same call continues from them."""


class Cancel:
    """A token that stops a run from another thread, or from a listener, between two results."""

    def __init__(self) -> None:
        self._flag = threading.Event()

    def __call__(self) -> None:
        """Ask the run to stop."""
        self._flag.set()

    @property
    def is_set(self) -> bool:
        """Whether the run was asked to stop."""
        return self._flag.is_set()

    def check(self) -> None:
        """Raise `Cancelled` if the run is to stop."""
        if self.is_set:
            raise Cancelled("the run was cancelled; the same call continues it from what is stored")


class Watch:
    """The listeners of a run and the token that stops it; long-running functions take one.

    Listeners are called in their order, in the thread of the run, which waits for them. An exception in a listener ends
    the run as Ctrl-C does, and finished results are stored.

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
        """Tell the listeners a `Progress`."""
        self.tell(Progress(what, done, total))

    def counter(self, what: str) -> Callable[[int, int], None]:
        """A function of (done, total) that tells the progress of one piece of work."""

        def count(done: int, total: int) -> None:
            self.progress(what, done, total)

        return count
