"""Decimals that are rounded fractions: Ba(Mg0.333Ta0.667)O3 is Ba(Mg1/3Ta2/3)O3, and La0.7Sr0.3MnO3 is of tenths.

Numbers that follow each other and add up to a whole one share a site. Where all of them are thirds, rounded to two
digits or more, or sixths, sevenths, ninths or twelfths, rounded to three or more, these are meant; a fraction alone
needs a digit more. Where that is not so and yet possible, charges decide; where they do not, the number is as written,
but that what may be thirds is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from nucleate.errors import NucleateError

DIGITS = {3: 2, 6: 3, 7: 3, 9: 3, 12: 3, 15: 4}  # denominator -> digits by which fractions of a site are known
_PIECE = re.compile(r"(?P<open>\()|(?P<close>\))(?P<times>[\d./]*)|[A-Z][a-z]?(?P<n>[\d./]*)|(?P<gap>.)", re.DOTALL)


@dataclass(frozen=True)
class _Number:
    """A number of a text that is not whole: where it is, its value as written, and digits after the point."""

    start: int
    end: int
    value: Fraction
    digits: int

    def rounded(self, denominator: int) -> Fraction | None:
        """The fraction that the number is rounded or cut from, one digit exactly; None where there is none."""
        step = Fraction(1, 10**self.digits) if self.digits > 1 else Fraction(0)
        scaled = self.value * denominator
        for numerator in (floor(scaled), ceil(scaled)):
            exact = Fraction(numerator, denominator)
            if abs(exact - self.value) <= step / 2 or 0 < exact - self.value < step:
                return exact
        return None

    def almost(self, denominator: int) -> bool:
        """Whether it lies within one unit of its last digit of such a fraction."""
        nearest = Fraction(round(self.value * denominator), denominator)
        return abs(nearest - self.value) < Fraction(1, 10**self.digits)


def with_fractions(text: str, balances: Callable[[str], bool]) -> str:
    """A plain formula with its decimals as fractions: those meant where they are evidently rounded, else as written.

    balances: whether the ions of a formula do, asked where the numbers alone do not decide. Raises NucleateError,
    with both readings, where nothing does.
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
    able = balances(first), balances(other)
    if able == (False, True):
        return other
    if ask is not None and able != (True, False):
        raise NucleateError(
            f"{text[ask.start : ask.end]} can be {ask.value} or a rounded {doubtful[ask]}; write {first} or {other}"
        )
    return first


def _meant(site: Sequence[_Number]) -> tuple[dict[_Number, Fraction], bool]:
    """Fractions that the numbers of a site may be rounded from, none where they are exact, and whether they evidently
    are."""
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
        return thirds, digits > 2  # 0.33, 0.33 and 0.34, so that they add up
    return {}, False


def _sites(text: str) -> list[list[_Number]]:
    """Numbers that are not whole, those together that follow each other in a bracket and add up to a whole number."""
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
    """Whether numbers add up to a whole one, within what their last digits leave open."""
    total = sum((n.value for n in site), Fraction(0))
    left_open = sum((Fraction(1, 10**n.digits) for n in site if n.digits > 1), Fraction(0))
    return abs(total - round(total)) < left_open if left_open else total.denominator == 1


def _with(text: str, values: dict[_Number, Fraction]) -> str:
    for number in sorted(values, key=lambda n: -n.start):
        text = f"{text[: number.start]}{values[number]}{text[number.end :]}"
    return text
