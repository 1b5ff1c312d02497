"""Files that are packed by gzip, bzip2 or xz, and how they are unpacked."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from nucleate.errors import NucleateError

PACKED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
UNPACKED = ("Not a gzipped file", "Invalid data stream", "Input format not supported")  # errors for unpacked files
FREE, MOST = 2**26, 200  # up to 64 MiB, or so many times the size of the file, are unpacked


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """A context that gives the unpacked file, under its name without the ending, in a temporary folder with the name of
    its own folder.

    Raises NucleateError for a damaged file, and for one that unpacks to far more data than files of crystals do.
    """
    with tempfile.TemporaryDirectory(prefix="nucleate-") as folder:
        inner = Path(folder) / (path.resolve().parent.name or "x") / path.with_suffix("").name
        inner.parent.mkdir()
        most = max(FREE, MOST * path.stat().st_size)
        try:
            with PACKED[path.suffix.lower()](path, "rb") as file, inner.open("wb") as out:
                _copy(file, out, most)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            if any(words in str(error) for words in UNPACKED):
                raise NucleateError(f"not packed, though its name ends in {path.suffix}; rename it") from None
            raise NucleateError(f"cannot be unpacked, damaged or cut short ({error})") from None
        if inner.stat().st_size == 0:
            raise NucleateError("empty")
        yield inner


def _copy(file: IO[bytes], out: IO[bytes], most: int) -> None:
    size = 0
    while piece := file.read(2**20):
        size += len(piece)
        if size > most:
            raise NucleateError(f"unpacks to more than {most // 2**20:,} MB, far more than files of crystals do")
        out.write(piece)
