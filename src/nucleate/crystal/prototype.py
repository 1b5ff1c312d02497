"""Do two crystals have one structure type, whatever their elements? Cheap enough to ask it of thousands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.convert import species_numbers
from nucleate.crystal.symmetry import UNKNOWN, find_symmetry, without_hand

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

SYMPREC = 0.1  # angstrom
NEIGHBOURS = 12
CUTOFF = 1.9  # in units of (V/N)^(1/3); a sphere of that radius holds about 29 atoms
# Largest mean difference of the neighbour distances of an element, in that unit. Of 300 pairs from MP-20 with the same
# sites StructureMatcher calls 226 of the 238 below it the same structure, and 16 of the 62 above.
CLOSE = 0.1


@dataclass(frozen=True, eq=False)
class Prototype:
    """What of a crystal does not depend on its size, its setting and the names of its elements.

    space_group: number, 0 where the search fails. num_atoms: in the primitive cell. sites: atomic number -> the site
    symmetries of its atoms there, with how many have each. distances: atomic number -> (NEIGHBOURS,), see
    `neighbour_distances`.
    """

    space_group: int
    num_atoms: int
    sites: Mapping[int, tuple[tuple[str, int], ...]]
    distances: Mapping[int, NDArray[np.float64]]


def prototype(structure: Structure) -> Prototype:
    """The prototype of an ordered crystal; pymatgen's errors on impossible cells pass through."""
    numbers = species_numbers(structure)
    kinds = [int(z) for z in np.unique(numbers)]
    distances = dict(zip(kinds, neighbour_distances(structure), strict=True))
    try:
        found = find_symmetry(structure.lattice.matrix, structure.frac_coords, numbers, SYMPREC)
    except ValueError:
        counts = {z: (("", int((numbers == z).sum())),) for z in kinds}
        return Prototype(UNKNOWN[0], len(structure), counts, distances)
    size = len(found.prim_std_cell.numbers)
    copies = len(structure) / size
    # the same site may be written "mm2.." or "m2m.", by the choice of axes
    symbols = ["".join(sorted(s.replace(".", ""))) for s in found.site_symmetry_symbols]
    sites = {}
    for z in kinds:
        counted = Counter(s for s, number in zip(symbols, numbers, strict=True) if number == z)
        sites[z] = tuple(sorted((s, round(n / copies)) for s, n in counted.items()))
    return Prototype(found.number, size, sites, distances)


def alike(a: Prototype, b: Prototype, roles: Mapping[int, int]) -> bool:
    """Whether two crystals have one structure type; roles: atomic number in `a` -> the one in its place in `b`.

    The space groups (those of mirror images are one), the site symmetries and the neighbour distances (volume scaled
    away) must agree; the distances tell apart what has the same sites, such as pyrite and solid carbon dioxide.
    """
    if (
        without_hand(a.space_group) != without_hand(b.space_group)
        or a.num_atoms != b.num_atoms
        or set(roles) != set(a.sites)
    ):
        return False
    if any(a.sites[x] != b.sites.get(y) for x, y in roles.items()):
        return False
    return all(float(np.abs(a.distances[x] - b.distances[y]).mean()) <= CLOSE for x, y in roles.items())


def neighbour_distances(structure: Structure) -> NDArray[np.float64]:
    """For each element, by atomic number, the mean over its atoms of the sorted distances to the next NEIGHBOURS
    neighbours, in units of (V/N)^(1/3): (elements, NEIGHBOURS); CUTOFF where there are fewer within it."""
    unit = (structure.volume / len(structure)) ** (1 / 3)
    center, _, _, distance = structure.get_neighbor_list(r=CUTOFF * unit)
    order = np.lexsort((distance, center))
    center, distance = center[order], distance[order] / unit
    start = np.searchsorted(center, np.arange(len(structure)))
    rank = np.arange(len(center)) - start[center]
    rows = np.full((len(structure), NEIGHBOURS), CUTOFF)
    near = rank < NEIGHBOURS
    rows[center[near], rank[near]] = distance[near]
    numbers = species_numbers(structure)
    return np.array([rows[numbers == z].mean(0) for z in np.unique(numbers)])
