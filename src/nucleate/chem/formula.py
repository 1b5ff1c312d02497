"""Formulas as texts: what models write, by a strict rule, and what people write, with fractions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from math import gcd, lcm

from nucleate.chem.elements import SYMBOLS
from nucleate.errors import NucleateError

MAX_ATOMS = 10_000
RULE = (
    "a formula is known elements, each followed by a whole number of atoms (none is one), with round brackets and "
    f"spaces between elements allowed, up to {MAX_ATOMS:,} atoms: SrTiO3, 'Sr Ti O O O', Ca(OH)2, Cs3 N4 O9"
)
_ELEMENTS = frozenset(SYMBOLS)
_PIECE = re.compile(
    r"(?P<symbol>[A-Z][a-z]?)(?P<n>[0-9]*(?:\.[0-9]*)?)"
    r"|(?P<open>\()|(?P<close>\))(?P<times>[0-9]*(?:\.[0-9]*)?)|(?P<gap>\s+)"
)
_SQUARE = str.maketrans("[]", "()")
_Counts = Counter[str]


def parse(text: str) -> dict[str, int]:
    """Atoms of each element as the text has them, not reduced; raises NucleateError saying why it is no formula.

    The rule is `RULE`. A gap never joins letters: "S i" is sulphur and an error, not silicon.
    """
    return dict(_read(text, fractions=False))


def parse_formula(text: str, *, strict: bool = False) -> dict[str, int]:
    """Element counts of a formula, reduced exactly to smallest whole numbers, in the order of first appearance.

    Beyond `RULE`, square brackets and fractions are fine, unless strict: [Co(NH3)6]Cl3, Li0.5CoO2. An element named
    twice is added up. Raises NucleateError with the text and why it is no formula.
    """
    try:
        counts = _read(text if strict else text.translate(_SQUARE), fractions=not strict)
    except NucleateError as error:
        fault = str(error)
        raise NucleateError(
            f"'{text.strip()[:60]}' is not a formula: {fault}" if text.strip() else "the formula is empty"
        ) from None
    scale = lcm(*(n.denominator for n in counts.values()))
    whole = {e: int(n * scale) for e, n in counts.items()}
    divisor = gcd(*whole.values())
    return {e: n // divisor for e, n in whole.items()}


def formula_text(composition: Mapping[str, int]) -> str:
    """Element counts as a formula, in the order given: {"Sr": 1, "Ti": 1, "O": 3} -> SrTiO3."""
    return "".join(f"{e}{n if n != 1 else ''}" for e, n in composition.items())


def _read(text: str, fractions: bool) -> _Counts:
    text = text.strip()
    if not text:
        raise NucleateError("empty")
    stack: list[_Counts] = [Counter()]
    place = 0
    while place < len(text):
        piece = _PIECE.match(text, place)
        if piece is None:
            raise NucleateError(_fault(text[place]))
        place = piece.end()
        if piece["symbol"]:
            if piece["symbol"] not in _ELEMENTS:
                raise NucleateError(f"'{piece['symbol']}' is not an element")
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
    if not digits or (len(digits) < 5 and digits[0] != "0" and "." not in digits):
        return int(digits or 1)  # nearly all are; a fraction takes ten times as long
    if digits and not fractions and ("." in digits or digits[0] == "0"):
        raise NucleateError("a number of atoms that is not whole and positive")
    if len(digits.partition(".")[0]) > len(str(MAX_ATOMS)) or len(digits) > 20:
        raise NucleateError(f"more than {MAX_ATOMS:,} atoms" if "." not in digits else "a number of too many digits")
    if digits == ".":
        raise NucleateError("a number without digits")
    count = Fraction(digits or 1)
    if not count:
        raise NucleateError("a count of zero")
    return int(count) if count.denominator == 1 else count  # type: ignore[return-value]


def _fault(character: str) -> str:
    if character.isascii() and character.isdigit():
        return "a number without an element"
    return f"unexpected '{character}'" if character.isprintable() else "an unprintable character"
