"""Writing files so that they are either complete or not there, and removing what a killed process left behind."""

from __future__ import annotations

import errno
import os
import re
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nucleate.errors import NucleateError

# The temporary names that `replacing` uses: they contain the name of the final file and a random number.
PART = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part", re.DOTALL)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A context that gives a temporary path in the same folder as `path`. The caller writes a file or folder there, and
    if the context ends without an exception it is renamed to `path`; otherwise it is deleted.

    Missing parent folders are made. If `path` is a link, the file that it points to is replaced. Raises NucleateError
    in place of any OSError (no permission, disk full).
    """
    path = Path(path)
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        raise NucleateError(f"cannot write {path}: {reason_and_remedy(error)}") from None
    finally:
        remove(temporary)


def remove(path: Path) -> None:
    """Delete a file, or a folder with everything in it. Does nothing if it is not there or cannot be deleted."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def sweep(folder: Path, names: Collection[str] | None = None) -> None:
    """Delete the temporary files of `replacing` that killed processes left in a folder.

    names: of the final files; None stands for all. Only for a caller that holds the lock of these files, because
    otherwise another process may be writing them.
    """
    with suppress(OSError):
        for path in folder.iterdir():
            temporary = PART.fullmatch(path.name)
            if temporary is not None and (names is None or temporary[1] in names):
                remove(path)


def reason_and_remedy(error: OSError) -> str:
    """What went wrong, and what the user can do about it if that is clear."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{error.strerror}; free some space and give the command again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.strerror}; choose another folder"
    return error.strerror or str(error)


def check_writable(path: Path, folder: bool = False) -> None:
    """Raise NucleateError if a file (or a folder) of this name could not be written. It is called before any work is
    done, and leaves nothing behind."""
    if path.exists() and path.is_dir() != folder:
        raise NucleateError(f"{path} is a {'file; choose a folder' if folder else 'folder; choose a file'}")
    if path.is_symlink() and not path.exists() and folder:
        raise NucleateError(f"{path} is a link to {os.readlink(path)}, which is not there; make that folder first")
    existing = path if folder and path.exists() else path.parent
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        raise NucleateError(f"cannot write {path}: {existing} is a file, not a folder")
    probe = existing / f".{path.name[:100]}.{uuid.uuid4().hex[:8]}.part"
    try:
        probe.touch(exist_ok=False)
    except OSError as error:
        raise NucleateError(f"cannot write {path}: {reason_and_remedy(error)}") from None
    remove(probe)


def check_ending(path: Path, endings: Collection[str], option: str = "--out") -> None:
    """Raise NucleateError if a file name has none of the endings (".csv"), or if the file could not be written.

    option: the command-line option that gave the name, for the message.
    """
    if path.suffix.lower() not in endings:
        raise NucleateError(f"{option} must end in {' or '.join(endings)}, not in '{path.suffix}'")
    check_writable(path)
