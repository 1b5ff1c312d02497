"""Charge neutrality and electronegativity balance of a composition. The answer of each is pass, fail or unknown.

The rules and the data (`chem.states`) are SMACT's (Davies et al., J. Open Source Softw. 4, 1361 (2019)). SMACT tries
every combination of oxidation states. Here the possible total charges are added up element by element (dynamic
programming). That gives the same answer in polynomial time, needs no limit on the number of combinations (above which
SMACT calls a composition invalid), and finds the likeliest states.
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
    log_share,
    mixing_elements,
    pauling_electronegativity,
    require_state_set,
    smact_metals,
    states_of,
)
from nucleate.chem.verdict import FAIL, PASS, UNKNOWN, Verdict

MAX_MIXED = 100  # mixed valence is tried for elements with at most so many atoms in the reduced formula
_ELEMENTS = frozenset(SYMBOLS)

Counts = tuple[tuple[str, int], ...]
States = Sequence[Sequence[int]]  # for each element the oxidation states that it may have
Ions = tuple[tuple[str, int], ...]  # (element, charge)
Sums = dict[int, tuple[float, Ions]]  # total charge -> (log likelihood, ions) of the likeliest ions with that charge


def charge_neutrality(composition: Mapping[Any, float], states: str = STATE_SETS[0]) -> Verdict:
    """Whether some choice of known oxidation states adds up to zero.

    composition: element (symbol or pymatgen's `Element`) -> amount, e.g. a pymatgen `Composition`. states: one of
    `chem.states.STATE_SETS`. Pure elements pass, and so do intermetallics, in which all elements are metals for SMACT.
    The answer is unknown if an element has no known states. Raises NucleateError for another set of states.
    """
    return _judge(Formula.of_amounts(composition), require_state_set(states))[0]


def electronegativity_balance(composition: Mapping[Any, float], states: str = STATE_SETS[0]) -> Verdict:
    """Whether some neutral choice of oxidation states gives every anion a higher electronegativity than any cation.

    Arguments and errors are those of `charge_neutrality`. The answer is unknown if there is no neutral choice at all,
    or if the states or the electronegativity of an element are not known.
    """
    return _judge(Formula.of_amounts(composition), require_state_set(states))[1]


def smact_verdict(composition: Mapping[Any, float], states: str = STATE_SETS[0]) -> Verdict:
    """SMACT's validity, which asks for both: the verdict of charge neutrality if that does not pass, else the verdict
    of electronegativity balance. Arguments and errors are those of `charge_neutrality`."""
    charge, balance = _judge(Formula.of_amounts(composition), require_state_set(states))
    return balance if charge.verdict == PASS else charge


def kind_without_ions(symbols: Collection[str]) -> str:
    """ "element" or "intermetallic" for compositions to which oxidation states do not apply, else ""."""
    if len(symbols) == 1 and set(symbols) <= _ELEMENTS:
        return "element"
    return "intermetallic" if symbols and smact_metals() >= set(symbols) else ""


@lru_cache(maxsize=100_000)
def _judge(counts: Counts, name: str) -> tuple[Verdict, Verdict]:
    """The verdicts of charge neutrality and of electronegativity balance. name: of the set of states."""
    symbols = [s for s, _ in counts]
    if kind := kind_without_ions(symbols):
        return _both(Verdict(PASS, kind))
    states = [states_of(s, name) for s in symbols]
    if not all(states) or not symbols:
        unknown = ", ".join(s for s, known in zip(symbols, states, strict=True) if not known)
        return _both(Verdict(UNKNOWN, f"no {name} oxidation states of {unknown or 'nothing'}"))

    charge, ions = _search(counts, [states], name)
    if charge.verdict != PASS:
        return charge, Verdict(UNKNOWN, "not charge neutral" if charge.verdict == FAIL else charge.reason)
    without_value = [s for s in symbols if pauling_electronegativity(s) is None]
    if without_value:
        return charge, Verdict(UNKNOWN, f"no electronegativity of {', '.join(without_value)}")
    chi = [pauling_electronegativity(s) or 0.0 for s in symbols]
    if _follows_pauling(ions, dict(zip(symbols, chi, strict=True))):  # then no likelier ions can be found
        return charge, charge
    balance, _ = _search(counts, list(pauling_choices(chi, states)), name)
    if balance.verdict == FAIL:
        balance = Verdict(FAIL, f"neutral only with a cation more electronegative than an anion ({name})")
    return charge, balance


def _both(verdict: Verdict) -> tuple[Verdict, Verdict]:
    return verdict, verdict


def pauling_choices(chi: Sequence[float], states: States) -> Iterator[States]:
    """The choices of states in which every anion is more electronegative than every cation.

    chi: electronegativity of each element. Each choice has a border: elements at or above it get their negative states,
    elements below it the others.
    """
    for border in sorted(set(chi))[1:]:
        yield [[q for q in known if (q < 0) == (x >= border)] for x, known in zip(chi, states, strict=True)]


def _follows_pauling(ions: Ions, chi: Mapping[str, float]) -> bool:
    cations, anions = ([chi[s] for s, q in ions if q * sign > 0] for sign in (1, -1))
    return max(cations) < min(anions)  # neither is empty, because the charges add up to zero and none is zero


def _search(counts: Counts, choices: Sequence[States], name: str) -> tuple[Verdict, Ions]:
    """The likeliest neutral ions of all choices of states. Mixed valence is tried only if one state for each element is
    not enough."""
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
    """The log likelihood and the ions of the likeliest choice with total charge zero; None if there is none.

    counts: (symbol, atoms) of each element. states: the states that each element may have. All atoms of an element have
    the same state, except that atoms of elements in `mixed` may differ.
    """
    options: list[Sums] = []
    for (symbol, n), known in zip(counts, states, strict=True):
        if n > 1 and symbol in mixed:
            options.append(_mixtures(symbol, n, tuple(known)))
        else:
            options.append({q * n: (n * log_share(symbol, q), ((symbol, q),)) for q in known})
    # From the last element backwards: the charges of all earlier elements from which zero can still be reached.
    wanted = [{0}]
    for later in reversed(options[1:]):
        wanted.append({charge - q for charge in wanted[-1] for q in later})
    total: Sums = {0: (0.0, ())}
    for option, keep in zip(options, reversed(wanted), strict=True):
        total = _add(total, option, keep)
    return total.get(0)


@lru_cache(maxsize=1000)
def _mixtures(symbol: str, n: int, states: tuple[int, ...]) -> Sums:
    """Every total charge that n atoms of an element can have if each of them may have any of the states."""
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
    """Ions as a text, cations first: (("O", -2), ("Pb", 2), ("Pb", 4)) -> "Pb2+ Pb4+ O2-"."""
    return " ".join(_ion(s, q) for s, q in sorted(ions, key=lambda ion: (ion[1] < 0, ion)))


def _ion(symbol: str, charge: int) -> str:
    return f"{symbol}{abs(charge) if abs(charge) > 1 else ''}{'+' if charge > 0 else '-'}"
