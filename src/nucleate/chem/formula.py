"""Formulas as texts that people write, read into element counts (`written`, `adducts`, `thirds`, `capitals`)."""

from __future__ import annotations

from collections import Counter
from math import lcm

from nucleate.chem.composition import PAIRED, Formula, formula_text, reduced
from nucleate.chem.grammar import MAX_ATOMS, RULE, AtomCounts, counts_of, parse
from nucleate.errors import NucleateError

__all__ = ["MAX_ATOMS", "PAIRED", "RULE", "Formula", "formula_text", "parse", "parse_formula", "reduced"]


def parse_formula(text: str, *, strict: bool = False) -> dict[str, int]:
    """Element counts of a formula, reduced exactly to smallest whole numbers, in the order of first appearance.

    Beyond `RULE`, unless strict, what people write is fine where it has one meaning: fractions and decimals (Li1/2CoO2,
    Li0.5CoO2; Ba(Mg0.333Ta0.667)O3 is of thirds), other brackets ([Co(NH3)6]Cl3), subscripts (SrTiO₃), adducts
    (CuSO4·5H2O, CuSO4.5H2O, CuSO4*5H2O). An element named twice is added up. Raises NucleateError with the text and why
    it is no formula, or the ways in which it can be read.
    """
    try:
        counts = Counter(parse(text)) if strict else _as_written(text)
    except NucleateError as error:
        fault = str(error)
        raise NucleateError(
            f"'{text.strip()[:60]}' is not a formula: {fault}" if text.strip() else "the formula is empty"
        ) from None
    scale = lcm(*(n.denominator for n in counts.values()))
    return reduced({e: int(n * scale) for e, n in counts.items()})


def _as_written(text: str) -> AtomCounts:
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
    total: AtomCounts = Counter()
    for n, part, counts in parts:
        refuse_lookalikes(part, counts)
        exact = counts_of(with_fractions(part, balances)) if "." in part else counts
        total.update(exact if n == 1 else {e: k * n for e, k in exact.items()})
    refuse_capitals(simple, total)
    if total.total() > MAX_ATOMS:
        raise NucleateError(f"more than {MAX_ATOMS:,} atoms")
    return total
