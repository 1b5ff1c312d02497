"""A lock that lets one process at a time write to a folder or file, with the number of the process that holds it."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path


class Lock:
    """A lock of the operating system on a file. It is held from the construction of this object until `release`, or
    until this process ends; the operating system frees it then, so that no lock is left after a crash.

    file: the file of the lock; its folder is made if it is missing. work: what the holder does ("is training in
    runs/a"), and instead: what the user may do, both for the message that another process shows. wait: seconds for
    which it is tried again. Raises NucleateError, with the number of the other process, if that holds the lock, and if
    the folder cannot be written. It can be used as a context manager.
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
        """Free the lock. A second call does nothing."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                self._holder.unlink(missing_ok=True)
            self._lock.release(force=True)

    def discard(self) -> None:
        """Free the lock and delete its file. For a folder to which nothing will be written any more."""
        if not self._lock.is_locked:
            return
        file = Path(self._lock.lock_file)
        self._holder.unlink(missing_ok=True)  # first, because if the process is killed now the lock file is still there
        if os.name == "posix":  # deleted while the lock is held; other systems cannot delete a file that is open
            file.unlink(missing_ok=True)
        self.release()
        if os.name != "posix":
            file.unlink(missing_ok=True)

    def _number(self) -> str:
        try:
            return f" (pid {int(self._holder.read_text())})"
        except (OSError, ValueError):  # the other process has only just begun or ended
            return ""

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
