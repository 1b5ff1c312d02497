"""Whether two crystals have the same structure type, whatever their elements are; fast enough for many thousands."""

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
CUTOFF = 1.9  # in units of (V/N)^(1/3); a sphere of that radius contains about 29 atoms
# The largest mean difference of the neighbour distances of an element in crystals of the same type, in that unit. Of
# 300 pairs from MP-20 with equal sites, 238 are below it, of which StructureMatcher calls 226 the same structure, and
# 62 are above it, of which it calls 16 the same.
CLOSE = 0.1


@dataclass(frozen=True, eq=False)
class Prototype:
    """Features of a crystal that do not depend on its volume, the choice of its cell, and which elements it has.

    space_group: its number, 0 if none is found. num_atoms: in the primitive cell. sites: atomic number -> (site
    symmetry, number of atoms with it) in the primitive cell. distances: atomic number -> (NEIGHBOURS,), as
    `neighbour_distances` gives them.
    """

    space_group: int
    num_atoms: int
    sites: Mapping[int, tuple[tuple[str, int], ...]]
    distances: Mapping[int, NDArray[np.float64]]


def prototype_of(structure: Structure) -> Prototype:
    """The prototype of an ordered crystal. Raises NucleateError as `species_numbers` does, and pymatgen's own errors
    for impossible cells."""
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
    symbols = [site_symbol(s) for s in found.site_symmetry_symbols]
    sites = {}
    for z in kinds:
        counted = Counter(s for s, number in zip(symbols, numbers, strict=True) if number == z)
        sites[z] = tuple(sorted((s, round(n / copies)) for s, n in counted.items()))
    return Prototype(found.number, size, sites, distances)


def site_symbol(oriented: str) -> str:
    """A symbol of site symmetry without its orientation: a site may be written "mm2.." or "m2m.", by the choice of
    axes."""
    return "".join(sorted(oriented.replace(".", "")))


def same_prototype(a: Prototype, b: Prototype, roles: Mapping[int, int]) -> bool:
    """Whether two crystals have the same structure type. roles: atomic number in `a` -> the one in its place in `b`.

    Space groups (where those of mirror images count as one), site symmetries and scaled neighbour distances must agree.
    The distances distinguish types with equal sites, such as pyrite and solid carbon dioxide.
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
    """`distances_of_arrays` of an ordered crystal."""
    lattice, frac = structure.lattice.matrix, structure.frac_coords
    return distances_of_arrays(lattice, frac, np.asarray(species_numbers(structure)))


def distances_of_arrays(
    lattice: NDArray[np.float64], frac: NDArray[np.float64], numbers: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Distances to the NEIGHBOURS nearest neighbours, sorted and averaged over the atoms of each element.

    lattice: (3, 3), rows are vectors, angstrom. frac: (n, 3). numbers: (n,), atomic numbers. The result is (elements,
    NEIGHBOURS), with elements by atomic number, in units of (V/N)^(1/3). Missing neighbours count with the distance
    CUTOFF.
    """
    from pymatgen.optimization.neighbors import find_points_in_spheres

    unit = (abs(np.linalg.det(lattice)) / len(numbers)) ** (1 / 3)
    points, box = np.ascontiguousarray(frac @ lattice), np.ascontiguousarray(lattice, dtype=float)
    center, point, image, distance = find_points_in_spheres(
        points, points, r=CUTOFF * unit, pbc=np.ones(3, dtype=np.int64), lattice=box, tol=1e-8
    )
    itself = (center == point) & (image == 0).all(1)
    center, distance = center[~itself], distance[~itself]
    order = np.lexsort((distance, center))
    center, distance = center[order], distance[order] / unit
    start = np.searchsorted(center, np.arange(len(numbers)))
    rank = np.arange(len(center)) - start[center]
    rows = np.full((len(numbers), NEIGHBOURS), CUTOFF)
    near = rank < NEIGHBOURS
    rows[center[near], rank[near]] = distance[near]
    return np.array([rows[numbers == z].mean(0) for z in np.unique(numbers)])
