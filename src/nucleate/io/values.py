"""Values of properties in text files: numbers, marks of missing values, and names that look like numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nucleate.io.numerals import real_number, whole_number

NAME_KEYS = ("material_id", "name", "id")  # keys of the name of a crystal; the first that exists is used
NOTHING = {"", "none", "n/a", "na", "#n/a", "<na>", "nan", "-nan", "+nan", "null", "nil", "-", "--", "?", "missing"} | {
    *("\u2014", "\u2013", "\u2212", "...", "\u2026", "n.a.", "n.d.", "nd", "n/d", "tbd", "unknown", "not available"),
    *("#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!"),  # errors of spreadsheets
}
UNBOUNDED = {"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
CODE = re.compile(r"(^|[_\W])(ids?|codes?|names?|labels?|formulas?|doi|refs?|samples?)([_\W]|$)", re.IGNORECASE)
ZEROS = re.compile(r"[+-]?0[0-9]+")  # texts such as 007 are names, which would lose their zeros as numbers


def is_nothing(text: str) -> bool:
    """Whether a text is a mark of a missing value, or a number that is not finite."""
    return text.strip().lower() in NOTHING or text.strip().lower() in UNBOUNDED


def number_of(text: str) -> int | float | None:
    """The value of a text that is a number, as int or float; None for other texts, such as 1_000, 7,8 and 007."""
    text = text.strip()
    if ZEROS.fullmatch(text):
        return None
    found = whole_number(text)
    return found if found is not None else real_number(text)


def holds_names(key: str) -> bool:
    """Whether a property has names or codes, which stay texts even if they look like numbers (12e5)."""
    return key.lower() in NAME_KEYS or CODE.search(key) is not None


def is_numeric(key: str, texts: Sequence[str]) -> bool:
    """Whether all values of a column are numbers or missing, and at least one is a number."""
    values = [t for t in texts if not is_nothing(t)]
    return bool(values) and not holds_names(key) and all(number_of(t) is not None for t in values)
