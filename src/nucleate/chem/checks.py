"""Charge neutrality and electronegativity balance of a composition, each answered pass, fail or unknown.

The rules and the data (`chem.states`) are SMACT's (Davies et al., J. Open Source Softw. 4, 1361 (2019)). SMACT tries
every combination; here the reachable charges are added up element by element (dynamic programming), which gives the
same answer in polynomial time, has no combination limit that turns "too many" into "invalid", and finds the likeliest
states.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from nucleate.chem.composition import Formula
from nucleate.chem.elements import SYMBOLS
from nucleate.chem.states import (
    MIXED_VALENCE,
    STATE_SETS,
    check_set,
    electronegativity,
    log_share,
    metals,
    mixing_elements,
    states_of,
)
from nucleate.chem.verdict import FAIL, PASS, UNKNOWN, Verdict

MAX_MIXED = 100  # atoms of one element, in the reduced formula, over which mixed valence is tried
_ELEMENTS = frozenset(SYMBOLS)

Counts = tuple[tuple[str, int], ...]
States = Sequence[Sequence[int]]  # the oxidation states of each element
Ions = tuple[tuple[str, int], ...]  # (element, charge)
Sums = dict[int, tuple[float, Ions]]  # total charge -> (log likelihood, the likeliest ions that have it)


def charge_neutrality(composition: Mapping[Any, float], states: str = STATE_SETS[0]) -> Verdict:
    """Whether some choice of known oxidation states adds up to zero.

    composition: element (symbol or pymatgen's `Element`) -> amount, e.g. a pymatgen `Composition`. states: one of
    `chem.states.STATE_SETS`. Elements and intermetallics (SMACT's metals only) pass; an element without known states
    gives unknown. Raises NucleateError for another set.
    """
    return _judge(Formula.of_amounts(composition), check_set(states))[0]


def electronegativity_balance(composition: Mapping[Any, float], states: str = STATE_SETS[0]) -> Verdict:
    """Whether some neutral choice of oxidation states gives every anion a higher electronegativity than any cation.

    Unknown where there is no neutral choice at all, or no states or electronegativity are known.
    """
    return _judge(Formula.of_amounts(composition), check_set(states))[1]


def balanced(composition: Mapping[Any, float], states: str = STATE_SETS[0]) -> Verdict:
    """Both in one, SMACT's validity: charge neutrality where that does not pass, else electronegativity balance."""
    charge, balance = _judge(Formula.of_amounts(composition), check_set(states))
    return balance if charge.verdict == PASS else charge


def kind_without_ions(symbols: Collection[str]) -> str:
    """ "element" or "intermetallic", which are not asked for oxidation states, or ""."""
    if len(symbols) == 1 and set(symbols) <= _ELEMENTS:
        return "element"
    return "intermetallic" if symbols and metals() >= set(symbols) else ""


@lru_cache(maxsize=100_000)
def _judge(counts: Counts, name: str) -> tuple[Verdict, Verdict]:
    """(charge, electronegativity)."""
    symbols = [s for s, _ in counts]
    if kind := kind_without_ions(symbols):
        return _both(Verdict(PASS, kind))
    states = [states_of(s, name) for s in symbols]
    if not all(states) or not symbols:
        strangers = ", ".join(s for s, known in zip(symbols, states, strict=True) if not known)
        return _both(Verdict(UNKNOWN, f"no {name} oxidation states of {strangers or 'nothing'}"))

    charge, ions = _search(counts, [states], name)
    if charge.verdict != PASS:
        return charge, Verdict(UNKNOWN, "not charge neutral" if charge.verdict == FAIL else charge.reason)
    nameless = [s for s in symbols if electronegativity(s) is None]
    if nameless:
        return charge, Verdict(UNKNOWN, f"no electronegativity of {', '.join(nameless)}")
    chi = [electronegativity(s) or 0.0 for s in symbols]
    if _follows_pauling(ions, dict(zip(symbols, chi, strict=True))):  # the likeliest of all: no need to search again
        return charge, charge
    balance, _ = _search(counts, list(pauling(chi, states)), name)
    if balance.verdict == FAIL:
        balance = Verdict(FAIL, f"neutral only with a cation more electronegative than an anion ({name})")
    return charge, balance


def _both(verdict: Verdict) -> tuple[Verdict, Verdict]:
    return verdict, verdict


def pauling(chi: Sequence[float], states: States) -> Iterator[States]:
    """The states that Pauling's test allows: anions lie at or above some electronegativity, cations below it."""
    for border in sorted(set(chi))[1:]:
        yield [[q for q in known if (q < 0) == (x >= border)] for x, known in zip(chi, states, strict=True)]


def _follows_pauling(ions: Ions, chi: Mapping[str, float]) -> bool:
    cations, anions = ([chi[s] for s, q in ions if q * sign > 0] for sign in (1, -1))
    return max(cations) < min(anions)  # neutral without a zero state: there are both


def _search(counts: Counts, choices: Sequence[States], name: str) -> tuple[Verdict, Ions]:
    """The likeliest neutral ions from any of the choices of states, at first of single valence."""
    mixing = [(s, n) for s, n in counts if n > 1 and s in mixing_elements()]
    for mixed in (False, True):
        if mixed and (name not in MIXED_VALENCE or not mixing):
            break
        if mixed and any(n > MAX_MIXED for _, n in mixing):
            return Verdict(UNKNOWN, f"too many atoms to try mixed valence (limit {MAX_MIXED} of an element)"), ()
        different = mixing_elements() if mixed else frozenset()
        found = [best for states in choices if (best := neutral_ions(counts, states, different)) is not None]
        if found:
            ions = max(found)[1]
            return Verdict(PASS, f"{'mixed valence ' if mixed else ''}{ions_text(ions)} ({name})"), ions
    return Verdict(FAIL, f"no neutral combination of {name} oxidation states"), ()


def neutral_ions(counts: Counts, states: States, mixed: Collection[str] = ()) -> tuple[float, Ions] | None:
    """The likeliest ions of total charge zero with their log likelihood, None where there are none.

    counts: (symbol, atoms). states: those each element may have; all of its atoms share one, but the atoms of `mixed`
    elements have each their own.
    """
    options: list[Sums] = []
    for (symbol, n), known in zip(counts, states, strict=True):
        if n > 1 and symbol in mixed:
            options.append(_mixtures(symbol, n, tuple(known)))
        else:
            options.append({q * n: (n * log_share(symbol, q), ((symbol, q),)) for q in known})
    wanted = [{0}]  # backwards: the charges of the elements before from which zero can still be reached
    for later in reversed(options[1:]):
        wanted.append({charge - q for charge in wanted[-1] for q in later})
    total: Sums = {0: (0.0, ())}
    for option, keep in zip(options, reversed(wanted), strict=True):
        total = _add(total, option, keep)
    return total.get(0)


@lru_cache(maxsize=1000)
def _mixtures(symbol: str, n: int, states: tuple[int, ...]) -> Sums:
    """Every total charge that n atoms can have, each atom in any of the states."""
    one: Sums = {q: (log_share(symbol, q), ((symbol, q),)) for q in states}
    total: Sums = {0: (0.0, ())}
    for _ in range(n):
        total = _add(total, one)
    return total


def _add(left: Sums, right: Sums, keep: Collection[int] | None = None) -> Sums:
    out: Sums = {}
    for a, (score_a, ions_a) in left.items():
        for b, (score_b, ions_b) in right.items():
            charge, score = a + b, score_a + score_b
            if (keep is None or charge in keep) and (charge not in out or score > out[charge][0]):
                out[charge] = score, ions_a if set(ions_b) <= set(ions_a) else ions_a + ions_b
    return out


def ions_text(ions: Ions) -> str:
    """Cations first: (("O", -2), ("Pb", 2), ("Pb", 4)) -> "Pb2+ Pb4+ O2-"."""
    return " ".join(_ion(s, q) for s, q in sorted(ions, key=lambda ion: (ion[1] < 0, ion)))


def _ion(symbol: str, charge: int) -> str:
    return f"{symbol}{abs(charge) if abs(charge) > 1 else ''}{'+' if charge > 0 else '-'}"
