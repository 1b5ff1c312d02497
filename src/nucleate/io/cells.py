"""CSV files whose texts a spreadsheet shows as texts, and does not compute as formulas."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nucleate.files import replacing

# The beginning of a text that a spreadsheet computes; also with apostrophes before it, which `escaped` adds.
FORMULA = re.compile(r"'*[=+\-@\t\r]", re.DOTALL)


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows (column -> value; at least one row) to a CSV file, complete or not at all. Texts are `escaped`."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([escaped(name) for name in rows[0]])
        writer.writerows([escaped(row[name]) for name in rows[0]] for row in rows)


def escaped(value: Any) -> Any:
    """A value for a CSV file. A text that a spreadsheet would compute gets an apostrophe before it, as users of
    spreadsheets write it. Numbers, also numbers as text, and a single sign do not change."""
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
