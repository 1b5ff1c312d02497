"""A formula as a value: reduced, the same for all multiples and orders of its elements, with one spelling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from nucleate.chem.elements import WRITTEN_PLACE
from nucleate.errors import NucleateError

# Formulas that are written with two atoms of each element: gases and peroxides
PAIRED = frozenset({"H", "N", "O", "F", "Cl", "LiO", "NaO", "KO", "RbO", "CsO", "HO"})


class Formula(tuple[tuple[str, int], ...]):
    """(symbol, atoms) of each element, sorted by symbol, in smallest whole numbers: (("O", 3), ("Sr", 1), ("Ti", 1)).

    It is a tuple, so that it equals and hashes as one and can be a key. Made by `of` and `of_amounts`.
    """

    __slots__ = ()

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Formula:
        """The formula of whole numbers of atoms (symbol -> atoms, any multiple); NucleateError for other numbers."""
        whole = {symbol: round(n) for symbol, n in counts.items()}
        if not whole or any(n < 1 or abs(n - counts[symbol]) > 1e-6 for symbol, n in whole.items()):
            raise NucleateError(f"a composition needs whole numbers of atoms, not {dict(counts)}")
        return cls(sorted(reduced(whole).items()))

    @classmethod
    def of_amounts(cls, composition: Mapping[Any, float]) -> Formula:
        """The formula of any amounts of elements (symbols, or pymatgen's `Element`): Fe0.95O -> (("Fe", 19), ("O",
        20)).

        Fractions are exact; decimals are taken to the nearest fraction with a denominator of at most 1000. Elements
        whose amount is zero are left out.
        """
        amounts: dict[str, int | Fraction] = {}
        for element, amount in composition.items():
            symbol = getattr(element, "symbol", str(element))
            exact: int | Fraction = int(amount) if amount == int(amount) else Fraction(amount)
            if not isinstance(amount, int | Fraction):
                exact = Fraction(amount).limit_denominator(1000)
            amounts[symbol] = amounts.get(symbol, 0) + exact
        amounts = {s: a for s, a in sorted(amounts.items()) if a > 0}
        if not amounts:
            return cls()
        scale = math.lcm(*(a.denominator for a in amounts.values()))
        whole = {s: int(a * scale) for s, a in amounts.items()}
        return cls(reduced(whole).items())

    @property
    def counts(self) -> dict[str, int]:
        """Symbol -> atoms of one formula unit."""
        return dict(self)

    @property
    def elements(self) -> tuple[str, ...]:
        """The symbols, sorted."""
        return tuple(symbol for symbol, _ in self)

    @property
    def num_atoms(self) -> int:
        """Atoms of one formula unit."""
        return sum(n for _, n in self)

    @property
    def ratio(self) -> tuple[int, ...]:
        """The numbers alone, sorted: (1, 1, 3) of SrTiO3."""
        return tuple(sorted(n for _, n in self))

    @property
    def text(self) -> str:
        """The formula as people write it (`formula_text`)."""
        return formula_text(dict(self))


def reduced(counts: Mapping[str, int]) -> dict[str, int]:
    """Whole numbers of atoms divided by what they have in common, in the order given."""
    divisor = math.gcd(*counts.values())
    return {symbol: n // divisor for symbol, n in counts.items()}


def formula_text(composition: Mapping[Any, float]) -> str:
    """The one spelling of a formula, wherever one is shown, stored or part of a name: NaZr2P3O12, LiFePO4, HfSiW4.

    composition: element (symbol, or pymatgen's `Element`) -> amount, of any multiple. Reduced, the elements by
    electronegativity, as pymatgen's `reduced_formula` and the Materials Project have it, so that people find what they
    know, with their O2 and Na2O2 for diatomic gases and peroxides; but without brackets, which do not fit into the
    names of files and identifiers. "" for nothing.
    """
    counts = sorted(Formula.of_amounts(composition), key=lambda part: WRITTEN_PLACE.get(part[0], len(WRITTEN_PLACE)))
    text = "".join(f"{e}{n if n != 1 else ''}" for e, n in counts)
    return text if text not in PAIRED else "".join(f"{e}2" for e, _ in counts)
