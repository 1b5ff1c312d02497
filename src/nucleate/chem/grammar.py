"""The strict grammar of formulas, in which models write them: elements, whole numbers and round brackets."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from typing import Any

from nucleate.chem.elements import SYMBOLS
from nucleate.chem.written import fault_at, why_no_element
from nucleate.errors import NucleateError

MAX_ATOMS = 10_000
RULE = (
    "a formula is a sequence of symbols of elements, each followed by a whole number of atoms (no number means one), "
    f"with round brackets and with spaces between elements if wanted, up to {MAX_ATOMS:,} atoms: SrTiO3, "
    "'Sr Ti O O O', Ca(OH)2, Cs3 N4 O9"
)
_ELEMENTS = frozenset(SYMBOLS)
_PIECE = re.compile(
    r"(?P<symbol>[A-Z][a-z]?)(?P<n>[0-9]*(?:[./][0-9]*)?)"
    r"|(?P<open>\()|(?P<close>\))(?P<times>[0-9]*(?:[./][0-9]*)?)|(?P<gap>\s+)"
)
AtomCounts = Counter[str]


def parse_strict(text: str) -> dict[str, int]:
    """Element -> atoms of a formula of `RULE`, not reduced. Raises NucleateError that says why the text is no formula.

    A space always separates two symbols, so that "S i" is an error and not silicon.
    """
    return dict(_read(text, fractions=False))


def parse_with_fractions(text: str) -> dict[str, Any]:
    """Element -> atoms of a formula of `RULE` that may also have fractions and decimals, not reduced.

    The values are int or `Fraction`; decimals are used exactly. Raises NucleateError that says why the text is no
    formula.
    """
    return _read(text, fractions=True)


def _read(text: str, fractions: bool) -> AtomCounts:
    text = text.strip()
    if not text:
        raise NucleateError("the text is empty")
    stack: list[AtomCounts] = [Counter()]
    start = 0
    while start < len(text):
        piece = _PIECE.match(text, start)
        if piece is None:
            raise NucleateError(fault_at(text, start))
        start = piece.end()
        if piece["symbol"]:
            if piece["symbol"] not in _ELEMENTS:
                raise NucleateError(why_no_element(piece["symbol"]))
            stack[-1][piece["symbol"]] += _count(piece["n"], fractions)
        elif piece["open"]:
            stack.append(Counter())
        elif piece["close"]:
            if len(stack) == 1:
                raise NucleateError("a bracket is closed that was never opened")
            group, times = stack.pop(), _count(piece["times"], fractions)
            if not group:
                raise NucleateError("there is nothing between two brackets")
            stack[-1].update({s: n * times for s, n in group.items()})
        if stack[-1].total() > MAX_ATOMS:
            raise NucleateError(f"more than {MAX_ATOMS:,} atoms")
    if len(stack) > 1:
        raise NucleateError("a bracket is never closed")
    return stack[0]


def _count(digits: str, fractions: bool) -> int:
    """A number of atoms: an int, or a `Fraction` if it is not an integer (it adds and multiplies in the same way)."""
    if not digits or (len(digits) < 5 and digits[0] != "0" and digits.isdigit()):
        return int(digits or 1)  # a shortcut for nearly all numbers, because a Fraction takes ten times as long
    if digits and not fractions and (not digits.isdigit() or digits[0] == "0"):
        raise NucleateError("a number of atoms is not a positive whole number")
    if len(re.split("[./]", digits)[0]) > len(str(MAX_ATOMS)) or len(digits) > 20:
        raise NucleateError(f"more than {MAX_ATOMS:,} atoms" if digits.isdigit() else "a number has too many digits")
    if digits[0] == "/" or digits[-1] == "/":
        raise NucleateError("there is no number on one side of a '/'")
    if digits == ".":
        raise NucleateError("a number has no digits")
    if "/" in digits and not int(digits.partition("/")[2]):
        raise NucleateError("a number is divided by zero")
    count = Fraction(digits)
    if not count:
        raise NucleateError("a number of atoms is zero; oxygen is the letter O")
    return int(count) if count.denominator == 1 else count  # type: ignore[return-value]
