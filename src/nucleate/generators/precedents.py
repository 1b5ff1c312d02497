"""Precedents: space groups and Wyckoff positions of known crystals, which new crystals may take over.

The elements of a crystal say more about its symmetry than statistics of positions do, because compounds of similar
elements in the same ratio are often isotypic. So known crystals with the ratio of a composition propose their space
groups and positions. The weight of a proposal falls with the distance of the compositions, similar to templates in
CSPML (Kusaba et al., Comput. Mater. Sci. 211, 111496 (2022)). Coordinates and cells are not used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.distance import number_profiles, on_scale
from nucleate.chem.elements import atomic_number
from nucleate.crystal.assignments import Assignment
from nucleate.crystal.wyckoff import get_space_group
from nucleate.generators.substitute import element_distances
from nucleate.library.filters import rows_of_anonymous
from nucleate.library.sites import read_sites

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.library.library import Library

    Rows = NDArray[np.int64]
    Floats = NDArray[np.float64]

REACH = 0.7  # steps on the modified Pettifor scale, over which the weight of a known crystal falls by a factor e
HIGHEST = 0.2  # eV/atom above the hull; crystals higher than this are no precedents
MIN_WEIGHT = 1e-3  # relative to the largest weight; smaller ones are left out
BLOCK = 4096  # crystals whose distances are computed at once
Occupied = tuple[int, Assignment]  # a space group, and (element, Wyckoff letter) of each site
Counts = tuple[tuple[str, int], ...]  # of elements, sorted by symbol


@dataclass(frozen=True, eq=False)
class Precedents:
    """The crystals of a library as precedents, without those that are hidden in it.

    Those that are known to lie more than `highest` eV/atom above the hull propose nothing, and those neither that the
    library keeps with less symmetry than they have within 0.1 angstrom. With both the choice is worse
    (`benchmarks/choices.py`).

    Their Wyckoff letters are those of the canonical form (`crystal.canonical`).
    """

    library: Library
    highest: float = HIGHEST

    def of_composition(self, composition: Mapping[str, int], reach: float = REACH) -> dict[Occupied, float]:
        """Space groups and sites that known crystals propose for the atoms of a primitive cell -> weight.

        The weight is the sum of exp(-d / reach) over the crystals that make the proposal, where d is the element
        mover's distance of the compositions. It is empty if no known crystal has these numbers of atoms. Each element
        takes the sites of the most similar one with as many atoms.
        """
        if not on_scale(composition):
            return {}
        own = tuple(sorted(composition.items()))
        table = self.library.table
        rows = self._seen(rows_of_anonymous(table, tuple(n for _, n in own)))
        rows = rows[table.num_atoms[rows] == sum(composition.values())]
        if not len(rows):
            return {}
        ours = number_profiles(_numbers(own)[None], np.array([[n for _, n in own]]))
        away = np.abs(number_profiles(table.elements[rows], table.counts[rows]) - ours).sum(1)
        near = np.nan_to_num(away, nan=np.inf) <= np.nanmin(away) - reach * math.log(MIN_WEIGHT)
        rows, away = rows[near], away[near]
        return self._proposals(own, rows, self._roles(own, rows, table.counts), away, reach)

    def of_sites(
        self, sites: Mapping[str, int], space_group: int | None, max_atoms: int, reach: float = REACH
    ) -> dict[Occupied, float]:
        """As `of_composition`, for given numbers of sites and an open composition: by crystals with these numbers of
        sites and at most max_atoms atoms in the cell. d is the distance of a crystal from itself with the new
        elements."""
        own = tuple(sorted(sites.items()))
        rows = self._rows(len(own), space_group, max_atoms)
        numbers = self.library.table.num_sites
        wanted = np.sort(np.array([n for _, n in own]))
        alike = np.sort(numbers[rows], axis=1)[:, numbers.shape[1] - len(own) :]
        return self._as_made_of(own, rows[(alike == wanted).all(1)], numbers, reach)

    def of_system(
        self, elements: Iterable[str], space_group: int | None, max_atoms: int, reach: float = REACH
    ) -> dict[Occupied, float]:
        """As `of_sites`, if only the elements are given: by all crystals with as many elements."""
        own = tuple((e, 1) for e in sorted(elements))
        rows = self._rows(len(own), space_group, max_atoms)
        return self._as_made_of(own, rows, np.minimum(self.library.table.counts, 1), reach)

    def _rows(self, num_elements: int, space_group: int | None, max_atoms: int) -> Rows:
        table = self.library.table
        kept = (table.num_elements == num_elements) & (table.num_atoms <= max_atoms)
        if space_group is not None:
            kept &= table.space_group == space_group
        return self._seen(np.flatnonzero(kept))

    def _seen(self, rows: Rows) -> Rows:
        table = self.library.table
        low = ~(table.e_above_hull[rows] > self.highest)  # also where it is not known
        return self.library.seen(rows[low & (table.space_group[rows] == table.near_space_group[rows])])

    def _as_made_of(self, own: Counts, rows: Rows, counts: NDArray[np.uint8], reach: float) -> dict[Occupied, float]:
        """The proposals of crystals after their elements have been replaced by those of `own`: each by the most similar
        one with the same count. counts: of the elements of all crystals, of atoms or of sites."""
        if not len(rows) or not on_scale(dict(own)):
            return {}
        table, roles = self.library.table, self._roles(own, rows, counts)
        away = np.empty(len(rows))
        for start in range(0, len(rows), BLOCK):
            some = rows[start : start + BLOCK]
            atoms = table.counts[some][:, : len(own)]
            new = number_profiles(_numbers(own)[roles[start : start + BLOCK]], atoms)
            away[start : start + BLOCK] = np.abs(new - number_profiles(table.elements[some], table.counts[some])).sum(1)
        return self._proposals(own, rows, roles, away, reach)

    def _roles(self, own: Counts, rows: Rows, counts: NDArray[np.uint8]) -> NDArray[np.int8]:
        """(n, E): which of the E elements of `own` takes the place of each element of the crystals `rows`.

        The elements have the same counts, and the sum of their distances on the modified Pettifor scale is the smallest
        that is possible. All permutations are tried: crystals of more than seven elements are rare.
        """
        theirs, numbers = self.library.table.elements[rows][:, : len(own)], counts[rows][:, : len(own)]
        cost = element_distances()[theirs][:, :, _numbers(own)]
        fits = numbers[:, :, None] == np.array([n for _, n in own])
        cost = np.where(fits, cost, np.inf)
        best, roles = np.full(len(rows), np.inf), np.zeros((len(rows), len(own)), dtype=np.int8)
        for order in permutations(range(len(own))):
            total = cost[:, range(len(own)), order].sum(1)
            better = total < best
            best[better], roles[better] = total[better], order
        return roles

    def _proposals(
        self, own: Counts, rows: Rows, roles: NDArray[np.int8], away: Floats, reach: float
    ) -> dict[Occupied, float]:
        """Each proposal with the sum of the weights of the crystals that make it; crystals without a distance have
        none. They come in the order of the first crystal that makes them."""
        weights = np.nan_to_num(np.exp(-away / reach))
        rows, roles, weights = rows[weights > 0], roles[weights > 0], weights[weights > 0]
        table = self.library.table
        texts, places = table.sites_of(rows)
        keys = np.column_stack([table.space_group[rows], places, roles])
        keys, first, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        totals = np.bincount(which.ravel(), weights, minlength=len(keys))
        out: dict[Occupied, float] = {}
        for i in np.argsort(first):
            number, place, *role = keys[i].tolist()
            proposal = number, _occupied(number, texts[place], [own[k][0] for k in role])
            out[proposal] = out.get(proposal, 0.0) + float(totals[i])
        return out


def _occupied(space_group: int, text: str, elements: list[str]) -> Assignment:
    """The sites that a text of the library names (`library.sites`), of these elements in its order."""
    positions = get_space_group(space_group).positions
    by_element = read_sites(space_group, text)
    return tuple(sorted((e, positions[k].letter) for e, own in zip(elements, by_element, strict=True) for k in own))


def _numbers(own: Counts) -> NDArray[np.int64]:
    return np.array([atomic_number(e) for e, _ in own])
