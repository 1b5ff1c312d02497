"""Numbers in text files. Only digits with a sign, one point and an exponent count, not the other texts that Python
accepts (1_000, nan, infinity)."""

from __future__ import annotations

import math
import re

REAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?")
WHOLE = re.compile(r"[+-]?[0-9]+")


def real_number(text: str) -> float | None:
    """The value of a text that is a finite number, also with Fortran's exponents (0.1D+01); None for other texts."""
    if not REAL.fullmatch(text):
        return None
    value = float(text.replace("D", "e").replace("d", "e"))
    return value if math.isfinite(value) else None


def whole_number(text: str) -> int | None:
    """The value of a text that is an integer of at most 18 characters; None for other texts."""
    return int(text) if WHOLE.fullmatch(text) and len(text) <= 18 else None


def leading_numbers(words: list[str]) -> list[float]:
    """The numbers at the beginning of a list of words, up to the first word that is no number."""
    out: list[float] = []
    for word in words:
        value = real_number(word)
        if value is None:
            break
        out.append(value)
    return out
