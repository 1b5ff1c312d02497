"""Formulas as texts: what models write, by a strict rule, and what people write (`written`, `adducts`, `thirds`)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from math import gcd, lcm
from typing import Any

from nucleate.chem.elements import SYMBOLS, WRITTEN_PLACE
from nucleate.chem.written import fault, stranger
from nucleate.errors import NucleateError

MAX_ATOMS = 10_000
# Formulas that are written with two atoms of each element: gases and peroxides
PAIRED = frozenset({"H", "N", "O", "F", "Cl", "LiO", "NaO", "KO", "RbO", "CsO", "HO"})
RULE = (
    "a formula is known elements, each followed by a whole number of atoms (none is one), with round brackets and "
    f"spaces between elements allowed, up to {MAX_ATOMS:,} atoms: SrTiO3, 'Sr Ti O O O', Ca(OH)2, Cs3 N4 O9"
)
_ELEMENTS = frozenset(SYMBOLS)
_PIECE = re.compile(
    r"(?P<symbol>[A-Z][a-z]?)(?P<n>[0-9]*(?:[./][0-9]*)?)"
    r"|(?P<open>\()|(?P<close>\))(?P<times>[0-9]*(?:[./][0-9]*)?)|(?P<gap>\s+)"
)
_Counts = Counter[str]


def parse(text: str) -> dict[str, int]:
    """Atoms of each element as the text has them, not reduced; raises NucleateError saying why it is no formula.

    The rule is `RULE`. A gap never joins letters: "S i" is sulphur and an error, not silicon.
    """
    return dict(_read(text, fractions=False))


def parse_formula(text: str, *, strict: bool = False) -> dict[str, int]:
    """Element counts of a formula, reduced exactly to smallest whole numbers, in the order of first appearance.

    Beyond `RULE`, unless strict, what people write is fine where it has one meaning: fractions and decimals (Li1/2CoO2,
    Li0.5CoO2; Ba(Mg0.333Ta0.667)O3 is of thirds), other brackets ([Co(NH3)6]Cl3), subscripts (SrTiO₃), adducts
    (CuSO4·5H2O, CuSO4.5H2O, CuSO4*5H2O). An element named twice is added up. Raises NucleateError with the text and why
    it is no formula, or the ways in which it can be read.
    """
    try:
        counts = _read(text, fractions=False) if strict else _as_written(text)
    except NucleateError as error:
        fault = str(error)
        raise NucleateError(
            f"'{text.strip()[:60]}' is not a formula: {fault}" if text.strip() else "the formula is empty"
        ) from None
    scale = lcm(*(n.denominator for n in counts.values()))
    whole = {e: int(n * scale) for e, n in counts.items()}
    divisor = gcd(*whole.values())
    return {e: n // divisor for e, n in whole.items()}


def formula_text(composition: Mapping[Any, float]) -> str:
    """The one spelling of a formula, wherever one is shown, stored or part of a name: NaZr2P3O12, LiFePO4, HfSiW4.

    composition: element (symbol, or pymatgen's `Element`) -> amount, of any multiple. Reduced, the elements by
    electronegativity, as pymatgen's `reduced_formula` and the Materials Project have it, so that people find what they
    know, with their O2 and Na2O2 for diatomic gases and peroxides; but without brackets, which do not fit into the
    names of files and identifiers. "" for nothing.
    """
    from nucleate.chem.checks import reduced_counts

    counts = sorted(reduced_counts(composition), key=lambda part: WRITTEN_PLACE.get(part[0], len(WRITTEN_PLACE)))
    text = "".join(f"{e}{n if n != 1 else ''}" for e, n in counts)
    return text if text not in PAIRED else "".join(f"{e}2" for e, _ in counts)


def counts_of(text: str) -> dict[str, Any]:
    """Atoms of each element of a formula in plain signs with fractions or decimals, which are taken as they stand.

    The values are whole numbers or `Fraction`. Raises NucleateError for what is no formula."""
    return _read(text, fractions=True)


def _as_written(text: str) -> _Counts:
    """Atoms of a formula as people write it."""
    from nucleate.chem.adducts import parts_of
    from nucleate.chem.capitals import hint, refuse_capitals
    from nucleate.chem.lookalikes import refuse_lookalikes, refuse_water
    from nucleate.chem.thirds import with_fractions
    from nucleate.chem.written import plain, refuse_abbreviation

    def balances(part: str) -> bool:
        from nucleate.chem.checks import charge_neutrality
        from nucleate.chem.verdict import PASS

        return charge_neutrality(counts_of(part), "icsd24-3").verdict == PASS

    refuse_abbreviation(text)
    simple = plain(text)
    refuse_water(simple)
    try:
        parts = [(n, part, counts_of(part)) for n, part in parts_of(simple, counts_of)]
    except NucleateError as error:
        raise NucleateError(f"{error}{hint(simple)}") from None
    total: _Counts = Counter()
    for n, part, counts in parts:
        refuse_lookalikes(part, counts)
        exact = counts_of(with_fractions(part, balances)) if "." in part else counts
        total.update(exact if n == 1 else {e: k * n for e, k in exact.items()})
    refuse_capitals(simple, total)
    if total.total() > MAX_ATOMS:
        raise NucleateError(f"more than {MAX_ATOMS:,} atoms")
    return total


def _read(text: str, fractions: bool) -> _Counts:
    text = text.strip()
    if not text:
        raise NucleateError("empty")
    stack: list[_Counts] = [Counter()]
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
