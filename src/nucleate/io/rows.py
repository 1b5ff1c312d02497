"""The rows that the reader of a file format gives, and functions that read the text of a file."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.io.parse import ParsedCrystal
from nucleate.io.results import Problem
from nucleate.io.values import NAME_KEYS

if TYPE_CHECKING:
    from pymatgen.core import Structure

PACKED_MARKS = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zX": ".xz", b"PK\x03\x04": ".zip"}  # their first bytes

# the number of the row (None if the file has one crystal), the name, scalar properties, a function for the structure
Row = tuple[int | None, str, dict[str, Any], "Callable[[], Structure | ParsedCrystal]"]
Rows = Iterator[Row | Problem]


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark. Bytes that are not UTF-8 are replaced, because
    old files are often in Latin-1. Raises NucleateError for a packed file with another ending."""
    with open_text(path) as file:
        return file.read()


def open_text(path: Path) -> IO[str]:
    """A text file for reading, with unchanged line ends. Encodings and errors are those of `read_text`."""
    with path.open("rb") as file:
        start = file.read(4)
    packed = next((ending for mark, ending in PACKED_MARKS.items() if start.startswith(mark)), None)
    if packed is not None:
        raise NucleateError(f"packed, though its name does not end in {packed}; rename or unpack it")
    wide = start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return path.open(encoding="utf-16" if wide else "utf-8-sig", errors="replace", newline="")


def take_name(info: dict[str, Any], default: str) -> str:
    """The name of a crystal, which is removed from its properties `info`, or the default if there is none."""
    return next((str(info.pop(k)) for k in NAME_KEYS if info.get(k) not in (None, "")), default)


def read_json_text(text: str) -> Any:
    """The values of a text in JSON. Raises NucleateError for other texts, and for JSON that is nested too deeply."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, character {error.colno}" if "\n" in text.strip() else f"character {error.colno}"
        raise NucleateError(f"not JSON ({error.msg} at {where})") from None
    except RecursionError:
        raise NucleateError("JSON that is nested too deeply") from None
    except ValueError as error:  # an integer of thousands of digits
        raise NucleateError(f"not readable as JSON ({error})") from None
