"""Lists of elements as users write them, on the command line and elsewhere."""

from __future__ import annotations

import re

from nucleate.chem.classes import GROUPS, element_group
from nucleate.chem.elements import SYMBOLS, atomic_number
from nucleate.errors import NucleateError


def parse_elements(text: str) -> tuple[str, ...]:
    """The elements of a text such as "Li,Fe,O" or "Li-Fe-O", in its order. Raises NucleateError for unknown or repeated
    elements, and for none."""
    parts = [p for p in re.split(r"[\s,\-]+", text.strip()) if p]
    if not parts:
        raise NucleateError('no elements given; write for example "Li,Fe,O"')
    for part in parts:
        atomic_number(part)
    repeated = sorted({p for p in parts if parts.count(p) > 1})
    if repeated:
        raise NucleateError(f"{repeated[0]} is named twice in '{text}'")
    return tuple(parts)


def parse_excluded(text: str) -> tuple[str, ...]:
    """The elements that a text names by symbols or by groups: "Pb,Cd" or "radioactive, rare earths".

    Raises NucleateError for words that are neither, and for none.
    """
    out: list[str] = []
    for part in filter(None, (p.strip() for p in re.split(r"[,;]", text))):
        words = re.split(r"[\s\-]+", part)
        if all(word in SYMBOLS for word in words):
            out += words
            continue
        try:
            out += sorted(element_group(part), key=atomic_number)
        except NucleateError:
            near = [s for s in SYMBOLS if s.lower() == part.lower()]
            hint = f"; did you mean {near[0]}?" if near else ""
            raise NucleateError(
                f"'{part[:40]}' is neither an element nor a group of elements{hint} (groups: {', '.join(GROUPS)})"
            ) from None
    if not out:
        raise NucleateError('no elements given to exclude; write for example "Pb,Cd" or "radioactive,toxic"')
    return tuple(dict.fromkeys(out))
