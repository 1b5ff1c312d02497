"""How likely ions are to take each other's place, as known crystals show it.

Hautier et al., Inorg. Chem. 50, 656 (2011): a probability for each pair of ions, fitted to compounds of the ICSD that
have one structure type. The table is the one that pymatgen ships; pairs that were never seen count as exp(-5) there.
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


def charges(compositions: Sequence[Mapping[str, int]]) -> list[dict[str, int] | None]:
    """Charge of each element in each composition, rounded where it is mixed, by the network of oxidation states
    (`stages.oxidation`); None where that has no answer, as for alloys."""
    from nucleate.chem.checks import kind_without_ions
    from nucleate.stages.oxidation import assign, shipped_model

    known = shipped_model().elements
    asked = [i for i, c in enumerate(compositions) if set(c) <= set(known) and not kind_without_ions(list(c))]
    out: list[dict[str, int] | None] = [None] * len(compositions)
    formulas = ["".join(f"{s}{n}" for s, n in compositions[i].items()) for i in asked]
    for i, states in zip(asked, assign(formulas), strict=True):
        out[i] = {s: round(state.mean) for s, state in states.items()}
    return out


def log_likelihood(pairs: Iterable[tuple[str, int, str, int]]) -> float | None:
    """log10 of the probability that known ions give way to others, added up over the pairs.

    pairs: (element, charge, element in its place, its charge). Each factor is the probability of the new ion, given
    the old one. None where the table does not have one of the old ions.
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
