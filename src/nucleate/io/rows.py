"""What a reader of one file format gives, row by row, and the text of a file."""

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

PACKED_MARKS = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zX": ".xz", b"PK\x03\x04": ".zip"}  # what they begin with

# the row (None where a file holds one crystal), the name, scalar properties, and how to make the structure
Row = tuple[int | None, str, dict[str, Any], "Callable[[], Structure | ParsedCrystal]"]
Rows = Iterator[Row | Problem]


def read_text(path: Path) -> str:
    """The text of a file, UTF-16 by its mark; what is not UTF-8 is replaced, since old files are often Latin-1."""
    with open_text(path) as file:
        return file.read()


def open_text(path: Path) -> IO[str]:
    """A file of text to read from, with its line ends as they are; see `read_text`."""
    with path.open("rb") as file:
        start = file.read(4)
    packed = next((ending for mark, ending in PACKED_MARKS.items() if start.startswith(mark)), None)
    if packed is not None:
        raise NucleateError(f"packed, though its name does not end in {packed}; rename or unpack it")
    wide = start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return path.open(encoding="utf-16" if wide else "utf-8-sig", errors="replace", newline="")


def take_name(info: dict[str, Any], default: str) -> str:
    """The name among the properties, which it leaves, or the default."""
    return next((str(info.pop(k)) for k in NAME_KEYS if info.get(k) not in (None, "")), default)


def read_json_text(text: str) -> Any:
    """The values of a JSON text; raises NucleateError, one line, for any other and for one nested too deeply."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, character {error.colno}" if "\n" in text.strip() else f"character {error.colno}"
        raise NucleateError(f"not JSON ({error.msg} at {where})") from None
    except RecursionError:
        raise NucleateError("JSON that is nested too deeply") from None
    except ValueError as error:  # an integer of thousands of digits
        raise NucleateError(f"not readable as JSON ({error})") from None
