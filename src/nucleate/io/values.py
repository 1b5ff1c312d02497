"""Values of properties as texts: numbers, markers of nothing, names that look like numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nucleate.io.numerals import real, whole

NAME_KEYS = ("material_id", "name", "id")  # what a crystal is called, by the first of these that is there
NOTHING = {"", "none", "n/a", "na", "#n/a", "<na>", "nan", "-nan", "+nan", "null", "nil", "-", "--", "?", "missing"} | {
    *("\u2014", "\u2013", "\u2212", "...", "\u2026", "n.a.", "n.d.", "nd", "n/d", "tbd", "unknown", "not available"),
    *("#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!"),  # of spreadsheets
}
UNBOUNDED = {"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
CODE = re.compile(r"(^|[_\W])(ids?|codes?|names?|labels?|formulas?|doi|refs?|samples?)([_\W]|$)", re.IGNORECASE)
ZEROS = re.compile(r"[+-]?0[0-9]+")  # 007: a name, which as a number would lose its zeros


def is_nothing(text: str) -> bool:
    """Whether a text says that there is no value; a number that is not finite is none either."""
    return text.strip().lower() in NOTHING or text.strip().lower() in UNBOUNDED


def number(text: str) -> int | float | None:
    """The number that a text is, whole or not; None for anything else, such as 1_000, 7,8 and 007."""
    text = text.strip()
    if ZEROS.fullmatch(text):
        return None
    found = whole(text)
    return found if found is not None else real(text)


def holds_names(key: str) -> bool:
    """Whether a property is one of names or codes, which stay text where they look like numbers (12e5)."""
    return key.lower() in NAME_KEYS or CODE.search(key) is not None


def is_numeric(key: str, texts: Sequence[str]) -> bool:
    """Whether all values of a column that say something are numbers."""
    said = [t for t in texts if not is_nothing(t)]
    return bool(said) and not holds_names(key) and all(number(t) is not None for t in said)
