"""Numbers as they stand in text files: digits, one dot, an exponent; never what else Python would take for a number."""

from __future__ import annotations

import math
import re

REAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?")
WHOLE = re.compile(r"[+-]?[0-9]+")


def real(text: str) -> float | None:
    """The finite number that a text is, also with Fortran's exponents (0.1D+01); None for any other text."""
    if not REAL.fullmatch(text):
        return None
    value = float(text.replace("D", "e").replace("d", "e"))
    return value if math.isfinite(value) else None


def whole(text: str) -> int | None:
    """The whole number that a text is, of at most 18 digits; None for any other text."""
    return int(text) if WHOLE.fullmatch(text) and len(text) <= 18 else None


def reals(words: list[str]) -> list[float]:
    """The numbers at the beginning of a line of words; they end at the first word that is none."""
    out: list[float] = []
    for word in words:
        value = real(word)
        if value is None:
            break
        out.append(value)
    return out
