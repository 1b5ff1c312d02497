"""Cells of tables that spreadsheets take for what they are: texts stay texts."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FORMULA = re.compile(r"'*[=+\-@\t\r]", re.DOTALL)  # a text that begins like this is computed, or hides one that is


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The rows, at least one, as a CSV file; a spreadsheet computes none of its texts."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([escaped(name) for name in rows[0]])
        writer.writerows([escaped(row[name]) for name in rows[0]] for row in rows)


def escaped(value: Any) -> Any:
    """What to write for a value: a text that a spreadsheet would compute gets an apostrophe, as users write it there.

    Numbers, also those written as text, and a lone sign stay as they are.
    """
    if not isinstance(value, str) or len(value) < 2 or not FORMULA.match(value) or _is_number(value):
        return value
    return f"'{value}"


def unescaped(text: str) -> str:
    """The inverse of `escaped`."""
    return text[1:] if text.startswith("'") and FORMULA.match(text[1:]) and len(text) > 2 else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text[0] not in "\t\r"
