"""Charge neutrality and electronegativity balance of a composition, each answered pass, fail or unknown.

The rules and the data (oxidation states of the ICSD 2024 set, Pauling electronegativities, the elements that may be
of mixed valence) are SMACT's (Davies et al., J. Open Source Softw. 4, 1361 (2019)). SMACT tries every combination;
here the reachable charges are added up element by element (dynamic programming), which gives the same answer in
polynomial time, has no combination limit that turns "too many" into "invalid", and finds the likeliest states.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from nucleate.chem.verdict import FAIL, PASS, UNKNOWN, Verdict

OXIDATION_STATES = "icsd24"
MAX_MIXED = 100  # atoms of one element, in the reduced formula, over which mixed valence is tried

Counts = tuple[tuple[str, int], ...]
Ions = tuple[tuple[str, int], ...]  # (element, charge)
Sums = dict[int, tuple[float, Ions]]  # total charge -> (log likelihood, the likeliest ions that have it)


def charge_neutrality(composition: Mapping[Any, float]) -> Verdict:
    """Whether some choice of known oxidation states adds up to zero.

    composition: element (symbol or pymatgen's `Element`) -> amount, e.g. a pymatgen `Composition`. Elements and
    intermetallics (SMACT's metals only) pass; an element without known states gives unknown.
    """
    return _judge(reduced_counts(composition))[0]


def electronegativity_balance(composition: Mapping[Any, float]) -> Verdict:
    """Whether some neutral choice of oxidation states gives every anion a higher electronegativity than any cation.

    Unknown where there is no neutral choice at all, or no states or electronegativity are known.
    """
    return _judge(reduced_counts(composition))[1]


def reduced_counts(composition: Mapping[Any, float]) -> Counts:
    """Exact smallest whole numbers, sorted by symbol: Fe0.95O -> (("Fe", 19), ("O", 20))."""
    amounts: dict[str, Fraction] = {}
    for element, amount in composition.items():
        symbol = getattr(element, "symbol", str(element))
        amounts[symbol] = amounts.get(symbol, Fraction(0)) + Fraction(amount).limit_denominator(1000)
    amounts = {s: a for s, a in sorted(amounts.items()) if a > 0}
    if not amounts:
        return ()
    scale = math.lcm(*(a.denominator for a in amounts.values()))
    whole = {s: int(a * scale) for s, a in amounts.items()}
    divisor = math.gcd(*whole.values())
    return tuple((s, n // divisor) for s, n in whole.items())


@lru_cache(maxsize=100_000)
def _judge(counts: Counts) -> tuple[Verdict, Verdict]:
    """(charge, electronegativity)."""
    from smact import metals

    symbols = [s for s, _ in counts]
    strangers = [s for s in symbols if not _states(s)]
    if len(symbols) == 1 and _is_element(symbols[0]):
        return _both(Verdict(PASS, "element"))
    if symbols and all(s in metals for s in symbols):
        return _both(Verdict(PASS, "intermetallic"))
    if strangers or not symbols:
        return _both(Verdict(UNKNOWN, f"no {OXIDATION_STATES} oxidation states of {', '.join(strangers) or 'nothing'}"))

    charge = _search(counts, [lambda s, q: True])
    if charge.verdict != PASS:
        return charge, Verdict(UNKNOWN, "not charge neutral" if charge.verdict == FAIL else charge.reason)
    nameless = [s for s in symbols if _electronegativity(s) is None]
    if nameless:
        return charge, Verdict(UNKNOWN, f"no electronegativity of {', '.join(nameless)}")
    chi = {s: _electronegativity(s) or 0.0 for s in symbols}
    # anions lie at or above some electronegativity, cations below it: try each border
    borders = sorted(set(chi.values()))[1:]
    rules = [lambda s, q, border=border: (q < 0) == (chi[s] >= border) for border in borders]
    balance = _search(counts, rules)
    if balance.verdict == FAIL:
        balance = Verdict(FAIL, f"neutral only with a cation more electronegative than an anion ({OXIDATION_STATES})")
    return charge, balance


def _both(verdict: Verdict) -> tuple[Verdict, Verdict]:
    return verdict, verdict


def _search(counts: Counts, rules: list) -> Verdict:
    """The likeliest neutral ions under any of the rules `(symbol, charge) -> allowed`, at first of single valence."""
    for mixed in (False, True):
        if mixed and not any(_may_mix(s) and n > 1 for s, n in counts):
            break
        if mixed and any(_may_mix(s) and n > MAX_MIXED for s, n in counts):
            return Verdict(UNKNOWN, f"too many atoms to try mixed valence (limit {MAX_MIXED} of an element)")
        found = [best for rule in rules if (best := _neutral(counts, rule, mixed)) is not None]
        if found:
            ions = " ".join(_ion(s, q) for s, q in sorted(max(found)[1], key=lambda ion: (ion[1] < 0, ion)))
            return Verdict(PASS, f"{'mixed valence ' if mixed else ''}{ions} ({OXIDATION_STATES})")
    return Verdict(FAIL, f"no neutral combination of {OXIDATION_STATES} oxidation states")


def _neutral(counts: Counts, rule: Any, mixed: bool) -> tuple[float, Ions] | None:
    total: Sums = {0: (0.0, ())}
    for symbol, n in counts:
        states = tuple(q for q in _states(symbol) if rule(symbol, q))
        if mixed and n > 1 and _may_mix(symbol):
            options = _mixtures(symbol, n, states)
        else:
            options = {q * n: (n * _log_share(symbol, q), ((symbol, q),)) for q in states}
        total = _add(total, options)
    return total.get(0)


@lru_cache(maxsize=1000)
def _mixtures(symbol: str, n: int, states: tuple[int, ...]) -> Sums:
    """Every total charge that n atoms can have, each atom in any of the states."""
    one: Sums = {q: (_log_share(symbol, q), ((symbol, q),)) for q in states}
    total: Sums = {0: (0.0, ())}
    for _ in range(n):
        total = _add(total, one)
    return total


def _add(left: Sums, right: Sums) -> Sums:
    out: Sums = {}
    for a, (score_a, ions_a) in left.items():
        for b, (score_b, ions_b) in right.items():
            score = score_a + score_b
            if a + b not in out or score > out[a + b][0]:
                out[a + b] = score, ions_a if set(ions_b) <= set(ions_a) else ions_a + ions_b
    return out


def _ion(symbol: str, charge: int) -> str:
    return f"{symbol}{abs(charge) if abs(charge) > 1 else ''}{'+' if charge > 0 else '-'}"


def _is_element(symbol: str) -> bool:
    from pymatgen.core import Element

    return Element.is_valid_symbol(symbol)


@lru_cache(maxsize=200)
def _states(symbol: str) -> tuple[int, ...]:
    from smact.data_loader import lookup_element_oxidation_states_icsd24

    return tuple(lookup_element_oxidation_states_icsd24(symbol) or ())


@lru_cache(maxsize=200)
def _electronegativity(symbol: str) -> float | None:
    from smact import Element

    return Element(symbol).pauling_eneg


@lru_cache(maxsize=1)
def _mixing_elements() -> frozenset[str]:
    from smact.screening import MIXED_VALENCE_ELEMENTS

    return MIXED_VALENCE_ELEMENTS


def _may_mix(symbol: str) -> bool:
    return symbol in _mixing_elements()


@lru_cache(maxsize=2000)
def _log_share(symbol: str, charge: int) -> float:
    """Logarithm of the share of this state among the element's reports in the ICSD."""
    counts = _reports()
    total = sum(counts.get(symbol, {}).values())
    return math.log(max(counts.get(symbol, {}).get(charge, 0), 0.5) / max(total, 1))


@lru_cache(maxsize=1)
def _reports() -> dict[str, dict[int, int]]:
    from smact.utils.oxidation import ICSD24OxStatesFilter

    table = ICSD24OxStatesFilter().ox_states_df
    out: dict[str, dict[int, int]] = {}
    rows: Iterable = zip(table["element"], table["oxidation_state"], table["results_count"], strict=True)
    for element, state, count in rows:
        out.setdefault(element, {})[int(state)] = int(count)
    return out
