"""Zip archives of structure files, such as those of MatterGen's CIFs. They are read one member at a time, without
unpacking the whole archive."""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nucleate.io.packed import FREE, MOST
from nucleate.io.results import Problem

ARCHIVE = ".zip"
FOREIGN = ("__MACOSX",)  # folders that an operating system adds to archives


@dataclass(frozen=True)
class ArchiveMember:
    """A file of an archive. where: its path, for messages. copy: a copy on disk, which exists until the next member is
    asked for."""

    where: str
    copy: Path


def archive_members(path: Path, usable: Callable[[Path], bool]) -> Iterator[ArchiveMember | Problem]:
    """The files in a zip archive for whose names `usable` is true.

    A member that is damaged, encrypted or not usable is a `Problem`, and so is an archive that unpacks to far more data
    than files of crystals do. Members are unpacked one at a time into a temporary folder.
    """
    left = max(FREE, MOST * path.stat().st_size)
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory(prefix="nucleate-") as folder:
            files = [m for m in archive.infolist() if not m.is_dir() and not _hidden(m.filename)]
            if not files:
                yield Problem(str(path), None, "no file is in it")
            for member in files:
                where = f"{path}/{member.filename}"
                copy = Path(folder) / PurePosixPath(member.filename.replace("\\", "/")).name
                if not usable(copy):
                    yield Problem(where, None, "skipped, not a structure file")
                    continue
                left -= member.file_size
                if left < 0:
                    yield Problem(where, None, "the archive unpacks to far more than files of crystals do")
                    return
                try:
                    with archive.open(member) as file:
                        copy.write_bytes(file.read(member.file_size))
                except (RuntimeError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:  # encrypted, damaged
                    yield Problem(where, None, f"cannot be unpacked ({error})")
                    continue
                yield ArchiveMember(where, copy)
                copy.unlink()
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError) as error:
        yield Problem(str(path), None, f"not a zip archive, damaged or cut short ({error})")


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part in FOREIGN for part in name.split("/"))
