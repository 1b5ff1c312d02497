"""Whether the charges of a compound may balance: SMACT's rule, and what textbooks know beyond it.

SMACT lets atoms of 24 elements differ in charge and takes the charges that its tables list. Lead in Pb3O4, terbium in
Tb4O7, the azide of NaN3, the superoxide of KO2, boron in CaB6 and the clusters of Gd2Cl3 fail it, and are no faults.
Published numbers are counted by `chem.checks`, whose definitions stay as they are; this is what candidates are told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from nucleate.chem.checks import (
    MAX_MIXED,
    Counts,
    charge_neutrality,
    electronegativity_balance,
    ions_text,
    kind_without_ions,
    neutral_ions,
    pauling,
)
from nucleate.chem.classes import GROUPS, LANTHANIDES
from nucleate.chem.composition import Formula
from nucleate.chem.states import STATE_SETS, electronegativity, reports
from nucleate.chem.verdict import FAIL, PASS, UNKNOWN, Verdict

# Shares of an element's reports in the ICSD with a charge: of those taken for granted, those that may be in a mixture,
# and those that may be an element's only charge
USUAL, RARE, RAREST = 1e-2, 5e-3, 2e-3
FEW = 500  # reports; of an element with fewer each one counts
# Charges of an atom without bonds to its like, of elements that form chains, rings and nets as anions
CHAINS = {
    **dict.fromkeys(("B", "C", "Si", "Ge", "Sn", "Pb"), 4),
    **dict.fromkeys(("N", "P", "As", "Sb", "Bi"), 3),
    **dict.fromkeys(("S", "Se", "Te"), 2),
    **dict.fromkeys(("Br", "I"), 1),
}
EXAMPLES = {"O": "superoxides", "N": "azides", "S": "polysulfides", "I": "polyiodides", "B": "borides", "C": "carbides"}
# Elements that bond to each other beside more electronegative ones and have a mean charge below their lowest: Ag2F,
# Cs11O3, Te2I, B6O; those of the second line beside no oxygen, as in Gd2Cl3
CLUSTERS = frozenset(("Rb", "Cs", "Ag", "Hg", "Bi", "Te", "B"))
CLUSTERS_OF_HALIDES = frozenset(("Sc", "Y", "Zr", "Hf", "Nb", "Ta", "Mo", "W", "Re", *LANTHANIDES))
_ALKALI = frozenset(GROUPS["alkali metal"])
_METALS = frozenset(GROUPS["transition metal"])


def charge_verdict(composition: Mapping[Any, float], states: str = STATE_SETS[0]) -> Verdict:
    """Whether the charges of a composition (element -> amount) balance.

    states: a set of `chem.states`; of the first one also: pass where atoms of any one element have several of its usual
    positive charges, unknown where rare charges, or bonds between atoms of one element, would explain the composition.
    The other sets are SMACT's rule alone. Raises NucleateError for an unknown set.
    """
    verdict = charge_neutrality(composition, states)
    if verdict.verdict != FAIL or states != STATE_SETS[0]:
        return verdict
    return _second_look(Formula.of_amounts(composition)) or verdict


def balance_verdict(composition: Mapping[Any, float], states: str = STATE_SETS[0]) -> Verdict:
    """Whether the anions of such charges are more electronegative than the cations: `checks.electronegativity_balance`,
    and where the charges balance beyond SMACT's rule what was said of these, whose cations lie below the anions.
    """
    charge = charge_verdict(composition, states)
    smact = charge_neutrality(composition, states)
    return electronegativity_balance(composition, states) if charge == smact else charge


@lru_cache(maxsize=20_000)
def _second_look(counts: Counts) -> Verdict | None:
    symbols = [s for s, _ in counts]
    if len(counts) < 2 or kind_without_ions(symbols):
        return None
    if max(n for _, n in counts) > 10 * MAX_MIXED:
        return Verdict(UNKNOWN, f"too many atoms to try mixed valence (limit {10 * MAX_MIXED} of an element)")
    usual = {s: known(s, USUAL) for s in symbols}
    twice = tuple((s, 2 * n) for s, n in counts)  # 3 Tl+ and one Tl3+ in Tl2Cl3
    if words := _mixed(twice, usual, True):
        return Verdict(PASS, words)
    rare, rarest = ({s: known(s, least) for s in symbols} for least in (RARE, RAREST))
    if words := _mixed(counts, rarest, False) or _mixed(twice, rare, True):
        return Verdict(UNKNOWN, f"only with rare charges: {words}")
    if symbol := next(_chained(counts), ""):
        return Verdict(UNKNOWN, f"only with bonds between {symbol} atoms, as in {EXAMPLES.get(symbol, 'polyanions')}")
    if symbol := next(_clustered(counts), ""):
        return Verdict(UNKNOWN, f"only with bonds between {symbol} atoms, as in clusters and suboxides")
    if symbol := next(_neutral_metals(counts), ""):
        return Verdict(UNKNOWN, f"only with {symbol} of charge 0, as in Mg2NiH4")
    return None


_EXAMPLES = {
    "O": "superoxides",
    "N": "azides",
    "S": "polysulfides",
    "I": "polyiodides",
    "B": "borides",
    "C": "carbides",
}


def known(symbol: str, least: float) -> tuple[int, ...]:
    """Charges of an element, without 0, that at least this share of its reports have."""
    found = {q: n for q, n in reports(symbol).items() if q and n}
    total = sum(found.values())
    return tuple(q for q, n in found.items() if n >= least * total or (total < FEW and least < USUAL))


def _mixed(counts: Counts, states: Mapping[str, tuple[int, ...]], different: bool) -> str:
    """The likeliest ions in words, or "". different: whether atoms of one element may differ in positive charge."""
    chi = [electronegativity(s) or 1.2 for s, _ in counts]
    found = []
    for choice in pauling(chi, [states[s] for s, _ in counts]):
        mixing = {s for (s, _), some in zip(counts, choice, strict=True) if some and min(some) > 0} if different else ()
        if all(choice) and (best := neutral_ions(counts, choice, mixing)) is not None:
            found.append(best)
    ions = max(found)[1] if found else ()
    return f"{'mixed valence ' if len(ions) > len(counts) else ''}{ions_text(ions)}"


def _chained(counts: Counts) -> Iterator[str]:
    """The most electronegative element, where atoms of it that are bound to each other would balance the others."""
    symbol, n = max(counts, key=lambda part: electronegativity(part[0]) or 0.0)
    others = [part for part in counts if part[0] != symbol]
    most = CHAINS.get(symbol, 0) * n
    if symbol == "O" and all(s in _ALKALI for s, _ in others):  # superoxides and ozonides
        most = n + 1
    if n > 1 and any(0 < charge < most for charge in _totals(others)):
        yield symbol


def _clustered(counts: Counts) -> Iterator[str]:
    able = CLUSTERS if any(s == "O" for s, _ in counts) else CLUSTERS | CLUSTERS_OF_HALIDES
    for symbol, n in counts:
        positive = [q for q in known(symbol, USUAL) if q > 0]
        if symbol not in able or n < 2 or not positive:
            continue
        if any(0 < -charge < min(positive) * n for charge in _totals([part for part in counts if part[0] != symbol])):
            yield symbol


def _neutral_metals(counts: Counts) -> Iterator[str]:
    """A transition metal without a charge, beside hydrogen or carbon."""
    if any(s in ("H", "C") for s, _ in counts):
        for symbol, _ in counts:
            if symbol in _METALS and 0 in _totals([part for part in counts if part[0] != symbol]):
                yield symbol


def _totals(counts: list[tuple[str, int]]) -> set[int]:
    """Every total charge that atoms of usual charges, one for each element, can have."""
    totals = {0}
    for symbol, n in counts:
        totals = {t + q * n for t in totals for q in known(symbol, USUAL)}
    return totals
