"""Reading of formulas as people write them into numbers of atoms. What it takes is in `written`, `adducts`, `thirds`,
`lookalikes` and `capitals`."""

from __future__ import annotations

from collections import Counter
from math import lcm

from nucleate.chem.composition import PAIRED, Formula, formula_text, reduced
from nucleate.chem.grammar import MAX_ATOMS, RULE, AtomCounts, parse_strict, parse_with_fractions
from nucleate.errors import NucleateError

__all__ = ["MAX_ATOMS", "PAIRED", "RULE", "Formula", "formula_text", "parse_formula", "parse_strict", "reduced"]


def parse_formula(text: str, *, strict: bool = False) -> dict[str, int]:
    """Element -> atoms of a formula, in smallest integers, in the order in which the elements first appear.

    strict: only formulas of `RULE` are read. Otherwise also other formulas that have one meaning: fractions and
    decimals (Li1/2CoO2, Li0.5CoO2; Ba(Mg0.333Ta0.667)O3 is understood as thirds), other brackets ([Co(NH3)6]Cl3),
    subscripts (SrTiO₃), adducts (CuSO4·5H2O, CuSO4.5H2O, CuSO4*5H2O). Atoms of an element that occurs twice are added
    up. Raises NucleateError that says why the text is no formula, or in which ways it can be read.
    """
    try:
        counts = Counter(parse_strict(text)) if strict else _as_written(text)
    except NucleateError as error:
        why = str(error)
        raise NucleateError(
            f"'{text.strip()[:60]}' is not a formula: {why}" if text.strip() else "the formula is empty"
        ) from None
    scale = lcm(*(n.denominator for n in counts.values()))
    return reduced({e: int(n * scale) for e, n in counts.items()})


def _as_written(text: str) -> AtomCounts:
    """Element -> atoms of a formula as people write it, not reduced."""
    from nucleate.chem.adducts import adduct_parts
    from nucleate.chem.capitals import other_spellings, refuse_capitals
    from nucleate.chem.lookalikes import refuse_lookalikes, refuse_water
    from nucleate.chem.thirds import with_fractions
    from nucleate.chem.written import in_plain_signs, refuse_abbreviation

    def balances(part: str) -> bool:
        from nucleate.chem.checks import charge_neutrality
        from nucleate.chem.verdict import PASS

        return charge_neutrality(parse_with_fractions(part), "icsd24-3").verdict == PASS

    refuse_abbreviation(text)
    formula = in_plain_signs(text)
    refuse_water(formula)
    try:
        parts = adduct_parts(formula, parse_with_fractions)
        counted = [(n, part, parse_with_fractions(part)) for n, part in parts]
    except NucleateError as error:
        raise NucleateError(f"{error}{other_spellings(formula)}") from None
    total: AtomCounts = Counter()
    for n, part, counts in counted:
        refuse_lookalikes(part, counts)
        exact = parse_with_fractions(with_fractions(part, balances)) if "." in part else counts
        total.update(exact if n == 1 else {e: k * n for e, k in exact.items()})
    refuse_capitals(formula, total)
    if total.total() > MAX_ATOMS:
        raise NucleateError(f"more than {MAX_ATOMS:,} atoms")
    return total
