"""The names of elements in files."""

from __future__ import annotations

import re

from nucleate.chem.elements import SYMBOLS

_SPELLED = {s.lower(): s for s in (*SYMBOLS, "D", "T")}  # D and T (deuterium, tritium) are read as hydrogen later
_COUNTED = re.compile(r"([A-Z][a-z]?)([1-9][0-9]{0,5})")


def element_name(text: str) -> str | None:
    """The symbol of an element that is written in small or capital letters (na -> Na), also D and T; None for other
    texts."""
    return _SPELLED.get(text.lower())


def counted_elements(text: str) -> list[tuple[str, int]]:
    """The elements and numbers of a text in which every word has both: "Na4 Cl4" -> [("Na", 4), ("Cl", 4)]. Empty for
    other texts."""
    found = [_COUNTED.fullmatch(word) for word in text.split()]
    if not all(m and element_name(m[1]) == m[1] for m in found):
        return []
    return [(m[1], int(m[2])) for m in found if m]


def label_element(text: str) -> str | None:
    """The element of a symbol, an atomic number, a label (Fe1) or an ion (Fe2+); None if it is not certain.

    A symbol may be in small letters. Two capitals are not certain (CA may be calcium or a carbon atom).
    """
    if text.isascii() and text.isdigit():
        return SYMBOLS[int(text) - 1] if len(text) <= 3 and 1 <= int(text) <= len(SYMBOLS) else None
    match = re.fullmatch(r"([A-Z][a-z]?|[a-z]{1,2})(?:[0-9]*[+-]?)", text)
    return element_name(match[1]) if match else None
