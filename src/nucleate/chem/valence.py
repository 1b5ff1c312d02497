"""Whether the charges of a compound can balance, by SMACT's rule and by textbook chemistry beyond it.

SMACT's rule uses the oxidation states of its tables and allows mixed valence for 24 elements only. Real compounds fail
it: Pb3O4 and Tb4O7 (mixed valence), NaN3 (azide), KO2 (superoxide), CaB6 (boron network), Gd2Cl3 (metal clusters).
The verdicts here are those of candidates. Published metrics are computed by `chem.checks`, which follows SMACT exactly.
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
    pauling_choices,
)
from nucleate.chem.classes import GROUPS, LANTHANIDES
from nucleate.chem.composition import Formula
from nucleate.chem.states import STATE_SETS, icsd_reports, pauling_electronegativity
from nucleate.chem.verdict import FAIL, PASS, UNKNOWN, Verdict

# The least share of an element's reports in the ICSD that a charge must have: to be usual; to be considered in mixed
# valence as a rare charge; and to be considered as the only charge of the element
USUAL, RARE, RAREST = 1e-2, 5e-3, 2e-3
FEW = 500  # for an element with fewer reports than this every reported charge is considered as a rare one
# The negative charge that an atom has without bonds to atoms of its own element, for elements that form chains, rings
# and networks as anions; with such bonds its charge is smaller
CHAINS = {
    **dict.fromkeys(("B", "C", "Si", "Ge", "Sn", "Pb"), 4),
    **dict.fromkeys(("N", "P", "As", "Sb", "Bi"), 3),
    **dict.fromkeys(("S", "Se", "Te"), 2),
    **dict.fromkeys(("Br", "I"), 1),
}
EXAMPLES = {"O": "superoxides", "N": "azides", "S": "polysulfides", "I": "polyiodides", "B": "borides", "C": "carbides"}
# Elements whose atoms bond to each other in compounds with more electronegative elements, so that their mean charge is
# below their lowest usual one: Ag2F, Cs11O3, Te2I, B6O. Those of the second line do so only without oxygen: Gd2Cl3.
CLUSTERS = frozenset(("Rb", "Cs", "Ag", "Hg", "Bi", "Te", "B"))
CLUSTERS_OF_HALIDES = frozenset(("Sc", "Y", "Zr", "Hf", "Nb", "Ta", "Mo", "W", "Re", *LANTHANIDES))
_ALKALI = frozenset(GROUPS["alkali metal"])
_METALS = frozenset(GROUPS["transition metal"])


def charge_verdict(composition: Mapping[Any, float], states: str = STATE_SETS[0]) -> Verdict:
    """Whether the charges of a composition (element -> amount) balance.

    states: one of `chem.states.STATE_SETS`. With the first one a composition that fails SMACT's rule still passes if it
    balances with different usual positive charges on atoms of one element, and is unknown if rare charges, or bonds
    between atoms of one element, would explain it. The other sets stand for SMACT's rule only. Raises NucleateError for
    an unknown set.
    """
    verdict = charge_neutrality(composition, states)
    if verdict.verdict != FAIL or states != STATE_SETS[0]:
        return verdict
    return _second_look(Formula.of_amounts(composition)) or verdict


def balance_verdict(composition: Mapping[Any, float], states: str = STATE_SETS[0]) -> Verdict:
    """Whether the anions are more electronegative than the cations.

    This is the verdict of `checks.electronegativity_balance`, except for a composition that fails SMACT's rule and gets
    another verdict from `charge_verdict`: that verdict is repeated here, because it considers only charges with anions
    more electronegative than the cations. Arguments and errors are those of `charge_verdict`.
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
    usual = {s: charges_with_share(s, USUAL) for s in symbols}
    doubled = tuple((s, 2 * n) for s, n in counts)  # Tl2Cl3 balances as Tl4Cl6, with three Tl+ and one Tl3+
    if words := _mixed(doubled, usual, True):
        return Verdict(PASS, words)
    rare, rarest = ({s: charges_with_share(s, least) for s in symbols} for least in (RARE, RAREST))
    if words := _mixed(counts, rarest, False) or _mixed(doubled, rare, True):
        return Verdict(UNKNOWN, f"only with rare charges: {words}")
    if symbol := next(_chained(counts), ""):
        return Verdict(UNKNOWN, f"only with bonds between {symbol} atoms, as in {EXAMPLES.get(symbol, 'polyanions')}")
    if symbol := next(_clustered(counts), ""):
        return Verdict(UNKNOWN, f"only with bonds between {symbol} atoms, as in clusters and suboxides")
    if symbol := next(_neutral_metals(counts), ""):
        return Verdict(UNKNOWN, f"only with {symbol} of charge 0, as in Mg2NiH4")
    return None


def charges_with_share(symbol: str, least: float) -> tuple[int, ...]:
    """The charges of an element, other than 0, that at least this share of its reports in the ICSD have."""
    found = {q: n for q, n in icsd_reports(symbol).items() if q and n}
    total = sum(found.values())
    return tuple(q for q, n in found.items() if n >= least * total or (total < FEW and least < USUAL))


def _mixed(counts: Counts, states: Mapping[str, tuple[int, ...]], different: bool) -> str:
    """The likeliest neutral ions as a text, or "" if there are none.

    different: whether atoms of one element may have different positive charges.
    """
    chi = [pauling_electronegativity(s) or 1.2 for s, _ in counts]
    found = []
    for choice in pauling_choices(chi, [states[s] for s, _ in counts]):
        mixing = {s for (s, _), some in zip(counts, choice, strict=True) if some and min(some) > 0} if different else ()
        if all(choice) and (best := neutral_ions(counts, choice, mixing)) is not None:
            found.append(best)
    ions = max(found)[1] if found else ()
    return f"{'mixed valence ' if len(ions) > len(counts) else ''}{ions_text(ions)}"


def _chained(counts: Counts) -> Iterator[str]:
    """Yields the most electronegative element if the charges balance with bonds between its atoms, which make them less
    negative."""
    symbol, n = max(counts, key=lambda part: pauling_electronegativity(part[0]) or 0.0)
    others = [part for part in counts if part[0] != symbol]
    most = CHAINS.get(symbol, 0) * n
    if symbol == "O" and all(s in _ALKALI for s, _ in others):  # superoxides and ozonides
        most = n + 1
    if n > 1 and any(0 < charge < most for charge in _totals(others)):
        yield symbol


def _clustered(counts: Counts) -> Iterator[str]:
    """Yields each element that forms clusters and with which the charges balance at a mean charge below its lowest."""
    able = CLUSTERS if any(s == "O" for s, _ in counts) else CLUSTERS | CLUSTERS_OF_HALIDES
    for symbol, n in counts:
        positive = [q for q in charges_with_share(symbol, USUAL) if q > 0]
        if symbol not in able or n < 2 or not positive:
            continue
        if any(0 < -charge < min(positive) * n for charge in _totals([part for part in counts if part[0] != symbol])):
            yield symbol


def _neutral_metals(counts: Counts) -> Iterator[str]:
    """Yields each transition metal with whose charge 0 the others balance, in compounds with hydrogen or carbon."""
    if any(s in ("H", "C") for s, _ in counts):
        for symbol, _ in counts:
            if symbol in _METALS and 0 in _totals([part for part in counts if part[0] != symbol]):
                yield symbol


def _totals(counts: list[tuple[str, int]]) -> set[int]:
    """Every total charge that the atoms can have if each element has one of its usual charges."""
    totals = {0}
    for symbol, n in counts:
        totals = {t + q * n for t in totals for q in charges_with_share(symbol, USUAL)}
    return totals
