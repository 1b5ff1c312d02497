"""Which elements of a crystal are anions: what the MP2020 corrections ask of a crystal beside its composition.

Three sources answer, the first that can. States that the structure carries; else the likeliest oxidation states that
add up to zero; else, where none do, the bonds: an element is an anion if its nearest neighbours are less
electronegative than it is, as pymatgen tells sulfides from sulfates. Where these do not say either, it is not known,
nor where the likeliest states call a halogen an anion that is bonded to oxygen, as in many a perchlorate, or the
reverse.
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

SHELL = 0.4  # angstrom beyond the shortest distance in which atoms are nearest neighbours
NEAREST = 4  # of them are asked at most
BONDED = 1.2  # times the sum of covalent radii: up to here two atoms are bonded
BOND_REACH = 3.5  # angstrom, no bond of a halogen to oxygen, fluorine or another halogen is longer
REACH = (4.0, 8.0, 16.0)  # angstrom: how far neighbours are looked for
NEUTRAL = 1e-3  # charge of an atom within which given states add up to zero

Sums = dict[int, int]  # total charge of an element's atoms -> score of the likeliest states with it


def carried_states(structure: Structure) -> dict[str, float]:
    """Mean oxidation state of each element by the states of the sites; {} where they do not say.

    They say it if every site has one, they add up to zero, and not all of them are zero.
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

    counts: symbol -> atoms. The states, their scores (occurrences in the ICSD, added up over the atoms) and the order
    among equals are those of pymatgen's `Composition.oxi_state_guesses`, which lists all combinations and so gives up
    on large formulas. Here the reachable charges are added up element by element, for any number of atoms.
    """
    return dict(_likeliest(tuple(reduced(counts).items())))


@lru_cache(maxsize=65_536)
def _likeliest(counts: tuple[tuple[str, int], ...]) -> tuple[tuple[str, float], ...]:
    each = [_sums(element, n) for element, n in counts]
    ends: list[Sums] = [{0: 0}]  # from the last element backwards: the best scores of the elements from here on
    for own in reversed(each):
        ends.insert(0, _added(ends[0], own))
    if 0 not in ends[0]:
        return ()
    out, charge = [], 0
    for (element, n), own, here, rest in zip(counts, each, ends[:-1], ends[1:], strict=True):
        total = next(q for q, s in own.items() if charge - q in rest and rest[charge - q] + s == here[charge])
        out.append((element, total / n))
        charge -= total
    return tuple(out)


@lru_cache(maxsize=8192)
def _sums(element: str, n: int) -> Sums:
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
    """All sums of a charge of one and a charge of the other, with the best score of each."""
    out: Sums = {}
    for p, first in a.items():
        for q, second in b.items():
            if out.get(p + q, -1) < first + second:
                out[p + q] = first + second
    return out


@lru_cache(maxsize=1)
def _occurrences() -> dict[tuple[str, int], int]:
    """(element, state) -> how often it occurs in the ICSD, pymatgen's table."""
    from pymatgen.core import Composition

    if Composition.oxi_prob is None:
        Composition("NaCl").oxi_state_guesses()  # which loads the table
    table = Composition.oxi_prob or {}
    return {(s.symbol, int(s.oxi_state)): int(n) for s, n in table.items() if s.oxi_state is not None}


@lru_cache(maxsize=256)
def electronegativity(element: str) -> float | None:
    """Pauling's, as the scheme of the corrections takes it; None where there is none, as for helium."""
    from pymatgen.core import Element

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = float(Element(element).X)
    return None if math.isnan(value) else value


def anions_by_bonds(structure: Structure, elements: Iterable[str]) -> dict[str, bool | None]:
    """Whether each element is an anion by the electronegativities of its nearest neighbours; None: not known.

    Not known: neighbours of its own kind, of the same electronegativity or of none, and sites that disagree.
    """
    out: dict[str, bool | None] = {}
    for element in elements:
        answers = {_site_is_anion(structure, k) for k, s in enumerate(structure) if s.specie.symbol == element}
        out[element] = answers.pop() if len(answers) == 1 else None
    return out


def oxidised(structure: Structure, halogen: str) -> bool | None:
    """Whether a halogen is bonded to something more electronegative, as in a perchlorate: all of its sites (True), or
    none (False); None where they differ."""
    from nucleate.crystal.geometry import element_radii

    own, radii = electronegativity(halogen) or 0.0, element_radii()
    answers = set()
    for site in structure:
        if site.specie.symbol == halogen:
            near = [(n.specie.symbol, n.nn_distance) for n in structure.get_neighbors(site, BOND_REACH)]
            higher = [(e, d) for e, d in near if (electronegativity(e) or 0.0) > own]
            answers.add(any(d <= BONDED * (radii[atomic_number(e)] + radii[atomic_number(halogen)]) for e, d in higher))
    return answers.pop() if len(answers) == 1 else None


def _site_is_anion(structure: Structure, site: int) -> bool | None:
    own = electronegativity(structure[site].specie.symbol)
    found = next((f for r in REACH if (f := structure.get_neighbors(structure[site], r))), None)
    if found is None or own is None:
        return None
    near = sorted(found, key=lambda n: n.nn_distance)
    near = [n for n in near if n.nn_distance < near[0].nn_distance + SHELL][:NEAREST]
    others = [electronegativity(n.specie.symbol) for n in near]
    values = [x for x in others if x is not None]
    if len(values) < len(others) or structure[site].specie.symbol in {n.specie.symbol for n in near}:
        return None
    mean = float(np.mean(values))
    return None if mean == own else mean < own
