"""Formulas with gaps: "Li ? O4" is lithium, one atom of another element, and four oxygen."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nucleate.chem.elements import atomic_number
from nucleate.errors import NucleateError

_PART = re.compile(r"(?P<what>[A-Z][a-z]?|\?)(?P<n>\d*)|(?P<any>\*)")
EXAMPLES = '"Li ? O4", "Li ?2 O4" or "Ba Ti *"'


@dataclass(frozen=True)
class Pattern:
    """A formula with gaps. named: element -> atoms. gaps: for each `?` its number of atoms. open: whether there is a
    `*`."""

    named: dict[str, int]
    gaps: tuple[int, ...]
    open: bool

    @property
    def num_atoms(self) -> int:
        """Number of named atoms and of atoms in gaps."""
        return sum(self.named.values()) + sum(self.gaps)


def parse_pattern(text: str) -> Pattern:
    """The pattern of a text: elements with their numbers of atoms, and gaps.

    `?` is one atom of an element that is not named, `?2` are two atoms of one such element, and `*` is one or more
    atoms of any elements. Raises NucleateError for any other text, and for one without a gap.
    """
    named: dict[str, int] = {}
    gaps: list[int] = []
    more = False
    place, tight = 0, "".join(text.split())
    while place < len(tight):
        part = _PART.match(tight, place)
        if part is None:
            raise NucleateError(f"'{text}' is no formula with gaps: '{tight[place]}' does not belong in one; {_like()}")
        place = part.end()
        if part["any"]:
            more = True
            continue
        n = int(part["n"] or 1)
        if n < 1:
            raise NucleateError(f"'{text}': a number of atoms must be at least 1")
        if part["what"] == "?":
            gaps.append(n)
        else:
            atomic_number(part["what"])
            named[part["what"]] = named.get(part["what"], 0) + n
    if gaps and more:
        raise NucleateError(f"'{text}' has both ? and *; use one of them")
    if not gaps and not more:
        raise NucleateError(f"'{text}' has no gap to fill; {_like()}")
    return Pattern(named, tuple(gaps), more)


def _like() -> str:
    return f"write for example {EXAMPLES}"
