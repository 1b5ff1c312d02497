"""The probability that ions replace each other in known crystals.

Hautier et al., Inorg. Chem. 50, 656 (2011), fitted a probability for each pair of ions to compounds of the ICSD with
the same structure type. The table is that of pymatgen, where pairs that never occur have the weight exp(-5).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymatgen.core import Species

SOURCE = "Hautier et al., Inorg. Chem. 50, 656 (2011)"


@cache
def _table() -> Any:
    from pymatgen.core.structure_prediction.substitution_probability import SubstitutionProbability

    return SubstitutionProbability()


def element_charges(compositions: Sequence[Mapping[str, int]]) -> list[dict[str, int] | None]:
    """The charge of each element in each composition by the network of oxidation states (`stages.oxidation`), rounded
    for mixed valence; None for compositions without states, such as alloys."""
    from nucleate.chem.checks import kind_without_ions
    from nucleate.stages.oxidation import assign_oxidation_states, shipped_model

    known = shipped_model().elements
    asked = [i for i, c in enumerate(compositions) if set(c) <= set(known) and not kind_without_ions(list(c))]
    out: list[dict[str, int] | None] = [None] * len(compositions)
    formulas = ["".join(f"{s}{n}" for s, n in compositions[i].items()) for i in asked]
    for i, states in zip(asked, assign_oxidation_states(formulas), strict=True):
        out[i] = {s: round(state.mean) for s, state in states.items()}
    return out


def log_substitution_probability(pairs: Iterable[tuple[str, int, str, int]]) -> float | None:
    """log10 of the probability that ions of known crystals are replaced by others, summed over the pairs.

    pairs: (old element, its charge, new element, its charge). The probability of a pair is that of the new ion, given
    the old one. None if the table lacks one of the old ions.
    """
    total = 0.0
    for old, old_charge, new, new_charge in pairs:
        before, after = _ion(old, old_charge), _ion(new, new_charge)
        if before not in _table().species:
            return None
        total += math.log10(_table().cond_prob(after, before))
    return round(total, 6)


def _ion(element: str, charge: int) -> Species:
    from pymatgen.core import Species

    return Species(element, charge)
