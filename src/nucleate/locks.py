"""One writer at a time: the operating system's lock on a file, and beside it the process that holds it."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path


class Lock:
    """Held from its making until `release`, or until this process ends, however it ends: no stale lock stays behind.

    file: of the lock; its folder is made. work: what the holder does, for the message to the next process
    ("is training into runs/a"). instead: what that one's user may do. wait: seconds for which it is tried. Raises
    NucleateError if another process holds the lock, naming its number, and if the folder cannot be written. Use as a
    context manager, or `release()`.
    """

    def __init__(self, file: str | Path, work: str, instead: str, wait: float = 0.0) -> None:
        from filelock import FileLock, Timeout

        from nucleate.errors import NucleateError

        file = Path(file)
        self._holder = file.with_name(f"{file.name}.pid")
        self._lock = FileLock(str(file))
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=wait)
            self._holder.write_text(f"{os.getpid()}\n")
        except Timeout:
            raise NucleateError(f"another process{self._number()} {work}; wait for it, or {instead}") from None
        except OSError as error:
            self._lock.release(force=True)
            hint = "free some space" if error.errno == errno.ENOSPC else instead
            raise NucleateError(f"cannot write into {file.parent}: {error.strerror or error}; {hint}") from None

    def release(self) -> None:
        """Free the lock; may be called twice."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                self._holder.unlink(missing_ok=True)
            self._lock.release(force=True)

    def discard(self) -> None:
        """Free the lock and delete its file, which nobody needs who does not write there again."""
        if not self._lock.is_locked:
            return
        file = Path(self._lock.lock_file)
        self._holder.unlink(missing_ok=True)  # first: a kill in between leaves a lock that the next call knows
        if os.name == "posix":  # while it is held; elsewhere a file that is open cannot be deleted
            file.unlink(missing_ok=True)
        self.release()
        if os.name != "posix":
            file.unlink(missing_ok=True)

    def _number(self) -> str:
        try:
            return f" (pid {int(self._holder.read_text())})"
        except (OSError, ValueError):  # it has just begun, or just ended
            return ""

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
