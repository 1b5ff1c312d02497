"""Precedents: space groups and Wyckoff positions of known crystals, which new crystals may take over.

The elements of a crystal say more about its symmetry than statistics of positions do, because compounds of similar
elements in the same ratio are often isotypic. So known crystals with the ratio of a composition propose their space
groups and positions. The weight of a proposal falls with the distance of the compositions, similar to templates in
CSPML (Kusaba et al., Comput. Mater. Sci. 211, 111496 (2022)). Coordinates and cells are not used.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.distance import cumulative_profiles, on_scale, profile_distances
from nucleate.crystal.assignments import Assignment
from nucleate.crystal.orbits import site_sizes
from nucleate.crystal.wyckoff import get_space_group
from nucleate.errors import NucleateError
from nucleate.generators.substitute import assign_elements

if TYPE_CHECKING:
    from numpy.typing import NDArray

REACH = 0.7  # steps on the modified Pettifor scale, over which the weight of a known crystal falls by a factor e
MIN_WEIGHT = 1e-3  # relative to the largest weight; smaller ones are left out
SHIPPED = Path(__file__).parent.parent / "reference" / "precedents.parquet"
Occupied = tuple[int, Assignment]  # a space group, and (element, Wyckoff letter) of each site
Counts = tuple[tuple[str, int], ...]  # of elements, sorted by symbol


@dataclass(frozen=True, eq=False)
class Precedents:
    """n known crystals.

    cells: the atoms of each in the primitive cell. occupied: the space group and the sites of each. by_atoms: numbers
    of atoms of the elements, sorted -> indices of the crystals that have these. by_sites: the same for numbers of
    sites.
    """

    cells: tuple[Counts, ...]
    occupied: tuple[Occupied, ...]
    by_atoms: Mapping[tuple[int, ...], list[int]]
    by_sites: Mapping[tuple[int, ...], list[int]]

    @classmethod
    def of(cls, crystals: Iterable[Occupied]) -> Precedents:
        """From the space group and the sites of each crystal."""
        known = tuple((number, tuple(sites)) for number, sites in crystals)
        cells = tuple(_atoms(*k) for k in known)
        by_atoms: dict[tuple[int, ...], list[int]] = {}
        by_sites: dict[tuple[int, ...], list[int]] = {}
        for i, (cell, (_, sites)) in enumerate(zip(cells, known, strict=True)):
            by_atoms.setdefault(_numbers(cell), []).append(i)
            by_sites.setdefault(_numbers(_sites(sites)), []).append(i)
        return cls(cells, known, by_atoms, by_sites)

    @cached_property
    def profiles(self) -> NDArray[np.float64]:
        """Profiles of the compositions (n, 102), see `chem.distance.cumulative_profiles`."""
        return cumulative_profiles([dict(cell) for cell in self.cells])

    def __len__(self) -> int:
        return len(self.cells)

    def of_composition(self, composition: Mapping[str, int], reach: float = REACH) -> dict[Occupied, float]:
        """Space groups and sites that known crystals propose for the atoms of a primitive cell -> weight.

        The weight is the sum of exp(-d / reach) over the crystals that make the proposal, where d is the element
        mover's distance of the compositions. It is empty if no known crystal has these numbers of atoms. Each element
        takes the sites of the most similar one (`substitute.assign_elements`).
        """
        own = tuple(sorted(composition.items()))
        rows = np.array(self.by_atoms.get(_numbers(own), []), dtype=int)
        if not len(rows) or not on_scale(composition):
            return {}
        away = profile_distances(cumulative_profiles([composition]), self.profiles[rows])[0]
        near = np.flatnonzero(np.nan_to_num(away, nan=np.inf) <= np.nanmin(away) - reach * math.log(MIN_WEIGHT))
        proposed = [_replaced(self.occupied[i], assign_elements(self.cells[i], own)) for i in rows[near]]
        return _heard(proposed, away[near], reach)

    def of_sites(
        self, sites: Mapping[str, int], space_group: int | None, max_atoms: int, reach: float = REACH
    ) -> dict[Occupied, float]:
        """As `of_composition`, for given numbers of sites and an open composition: by crystals with these numbers of
        sites and at most max_atoms atoms in the cell. d is the distance of a crystal from itself with the new
        elements."""
        own = tuple(sorted(sites.items()))
        rows = self._within(self.by_sites.get(_numbers(own), []), space_group, max_atoms)
        return self._as_made_of(own, [_sites(self.occupied[i][1]) for i in rows], rows, reach)

    def of_system(
        self, elements: Iterable[str], space_group: int | None, max_atoms: int, reach: float = REACH
    ) -> dict[Occupied, float]:
        """As `of_sites`, if only the elements are given: by all crystals with as many elements."""
        own = tuple((e, 1) for e in sorted(elements))
        alike = [i for i, cell in enumerate(self.cells) if len(cell) == len(own)]
        rows = self._within(alike, space_group, max_atoms)
        return self._as_made_of(own, [tuple((e, 1) for e, _ in self.cells[i]) for i in rows], rows, reach)

    def _within(self, rows: Iterable[int], space_group: int | None, max_atoms: int) -> list[int]:
        return [
            i
            for i in rows
            if space_group in (None, self.occupied[i][0]) and sum(n for _, n in self.cells[i]) <= max_atoms
        ]

    def _as_made_of(
        self, own: Counts, theirs: Sequence[Counts], rows: Sequence[int], reach: float
    ) -> dict[Occupied, float]:
        """The proposals of the crystals `rows` after their elements have been replaced by those of `own`: each by the
        most similar one with the same count. theirs: counts of the elements of each crystal, of atoms or of sites."""
        if not rows or not on_scale(dict(own)):
            return {}
        roles = {counts: assign_elements(counts, own) for counts in set(theirs)}
        proposed = [_replaced(self.occupied[i], roles[counts]) for i, counts in zip(rows, theirs, strict=True)]
        away = np.abs(cumulative_profiles([dict(_atoms(*p)) for p in proposed]) - self.profiles[rows]).sum(1)
        return _heard(proposed, away, reach)


def _heard(proposed: Sequence[Occupied], away: NDArray[np.float64], reach: float) -> dict[Occupied, float]:
    """Each proposal with the sum of the weights of the crystals that make it; crystals without a distance have none."""
    out: dict[Occupied, float] = {}
    for proposal, weight in zip(proposed, np.nan_to_num(np.exp(-away / reach)).tolist(), strict=True):
        if weight > 0:
            out[proposal] = out.get(proposal, 0.0) + weight
    return out


def _replaced(occupied: Occupied, role: Mapping[str, str]) -> Occupied:
    number, sites = occupied
    return number, tuple(sorted((role[element], letter) for element, letter in sites))


def _atoms(number: int, sites: Assignment) -> Counts:
    """Number of atoms of each element in the primitive cell."""
    table, sizes = get_space_group(number), site_sizes(number)
    atoms = Counter[str]()
    for element, letter in sites:
        atoms[element] += sizes[table.index(letter)]
    return tuple(sorted(atoms.items()))


def _sites(sites: Assignment) -> Counts:
    """Number of sites of each element."""
    return tuple(sorted(Counter(element for element, _ in sites).items()))


def _numbers(counts: Counts) -> tuple[int, ...]:
    return tuple(sorted(n for _, n in counts))


@cache
def shipped_precedents() -> Precedents:
    """The precedents of the training split of MP-20 (`scripts/build_precedents.py`)."""
    import pyarrow.parquet as pq

    table = pq.read_table(SHIPPED)
    rows = zip(table.column("space_group").to_pylist(), table.column("sites").to_pylist(), strict=True)
    return Precedents.of((number, read_assignment(text)) for number, text in rows)


def write_sites(sites: Assignment) -> str:
    """(("O", "c"), ("Sr", "a"), ("Ti", "b")) -> "O c, Sr a, Ti b"."""
    return ", ".join(f"{element} {letter}" for element, letter in sites)


def read_assignment(text: str) -> Assignment:
    """The inverse of `write_sites`."""
    parts = [part.split() for part in text.split(", ")]
    if any(len(part) != 2 for part in parts):
        raise NucleateError(f'sites are written as "O c, Sr a, Ti b", not "{text}"')
    return tuple((element, letter) for element, letter in parts)
