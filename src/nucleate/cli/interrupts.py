"""Ctrl-C that never crashes: compiled libraries abort when they are interrupted while they load or unload."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

RETRY = 0.05  # seconds between two looks whether an import has ended

_received = False


@contextmanager
def going_on(how: str) -> Iterator[None]:
    """After Ctrl-C, or where a run was cancelled, the command ends with code 130 and one line, "interrupted; " and how
    to go on. Every command that keeps what it has done works inside of this."""
    import typer

    from nucleate.cli.tables import output_console
    from nucleate.pipeline.events import Cancelled

    try:
        yield
    except (KeyboardInterrupt, Cancelled):
        output_console(stderr=True).print(f"interrupted; {how}")
        raise typer.Exit(130) from None


def install() -> None:
    """Let SIGINT raise KeyboardInterrupt, but not inside an import: there it waits for the import's end."""
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        signal.signal(signal.SIGINT, _interrupt)


def leave() -> None:
    """After a real Ctrl-C, end at once with code 130: a library cut off in its work may abort in its tear-down."""
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
