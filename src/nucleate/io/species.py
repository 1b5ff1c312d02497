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
