"""Oxidation states, how often they are reported, and electronegativities of the elements: SMACT's tables.

Davies et al., J. Open Source Softw. 4, 1361 (2019). Elements that SMACT does not know have none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from nucleate.errors import NucleateError

# "icsd24": what SMACT calls so, and a whole number of atoms of an element in each of several states where one state for
# each element is not enough. "smact14": of 2014, one state for each element, as published papers count. "icsd24-3":
# states that the ICSD reports three times or more, one for each element: the default of SMACT 3 and 4.
STATE_SETS = ("icsd24", "smact14", "icsd24-3")
MIXED_VALENCE = frozenset({"icsd24"})


def check_set(states: str) -> str:
    """The name of a set of oxidation states; raises NucleateError for another one."""
    if states not in STATE_SETS:
        raise NucleateError(f"oxidation states are {', '.join(STATE_SETS[:-1])} or {STATE_SETS[-1]}, not '{states}'")
    return states


@lru_cache(maxsize=1000)
def states_of(symbol: str, states: str) -> tuple[int, ...]:
    """Oxidation states of an element in a set of `STATE_SETS`, () where it has none."""
    if states == "smact14":
        return tuple(getattr(_element(symbol), "oxidation_states_smact14", None) or ())
    if states == "icsd24-3":
        return _reported_thrice().get(symbol, ())
    from smact.data_loader import lookup_element_oxidation_states_icsd24

    return tuple(lookup_element_oxidation_states_icsd24(symbol) or ())


@lru_cache(maxsize=200)
def electronegativity(symbol: str) -> float | None:
    """Pauling's, None where there is none (He, Ne, Ar, Pm, Rn, and from Lr on)."""
    return getattr(_element(symbol), "pauling_eneg", None)


def writing_order(symbol: str) -> tuple[float, str]:
    """Sorts elements as formulas are written: the least electronegative first, those without a value last."""
    chi = electronegativity(symbol)
    return math.inf if chi is None else chi, symbol


@lru_cache(maxsize=1)
def metals() -> frozenset[str]:
    """What SMACT takes for metals; a compound of these alone is an alloy."""
    import smact

    return frozenset(smact.metals)


@lru_cache(maxsize=1)
def mixing_elements() -> frozenset[str]:
    """Elements that may have several states in one compound."""
    from smact.screening import MIXED_VALENCE_ELEMENTS

    return frozenset(MIXED_VALENCE_ELEMENTS)


@lru_cache(maxsize=2000)
def log_share(symbol: str, charge: int) -> float:
    """Logarithm of the share of this state among the element's reports in the ICSD."""
    counts = reports(symbol)
    return math.log(max(counts.get(charge, 0), 0.5) / max(sum(counts.values()), 1))


def reports(symbol: str) -> dict[int, int]:
    """Charge -> how often the ICSD reports the element with it."""
    return _reports().get(symbol, {})


@lru_cache(maxsize=1)
def _reports() -> dict[str, dict[int, int]]:
    from smact.utils.oxidation import ICSD24OxStatesFilter

    table = ICSD24OxStatesFilter().ox_states_df
    out: dict[str, dict[int, int]] = {}
    rows: Iterable = zip(table["element"], table["oxidation_state"], table["results_count"], strict=True)
    for element, state, count in rows:
        out.setdefault(element, {})[int(state)] = int(count)
    return out


@lru_cache(maxsize=1)
def _reported_thrice() -> dict[str, tuple[int, ...]]:
    from smact.utils.oxidation import ICSD24OxStatesFilter

    table = ICSD24OxStatesFilter().filter(consensus=3, include_zero=False, commonality="low")
    rows = zip(table["element"], table["oxidation_state"], strict=True)
    return {str(element): tuple(int(q) for q in str(states).split()) for element, states in rows}


def _element(symbol: str) -> Any:
    from smact import Element

    try:
        return Element(symbol)
    except (KeyError, NameError):  # beyond lawrencium
        return None
