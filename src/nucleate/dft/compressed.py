"""Reading files of calculations, plain or compressed."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from nucleate.errors import NucleateError

OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open, ".lzma": lzma.open}
ARCHIVES = (".tar", ".tgz", ".zip", ".7z", ".tbz2", ".txz")
OTHERS = (".z", ".zst")  # compressed in ways that the standard library of Python cannot read
LARGEST_TEXT = 500_000_000  # bytes of an output that is read as a whole


@contextlib.contextmanager
def open_compressed(path: Path) -> Iterator[BufferedReader]:
    """A file to read the uncompressed content from.

    Raises NucleateError where it cannot be uncompressed. Reading from it raises EOFError where the file was cut off.
    """
    if path.suffix.lower() in OTHERS:
        raise NucleateError(f"{path.suffix} cannot be unpacked here; unpack it first, or use .gz, .bz2 or .xz")
    try:
        with OPENERS.get(path.suffix.lower(), Path.open)(path, "rb") as file:
            yield file
    except (gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise NucleateError(f"it cannot be unpacked ({error})") from None
    except OSError as error:
        raise NucleateError(f"it cannot be read ({error.strerror or error})") from None


def read_whole_text(path: Path) -> tuple[str, bool]:
    """(text, whether the file is complete). Raises NucleateError as `open_compressed` does, and for a text that is too
    large."""
    parts: list[bytes] = []
    size = 0
    with open_compressed(path) as file:
        try:
            while block := file.read1(1 << 20):
                parts.append(block)
                size += len(block)
                if size > LARGEST_TEXT:
                    raise NucleateError(f"it is larger than {LARGEST_TEXT / 1e6:g} MB")
        except EOFError:
            return b"".join(parts).decode("utf-8", "replace"), False
    return b"".join(parts).decode("utf-8", "replace"), True


def bare_name(path: Path) -> str:
    """The name of what is inside: "vasprun.xml" of "vasprun.xml.gz"."""
    return path.stem if path.suffix.lower() in (*OPENERS, *OTHERS) else path.name
