"""A formula as a value. Formulas that differ by a factor or by the order of their elements are the same value and have
the same spelling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from nucleate.chem.elements import WRITING_ORDER
from nucleate.errors import NucleateError

# Formulas that are written with two atoms of each element, as O2 and Na2O2: gases and peroxides
PAIRED = frozenset({"H", "N", "O", "F", "Cl", "LiO", "NaO", "KO", "RbO", "CsO", "HO"})


class Formula(tuple[tuple[str, int], ...]):
    """(symbol, atoms) of each element, sorted by symbol, in smallest integers: (("O", 3), ("Sr", 1), ("Ti", 1)).

    It is a tuple, so that it can be compared and be the key of a dictionary. It is made by `of` and `of_amounts`.
    """

    __slots__ = ()

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Formula:
        """The formula of numbers of atoms (symbol -> atoms), which need not be the smallest. Raises NucleateError if
        there are none, or if they are not integers of at least 1."""
        integers = {symbol: round(n) for symbol, n in counts.items()}
        if not integers or any(n < 1 or abs(n - counts[symbol]) > 1e-6 for symbol, n in integers.items()):
            raise NucleateError(f"a composition needs whole numbers of atoms, not {dict(counts)}")
        return cls(sorted(reduced(integers).items()))

    @classmethod
    def of_amounts(cls, composition: Mapping[Any, float]) -> Formula:
        """The formula of any amounts of elements (symbols, or pymatgen's `Element`): Fe0.95O -> (("Fe", 19), ("O",
        20)).

        A `Fraction` is used exactly; a float is replaced by the nearest fraction with a denominator of at most 1000.
        Elements whose amount is zero are left out.
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
        integers = {s: int(a * scale) for s, a in amounts.items()}
        return cls(reduced(integers).items())

    @property
    def counts(self) -> dict[str, int]:
        """Symbol -> atoms in one formula unit."""
        return dict(self)

    @property
    def elements(self) -> tuple[str, ...]:
        """The symbols, sorted."""
        return tuple(symbol for symbol, _ in self)

    @property
    def num_atoms(self) -> int:
        """The number of atoms in one formula unit."""
        return sum(n for _, n in self)

    @property
    def ratio(self) -> tuple[int, ...]:
        """The numbers of atoms without the elements, sorted: (1, 1, 3) for SrTiO3."""
        return tuple(sorted(n for _, n in self))

    @property
    def text(self) -> str:
        """The formula as people write it (`formula_text`)."""
        return formula_text(dict(self))


def reduced(counts: Mapping[str, int]) -> dict[str, int]:
    """Numbers of atoms divided by their greatest common divisor, in the given order."""
    divisor = math.gcd(*counts.values())
    return {symbol: n // divisor for symbol, n in counts.items()}


def formula_text(composition: Mapping[Any, float]) -> str:
    """The spelling of a formula that is used wherever one is shown, stored or part of a name: NaZr2P3O12, LiFePO4.

    composition: element (symbol, or pymatgen's `Element`) -> amount; the amounts need not be the smallest. The formula
    is reduced and its elements are in the order of electronegativity, as in pymatgen's `reduced_formula` and in the
    Materials Project, also with O2 and Na2O2 for gases and peroxides. Other than there it has no brackets, because they
    do not fit into names of files and identifiers. An empty composition gives "".
    """
    counts = sorted(Formula.of_amounts(composition), key=lambda part: WRITING_ORDER.get(part[0], len(WRITING_ORDER)))
    text = "".join(f"{e}{n if n != 1 else ''}" for e, n in counts)
    return text if text not in PAIRED else "".join(f"{e}2" for e, _ in counts)
