"""What a reader of one file format gives, row by row, and the text of a file."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
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
