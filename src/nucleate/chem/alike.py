"""Which elements of a compound are so alike that they would share a site instead of taking sites of their own.

In a compound of ions two elements are alike if their charges differ by less than 2 and their ionic radii by at most
15 %. The radii are Goldschmidt's rule (Naturwissenschaften 14, 477 (1926)). Charge and size are among the factors that
decide whether the cations of double perovskites are ordered (survey of Anderson, Greenwood, Taylor, Poeppelmeier, Prog.
Solid State Chem. 22, 197 (1993)); the limit of 2 is nucleate's own. So Cr and Ta of TaCr2O6 are alike, and Mg2+ and W6+
of Sr2MgWO6 are not. The charges are those of the likeliest neutral ions, or of others that are at most LESS_LIKELY
times less likely by how often the ICSD reports each charge (`chem.states.log_share`); thus Mo4+ and W4+ of MoWS4 are
alike, though Mo2+ and W6+ are reported more often.

In alloys, and in compounds whose charges do not balance, two elements are alike if their atomic radii differ by at most
15 % (Hume-Rothery's rule) and their electronegativities by at most 0.4 (Darken and Gurry, Physical Chemistry of Metals,
McGraw-Hill (1953)).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from itertools import combinations, permutations
from math import inf, log
from typing import Any

from nucleate.chem.checks import MAX_MIXED, Ions, kind_without_ions, neutral_ions, pauling_choices
from nucleate.chem.composition import Formula
from nucleate.chem.states import pauling_electronegativity
from nucleate.chem.valence import USUAL, charges_with_share

Charges = Mapping[str, tuple[int, ...]]
MOST_APART = 0.15  # largest difference of radii, as a part of the larger one
CHARGES_APART = 2.0  # charges must differ by less
ELECTRONEGATIVITY_APART = 0.4  # on Pauling's scale
COORDINATIONS = ("VI", "VIII", "IV", "XII", "VII", "V", "IX", "X", "III", "II")  # the first that both ions have counts
MOST_ELEMENTS = 4  # that share one site
LESS_LIKELY = 20.0


def alike_pairs(composition: Mapping[str, int]) -> frozenset[frozenset[str]]:
    """The pairs of elements of a composition (symbol -> atoms) that are alike."""
    return _alike_pairs(Formula.of(composition))


def shared_sites(composition: Mapping[str, int]) -> list[tuple[frozenset[str], ...]]:
    """The ways in which elements of a composition could share sites: sets of elements that are all alike, each of which
    would have a site together. Ways with fewer elements together come first.

    >>> shared_sites({"Ta": 1, "Cr": 2, "O": 6})
    [(frozenset({'Cr', 'Ta'}),)]
    """
    pairs = alike_pairs(composition)
    symbols = sorted(composition)
    groups = [
        frozenset(some)
        for size in range(2, MOST_ELEMENTS + 1)
        for some in combinations(symbols, size)
        if all(frozenset(pair) in pairs for pair in combinations(some, 2))
    ]
    two = [(a, b) for a, b in combinations(groups, 2) if not a & b]
    return sorted([*((g,) for g in groups), *two], key=lambda way: sum(map(len, way)))


def mean_charges(composition: Mapping[str, int]) -> dict[str, float] | None:
    """The mean charge of each element in the likeliest neutral ions of a composition (symbol -> atoms); None for
    alloys, and for compounds whose usual charges do not balance."""
    counts = Formula.of(composition)
    if len(counts) < 2 or kind_without_ions([s for s, _ in counts]) or max(n for _, n in counts) > MAX_MIXED:
        return None
    best = _likeliest(counts, {s: charges_with_share(s, USUAL) for s, _ in counts})
    return None if best is None else _mean_charges(dict(counts), best[1])


@lru_cache(maxsize=20_000)
def _alike_pairs(counts: Formula) -> frozenset[frozenset[str]]:
    symbols = [s for s, _ in counts]
    able = len(counts) > 1 and not kind_without_ions(symbols) and max(n for _, n in counts) <= MAX_MIXED
    usual = {s: charges_with_share(s, USUAL) for s in symbols}
    best = _likeliest(counts, usual) if able else None
    if best is None:
        return frozenset(frozenset(pair) for pair in combinations(symbols, 2) if _alike_atoms(*pair))
    least = best[0] - log(LESS_LIKELY)
    return frozenset(frozenset(pair) for pair in permutations(symbols, 2) if _alike_ions(*pair, counts, usual, least))


def _alike_ions(a: str, b: str, counts: Formula, usual: Charges, least: float) -> bool:
    """Whether there are neutral ions with a log likelihood of at least `least` in which all atoms of b have one charge,
    the mean charge of a is near it, and the radii are alike."""
    for charge in usual[b]:
        near = tuple(q for q in usual[a] if abs(q - charge) <= CHARGES_APART and q * charge > 0)
        found = _likeliest(counts, {**usual, a: near, b: (charge,)}) if near else None
        if found is None or found[0] < least:
            continue
        means = _mean_charges(dict(counts), found[1])
        if abs(means[a] - means[b]) < CHARGES_APART and _near(_ionic_radii(a, b, means) or _atomic_radii(a, b)):
            return True
    return False


def _alike_atoms(a: str, b: str) -> bool:
    chi_a, chi_b = map(pauling_electronegativity, (a, b))
    apart = abs(chi_a - chi_b) if chi_a is not None and chi_b is not None else inf
    return apart <= ELECTRONEGATIVITY_APART and _near(_atomic_radii(a, b))


def _near(radii: tuple[float, float] | None) -> bool:
    return radii is not None and min(radii) > 0 and max(radii) - min(radii) <= MOST_APART * max(radii)


def _likeliest(counts: Formula, charges: Charges) -> tuple[float, Ions] | None:
    """The log likelihood and the ions of the likeliest neutral ions; atoms of a cation may have different charges."""
    chi = [pauling_electronegativity(s) or 1.2 for s, _ in counts]
    found = []
    for choice in pauling_choices(chi, [charges[s] for s, _ in counts]):
        cations = {s for (s, _), some in zip(counts, choice, strict=True) if some and min(some) > 0}
        if all(choice) and (best := neutral_ions(tuple(counts), choice, cations)) is not None:
            found.append(best)
    return max(found) if found else None


def _mean_charges(counts: Mapping[str, int], ions: Ions) -> dict[str, float]:
    """The mean charge of each element. Of one element with several charges it follows from those of the others; of
    several such elements the charges are averaged."""
    own: dict[str, list[int]] = {}
    for symbol, charge in ions:
        own.setdefault(symbol, []).append(charge)
    means = {symbol: sum(charges) / len(charges) for symbol, charges in own.items()}
    several = [symbol for symbol, charges in own.items() if len(charges) > 1]
    if len(several) == 1:
        rest = sum(counts[s] * q for s, q in means.items() if s != several[0])
        means[several[0]] = -rest / counts[several[0]]
    return means


def _ionic_radii(a: str, b: str, charges: Mapping[str, float]) -> tuple[float, float] | None:
    """Shannon's radii in angstrom (Acta Cryst. A 32, 751 (1976)), in the first of COORDINATIONS that both have; None if
    there is none."""
    for coordination in COORDINATIONS:
        first, second = (_shannon(s, charges[s], coordination) for s in (a, b))
        if first is not None and second is not None:
            return first, second
    return None


@lru_cache(maxsize=10_000)
def _shannon(symbol: str, charge: float, coordination: str) -> float | None:
    """The radius of an ion, angstrom; between those of the next charges where the mean charge is between them, and of
    the only one of these where the table has one. The largest of several spins is taken."""
    known = {q: r for q in _charges_with_radius(symbol) if (r := _tabulated(symbol, q, coordination)) is not None}
    near = {q: r for q, r in known.items() if abs(q - charge) <= 1 and q * charge > 0}
    if not near:
        return None
    below = max((q for q in near if q <= charge), default=None)
    above = min((q for q in near if q >= charge), default=None)
    if below is None or above is None or below == above:
        return near[min(near, key=lambda q: abs(q - charge))]
    part = (charge - below) / (above - below)
    return near[below] * (1 - part) + near[above] * part


@cache
def _charges_with_radius(symbol: str) -> tuple[int, ...]:
    return tuple(int(q) for q in _table(symbol) if q)


def _tabulated(symbol: str, charge: int, coordination: str) -> float | None:
    spins = _table(symbol).get(str(charge), {}).get(coordination, {})
    radii = [values["ionic_radius"] for values in spins.values()]
    return max(radii) if radii else None


@cache
def _table(symbol: str) -> dict[str, Any]:
    from pymatgen.core import Element

    found = Element(symbol).data.get("Shannon radii")
    return found if isinstance(found, dict) else {}


def _atomic_radii(a: str, b: str) -> tuple[float, float] | None:
    """Metallic radii in angstrom where both elements have one, else atomic radii; None if one is not known."""
    from pymatgen.core import Element

    for name in ("Metallic radius", "Atomic radius"):
        first, second = (Element(s).data.get(name) for s in (a, b))
        if isinstance(first, int | float) and isinstance(second, int | float):
            return float(first), float(second)
    return None
