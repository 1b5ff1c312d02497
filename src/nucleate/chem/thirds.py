"""Decimals that are rounded fractions: Ba(Mg0.333Ta0.667)O3 means Ba(Mg1/3Ta2/3)O3; in La0.7Sr0.3MnO3 they are exact.

Numbers that follow each other and add up to an integer belong to elements that share a site. They are taken for
fractions if all of them are thirds rounded to at least two digits, or sixths, sevenths, ninths or twelfths rounded to
at least three, or fifteenths rounded to at least four. A single number needs one digit more. If the numbers have fewer
digits and may still be fractions, charge balance decides. If that does not decide, numbers that may be thirds are
refused, and all others are taken as written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from nucleate.errors import NucleateError

# Denominator -> digits after the point from which on the numbers of a site are taken for such fractions
DIGITS = {3: 2, 6: 3, 7: 3, 9: 3, 12: 3, 15: 4}
_PIECE = re.compile(r"(?P<open>\()|(?P<close>\))(?P<times>[\d./]*)|[A-Z][a-z]?(?P<n>[\d./]*)|(?P<gap>.)", re.DOTALL)


@dataclass(frozen=True)
class _Number:
    """A decimal number in a text: where it starts and ends, its value as written, and its digits after the point."""

    start: int
    end: int
    value: Fraction
    digits: int

    def rounded(self, denominator: int) -> Fraction | None:
        """The fraction of this denominator that gives the number when rounded or cut off; None if there is none. A
        number with one digit after the point must be exactly equal to the fraction."""
        step = Fraction(1, 10**self.digits) if self.digits > 1 else Fraction(0)
        scaled = self.value * denominator
        for numerator in (floor(scaled), ceil(scaled)):
            exact = Fraction(numerator, denominator)
            if abs(exact - self.value) <= step / 2 or 0 < exact - self.value < step:
                return exact
        return None

    def almost(self, denominator: int) -> bool:
        """Whether the number is closer to a fraction of this denominator than one unit of its last digit."""
        nearest = Fraction(round(self.value * denominator), denominator)
        return abs(nearest - self.value) < Fraction(1, 10**self.digits)


def with_fractions(text: str, balances: Callable[[str], bool]) -> str:
    """A formula in plain signs with its decimals replaced by fractions: by the fractions from which they are evidently
    rounded, else by their exact values.

    balances: says whether the charges of a formula balance; it is called if the numbers do not decide. Raises
    NucleateError, with both readings, if that does not decide either and the numbers may be thirds.
    """
    if "." not in text:
        return text
    chosen: dict[_Number, Fraction] = {}
    doubtful: dict[_Number, Fraction] = {}
    ask: _Number | None = None
    for site in _sites(text):
        meant, sure = _meant(site)
        chosen |= meant if sure else {n: n.value for n in site}
        if not sure:
            doubtful |= meant
            ask = ask or next((n for n, f in meant.items() if f.denominator == 3), None)
    first = _with(text, chosen)
    if not doubtful:
        return first
    other = _with(text, chosen | doubtful)
    balanced = balances(first), balances(other)
    if balanced == (False, True):
        return other
    if ask is not None and balanced != (True, False):
        raise NucleateError(
            f"{text[ask.start : ask.end]} can be {ask.value} or a rounded {doubtful[ask]}; write {first} or {other}"
        )
    return first


def _meant(site: Sequence[_Number]) -> tuple[dict[_Number, Fraction], bool]:
    """The fractions from which the numbers of a site may be rounded, and whether they evidently are. There are no
    fractions if the numbers are exact."""
    digits = min((n.digits for n in site if n.digits > 1), default=0)
    for denominator, known in DIGITS.items() if digits else ():
        found = {n: f for n in site if (f := n.rounded(denominator)) is not None}
        if len(found) < len(site):
            continue
        if all(f == n.value for n, f in found.items()):
            return {}, False
        if sum(found.values()).denominator == 1:
            return found, digits >= known
        if len(site) == 1:
            return found, digits > known
    thirds = {n: Fraction(round(n.value * 3), 3) for n in site}
    if digits and all(n.almost(3) for n in site) and sum(thirds.values()) == sum(n.value for n in site):
        return thirds, digits > 2  # for instance 0.33, 0.33 and 0.34, which are written so that they add up to 1
    return {}, False


def _sites(text: str) -> list[list[_Number]]:
    """The decimal numbers of a formula. Numbers that follow each other in a bracket and add up to an integer are in one
    list; every other number is in a list of its own."""
    levels: list[list[_Number | None]] = [[]]
    done: list[list[_Number | None]] = []
    for piece in _PIECE.finditer(text):
        if piece["open"]:
            levels.append([])
        elif piece["close"] and len(levels) > 1:
            done.append(levels.pop())
        if piece["open"] or piece["gap"]:
            continue
        name = "times" if piece["close"] else "n"
        levels[-1].append(_number(piece[name], *piece.span(name)))
    out = []
    for level in [*done, *levels]:
        site: list[_Number] = []
        for number in [*level, None]:
            if number is not None:
                site.append(number)
            if site and (number is None or _whole(site)):
                out.append(site) if _whole(site) else out.extend([n] for n in site)
                site = []
    return out


def _number(text: str, start: int, end: int) -> _Number | None:
    if "/" in text or "." not in text or not text.strip("."):
        return None
    value = Fraction(text)
    return _Number(start, end, value, len(text.partition(".")[2])) if value.denominator > 1 else None


def _whole(site: Sequence[_Number]) -> bool:
    """Whether numbers add up to an integer within their rounding errors."""
    total = sum((n.value for n in site), Fraction(0))
    tolerance = sum((Fraction(1, 10**n.digits) for n in site if n.digits > 1), Fraction(0))
    return abs(total - round(total)) < tolerance if tolerance else total.denominator == 1


def _with(text: str, values: dict[_Number, Fraction]) -> str:
    for number in sorted(values, key=lambda n: -n.start):
        text = f"{text[: number.start]}{values[number]}{text[number.end :]}"
    return text
