"""The strict grammar of formulas, which is what models write: elements, whole numbers, round brackets."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from typing import Any

from nucleate.chem.elements import SYMBOLS
from nucleate.chem.written import fault, stranger
from nucleate.errors import NucleateError

MAX_ATOMS = 10_000
RULE = (
    "a formula is known elements, each followed by a whole number of atoms (none is one), with round brackets and "
    f"spaces between elements allowed, up to {MAX_ATOMS:,} atoms: SrTiO3, 'Sr Ti O O O', Ca(OH)2, Cs3 N4 O9"
)
_ELEMENTS = frozenset(SYMBOLS)
_PIECE = re.compile(
    r"(?P<symbol>[A-Z][a-z]?)(?P<n>[0-9]*(?:[./][0-9]*)?)"
    r"|(?P<open>\()|(?P<close>\))(?P<times>[0-9]*(?:[./][0-9]*)?)|(?P<gap>\s+)"
)
AtomCounts = Counter[str]


def parse(text: str) -> dict[str, int]:
    """Atoms of each element as the text has them, not reduced; raises NucleateError saying why it is no formula.

    The rule is `RULE`. A gap never joins letters: "S i" is sulphur and an error, not silicon.
    """
    return dict(_read(text, fractions=False))


def counts_of(text: str) -> dict[str, Any]:
    """Atoms of each element of a formula in plain signs with fractions or decimals, which are taken as they stand.

    The values are whole numbers or `Fraction`. Raises NucleateError for what is no formula."""
    return _read(text, fractions=True)


def _read(text: str, fractions: bool) -> AtomCounts:
    text = text.strip()
    if not text:
        raise NucleateError("empty")
    stack: list[AtomCounts] = [Counter()]
    place = 0
    while place < len(text):
        piece = _PIECE.match(text, place)
        if piece is None:
            raise NucleateError(fault(text, place))
        place = piece.end()
        if piece["symbol"]:
            if piece["symbol"] not in _ELEMENTS:
                raise NucleateError(stranger(piece["symbol"]))
            stack[-1][piece["symbol"]] += _count(piece["n"], fractions)
        elif piece["open"]:
            stack.append(Counter())
        elif piece["close"]:
            if len(stack) == 1:
                raise NucleateError("a bracket that was never opened")
            group, times = stack.pop(), _count(piece["times"], fractions)
            if not group:
                raise NucleateError("empty brackets")
            stack[-1].update({s: n * times for s, n in group.items()})
        if stack[-1].total() > MAX_ATOMS:
            raise NucleateError(f"more than {MAX_ATOMS:,} atoms")
    if len(stack) > 1:
        raise NucleateError("a bracket that is never closed")
    return stack[0]


def _count(digits: str, fractions: bool) -> int:
    """A number of atoms; a `Fraction`, which adds and multiplies as an int does, where it is not whole."""
    if not digits or (len(digits) < 5 and digits[0] != "0" and digits.isdigit()):
        return int(digits or 1)  # nearly all are; a fraction takes ten times as long
    if digits and not fractions and (not digits.isdigit() or digits[0] == "0"):
        raise NucleateError("a number of atoms that is not whole and positive")
    if len(re.split("[./]", digits)[0]) > len(str(MAX_ATOMS)) or len(digits) > 20:
        raise NucleateError(f"more than {MAX_ATOMS:,} atoms" if digits.isdigit() else "a number of too many digits")
    if digits[0] == "/" or digits[-1] == "/":
        raise NucleateError("a '/' without a number on each side of it")
    if digits == ".":
        raise NucleateError("a number without digits")
    if "/" in digits and not int(digits.partition("/")[2]):
        raise NucleateError("a division by zero")
    count = Fraction(digits)
    if not count:
        raise NucleateError("a count of zero; oxygen is the letter O")
    return int(count) if count.denominator == 1 else count  # type: ignore[return-value]
