"""Which elements of a crystal are anions, as the MP2020 corrections need to know.

It is decided by the first of three sources that gives an answer: the oxidation states that the structure carries; the
likeliest oxidation states that add up to zero; and the bonds, where an element is an anion if its nearest neighbours
are less electronegative than it is, as pymatgen tells sulfides from sulfates. If none gives an answer, it is not known.
It is not known either where the likeliest states of a halogen contradict its bonds, for instance in many perchlorates,
where they make chlorine an anion although it is bonded to oxygen.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.composition import reduced
from nucleate.chem.elements import atomic_number

if TYPE_CHECKING:
    from pymatgen.core import Structure

SHELL = 0.4  # angstrom; atoms up to this much farther than the nearest one count as nearest neighbours
MAX_NEAREST = 4  # nearest neighbours that are compared
BONDED = 1.2  # two atoms are bonded up to this multiple of the sum of their covalent radii
BOND_REACH = 3.5  # angstrom; no bond of a halogen to oxygen, fluorine or another halogen is longer
REACHES = (4.0, 8.0, 16.0)  # angstrom; neighbours are looked for within the first of these in which there are any
NEUTRAL = 1e-3  # elementary charges per atom; given states with a smaller sum count as neutral

Sums = dict[int, int]  # total charge of an element's atoms -> score of the likeliest states that have this total


def carried_states(structure: Structure) -> dict[str, float]:
    """Mean oxidation state of each element by the states that the sites of the structure carry.

    {} unless every site has a state, the states add up to zero, and not all of them are zero.
    """
    carried: dict[str, list[float | None]] = {}
    for site in structure:
        carried.setdefault(site.specie.symbol, []).append(getattr(site.specie, "oxi_state", None))
    states = {e: [float(q) for q in values if q is not None] for e, values in carried.items()}
    if any(len(states[e]) < len(carried[e]) for e in carried):
        return {}
    total = sum(sum(values) for values in states.values())
    most = max(abs(q) for values in states.values() for q in values)
    if most == 0 or abs(total) > NEUTRAL * len(structure):
        return {}
    return {e: sum(values) / len(values) for e, values in states.items()}


def likeliest_states(counts: Mapping[str, int]) -> dict[str, float]:
    """Mean oxidation state of each element in the likeliest states that add up to zero; {} where none do.

    counts: symbol -> atoms. The states, their scores (occurrences in the ICSD, summed over the atoms) and the choice
    among equal scores are those of pymatgen's `Composition.oxi_state_guesses`. That function lists all combinations
    and gives up on large formulas; here the possible total charges are combined element by element, for any number of
    atoms.
    """
    return dict(_likeliest(tuple(reduced(counts).items())))


@lru_cache(maxsize=65_536)
def _likeliest(counts: tuple[tuple[str, int], ...]) -> tuple[tuple[str, float], ...]:
    each = [_sums(element, n) for element, n in counts]
    tails: list[Sums] = [{0: 0}]  # tails[i]: best scores of all elements from the i-th to the last
    for own in reversed(each):
        tails.insert(0, _added(tails[0], own))
    if 0 not in tails[0]:
        return ()
    out, charge = [], 0
    for (element, n), own, here, rest in zip(counts, each, tails[:-1], tails[1:], strict=True):
        total = next(q for q, s in own.items() if charge - q in rest and rest[charge - q] + s == here[charge])
        out.append((element, total / n))
        charge -= total
    return tuple(out)


@lru_cache(maxsize=8192)
def _sums(element: str, n: int) -> Sums:
    """The total charges that n atoms of an element can have, each with its best score."""
    from pymatgen.core import Element

    known = Element(element)
    occurrences = _occurrences()
    states = [int(q) for q in known.icsd_oxidation_states or known.common_oxidation_states]
    one = {q: occurrences.get((element, q), 0) for q in states}
    total: Sums = {0: 0}
    for _ in range(n):
        total = _added(total, one)
    return total


def _added(a: Sums, b: Sums) -> Sums:
    """All sums of a total charge from a and one from b, each with its best score."""
    out: Sums = {}
    for p, first in a.items():
        for q, second in b.items():
            if out.get(p + q, -1) < first + second:
                out[p + q] = first + second
    return out


@lru_cache(maxsize=1)
def _occurrences() -> dict[tuple[str, int], int]:
    """(element, oxidation state) -> how often it occurs in the ICSD, from pymatgen's table."""
    from pymatgen.core import Composition

    if Composition.oxi_prob is None:
        Composition("NaCl").oxi_state_guesses()  # which loads the table
    table = Composition.oxi_prob or {}
    return {(s.symbol, int(s.oxi_state)): int(n) for s, n in table.items() if s.oxi_state is not None}


@lru_cache(maxsize=256)
def pymatgen_electronegativity(element: str) -> float | None:
    """Pauling electronegativity of an element as pymatgen has it; None where there is none, as for helium."""
    from pymatgen.core import Element

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = float(Element(element).X)
    return None if math.isnan(value) else value


def anions_by_bonds(structure: Structure, elements: Iterable[str]) -> dict[str, bool | None]:
    """Whether each element is an anion by the electronegativities of its nearest neighbours; None where not known.

    It is not known if there are neighbours of the same element or without an electronegativity, if the neighbours have
    the same mean electronegativity, and if the sites of the element disagree.
    """
    out: dict[str, bool | None] = {}
    for element in elements:
        answers = {_site_is_anion(structure, k) for k, s in enumerate(structure) if s.specie.symbol == element}
        out[element] = answers.pop() if len(answers) == 1 else None
    return out


def oxidised(structure: Structure, halogen: str) -> bool | None:
    """Whether a halogen is bonded to a more electronegative element, as in a perchlorate: True if all of its sites are,
    False if none is, None if they differ."""
    from nucleate.crystal.geometry import element_radii

    own, radii = pymatgen_electronegativity(halogen) or 0.0, element_radii()
    answers = set()
    for site in structure:
        if site.specie.symbol == halogen:
            near = [(n.specie.symbol, n.nn_distance) for n in structure.get_neighbors(site, BOND_REACH)]
            higher = [(e, d) for e, d in near if (pymatgen_electronegativity(e) or 0.0) > own]
            answers.add(any(d <= BONDED * (radii[atomic_number(e)] + radii[atomic_number(halogen)]) for e, d in higher))
    return answers.pop() if len(answers) == 1 else None


def _site_is_anion(structure: Structure, site: int) -> bool | None:
    own = pymatgen_electronegativity(structure[site].specie.symbol)
    found = next((f for r in REACHES if (f := structure.get_neighbors(structure[site], r))), None)
    if found is None or own is None:
        return None
    near = sorted(found, key=lambda n: n.nn_distance)
    near = [n for n in near if n.nn_distance < near[0].nn_distance + SHELL][:MAX_NEAREST]
    others = [pymatgen_electronegativity(n.specie.symbol) for n in near]
    values = [x for x in others if x is not None]
    if len(values) < len(others) or structure[site].specie.symbol in {n.specie.symbol for n in near}:
        return None
    mean = float(np.mean(values))
    return None if mean == own else mean < own
