"""What a reader of one file format gives, row by row, and the text of a file."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.io.parse import Parsed
from nucleate.io.read import Problem

if TYPE_CHECKING:
    from pymatgen.core import Structure

# the row (None where a file holds one crystal), the name, scalar properties, and how to make the structure
Row = tuple[int | None, str, dict[str, Any], "Callable[[], Structure | Parsed]"]
Rows = Iterator[Row | Problem]


def read_text(path: Path) -> str:
    """The text of a file, UTF-16 by its mark; what is not UTF-8 is replaced, since old files are often Latin-1."""
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    return data.decode("utf-8-sig", errors="replace")
