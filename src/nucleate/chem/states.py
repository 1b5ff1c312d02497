"""SMACT's tables of the elements: oxidation states, how often the ICSD reports each, and electronegativities.

Source: Davies et al., J. Open Source Softw. 4, 1361 (2019). Elements that SMACT does not know have no values.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from nucleate.errors import NucleateError

# Sets of oxidation states. "icsd24": SMACT's set of this name; if one state for each element is not enough, atoms of an
# element may have different states. "smact14": SMACT's set of 2014 with one state for each element, by which published
# papers count. "icsd24-3": states that the ICSD reports at least three times, with one state for each element; this is
# the default of SMACT 3 and 4.
STATE_SETS = ("icsd24", "smact14", "icsd24-3")
MIXED_VALENCE = frozenset({"icsd24"})


def require_state_set(states: str) -> str:
    """`states` if it is the name of a set of oxidation states; raises NucleateError for another name."""
    if states not in STATE_SETS:
        raise NucleateError(
            f"the set of oxidation states must be {', '.join(STATE_SETS[:-1])} or {STATE_SETS[-1]}, not '{states}'"
        )
    return states


@lru_cache(maxsize=1000)
def states_of(symbol: str, states: str) -> tuple[int, ...]:
    """The oxidation states of an element in one of `STATE_SETS`; empty if it has none."""
    if states == "smact14":
        return tuple(getattr(_element(symbol), "oxidation_states_smact14", None) or ())
    if states == "icsd24-3":
        return _reported_thrice().get(symbol, ())
    from smact.data_loader import lookup_element_oxidation_states_icsd24

    return tuple(lookup_element_oxidation_states_icsd24(symbol) or ())


@lru_cache(maxsize=200)
def pauling_electronegativity(symbol: str) -> float | None:
    """The electronegativity of an element on Pauling's scale; None for He, Ne, Ar, Pm, Rn and from Lr on."""
    return getattr(_element(symbol), "pauling_eneg", None)


def writing_order(symbol: str) -> tuple[float, str]:
    """A key for sorting elements in the order of formulas: by electronegativity, elements without a value last."""
    chi = pauling_electronegativity(symbol)
    return math.inf if chi is None else chi, symbol


@lru_cache(maxsize=1)
def smact_metals() -> frozenset[str]:
    """The elements that SMACT counts as metals. A compound of these only is an intermetallic."""
    import smact

    return frozenset(smact.metals)


@lru_cache(maxsize=1)
def mixing_elements() -> frozenset[str]:
    """The elements whose atoms may have different oxidation states in one compound, according to SMACT."""
    from smact.screening import MIXED_VALENCE_ELEMENTS

    return frozenset(MIXED_VALENCE_ELEMENTS)


@lru_cache(maxsize=2000)
def log_share(symbol: str, charge: int) -> float:
    """The logarithm of the share of this oxidation state among all that the ICSD reports for the element."""
    counts = icsd_reports(symbol)
    return math.log(max(counts.get(charge, 0), 0.5) / max(sum(counts.values()), 1))


def icsd_reports(symbol: str) -> dict[int, int]:
    """Oxidation state -> how often the ICSD reports the element in it."""
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
    except (KeyError, NameError):  # elements after lawrencium
        return None
