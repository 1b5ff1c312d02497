"""Files that are there complete or not at all, and what a killed writer leaves beside them."""

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

PART = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part", re.DOTALL)  # our temporary names: of what file, and a random number


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, a file or folder that takes its place if all goes well.

    Its parent folders are made; the file that a link points to is replaced, not the link. Any OSError (unwritable, disk
    full) becomes a NucleateError.
    """
    path = Path(path)
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        raise NucleateError(f"cannot write {path}: {hint(error)}") from None
    finally:
        remove(temporary)


def remove(path: Path) -> None:
    """Delete a file or a folder, whatever is in it; nothing happens where it is not there or cannot be."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def sweep(folder: Path, names: Collection[str] | None = None) -> None:
    """Delete what killed writers of files of these names (None: of any) left in the folder: only our temporary names.

    For whoever holds the lock on what is written there: nobody else can be writing it.
    """
    with suppress(OSError):
        for path in folder.iterdir():
            part = PART.fullmatch(path.name)
            if part is not None and (names is None or part[1] in names):
                remove(path)


def hint(error: OSError) -> str:
    """What went wrong, and what to do where that is clear."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{error.strerror}; free some space and give the command again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.strerror}; choose another place"
    return error.strerror or str(error)


def check_writable(path: Path, folder: bool = False) -> None:
    """Raises NucleateError where a file (or folder) of this name could not be written, before any work; makes nothing
    that stays.
    """
    if path.exists() and path.is_dir() != folder:
        raise NucleateError(f"{path} is a {'file; choose a folder' if folder else 'folder; choose a file'}")
    if path.is_symlink() and not path.exists() and folder:
        raise NucleateError(f"{path} is a link to {os.readlink(path)}, which is not there; make that folder first")
    there = path if folder and path.exists() else path.parent
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        raise NucleateError(f"cannot write {path}: {there} is a file, not a folder")
    probe = there / f".{path.name[:100]}.{uuid.uuid4().hex[:8]}.part"
    try:
        probe.touch(exist_ok=False)
    except OSError as error:
        raise NucleateError(f"cannot write {path}: {hint(error)}") from None
    remove(probe)


def check_ending(path: Path, endings: Collection[str], what: str = "--out") -> None:
    """Raises NucleateError for a file name with another ending, and where the file could not be written."""
    if path.suffix.lower() not in endings:
        raise NucleateError(f"{what} ends in {', '.join(endings)}, not '{path.suffix}'")
    check_writable(path)
