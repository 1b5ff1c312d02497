"""Handling of Ctrl-C. Compiled libraries abort when they are interrupted while they are loaded or unloaded."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

RETRY = 0.05  # seconds after which it is looked again whether an import has ended

_received = False


@contextmanager
def going_on(how: str) -> Iterator[None]:
    """A context in which Ctrl-C or a cancelled run ends the command with code 130 and one line: "interrupted; ", `how`.

    Every command that stores finished work runs in it. how: what continues the work.
    """
    import typer

    from nucleate.cli.tables import output_console
    from nucleate.pipeline.events import Cancelled

    try:
        yield
    except (KeyboardInterrupt, Cancelled):
        output_console(stderr=True).print(f"interrupted; {how}")
        raise typer.Exit(130) from None


def install() -> None:
    """Make SIGINT raise KeyboardInterrupt; during an import, only after the import has ended."""
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        signal.signal(signal.SIGINT, _interrupt)


def leave() -> None:
    """End the process at once, with code 130, if Ctrl-C was received.

    A library that was interrupted in its work might abort when Python shuts down in the usual way.
    """
    if _received:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(130)


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _received
    _received = True
    if _importing(frame):
        signal.signal(signal.SIGALRM, _interrupt)
        signal.setitimer(signal.ITIMER_REAL, RETRY)
        return
    raise KeyboardInterrupt


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
