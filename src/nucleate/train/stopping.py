"""How Ctrl-C and SIGTERM end a training run: between two steps, after its state was saved."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A run was stopped by the signal `number`, with everything saved."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number

    @property
    def exit_code(self) -> int:
        """What a shell expects of a process that a signal ended: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number


class StopRequest:
    """The number of the signal that has asked this process to stop, or None if there was none."""

    number: int | None = None


@contextlib.contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """A context in which the first SIGINT or SIGTERM is written down in the StopRequest instead of ending the process;
    a second Ctrl-C raises KeyboardInterrupt at once.

    Only the main thread of Python gets signals; in other threads the context does nothing.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, frame: FrameType | None) -> None:
        if request.number is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.number = number

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
