"""Elements as files name them."""

from __future__ import annotations

import re

from nucleate.chem.elements import SYMBOLS

_SPELLED = {s.lower(): s for s in (*SYMBOLS, "D", "T")}  # deuterium and tritium, which are read as hydrogen
_COUNTED = re.compile(r"([A-Z][a-z]?)([1-9][0-9]{0,5})")


def element_name(text: str) -> str | None:
    """The symbol that a text is in any case (na -> Na), D and T included; None for any other text."""
    return _SPELLED.get(text.lower())


def repeated(text: str) -> list[tuple[str, int]]:
    """[("Na", 4), ("Cl", 4)] of "Na4 Cl4", where every word is an element with a number; nothing for other texts."""
    found = [_COUNTED.fullmatch(word) for word in text.split()]
    if not all(m and element_name(m[1]) == m[1] for m in found):
        return []
    return [(m[1], int(m[2])) for m in found if m]


def label_element(text: str) -> str | None:
    """The element of a symbol, an atomic number, a label (Fe1) or an ion (Fe2+); None where it is not sure.

    A symbol all in small letters is one; two capitals are not (CA is calcium to some and a carbon atom to others).
    """
    if text.isascii() and text.isdigit():
        return SYMBOLS[int(text) - 1] if len(text) <= 3 and 1 <= int(text) <= len(SYMBOLS) else None
    match = re.fullmatch(r"([A-Z][a-z]?|[a-z]{1,2})(?:[0-9]*[+-]?)", text)
    return element_name(match[1]) if match else None
