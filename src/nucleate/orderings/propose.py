"""Structures of a formula that are orderings of known crystals of simpler ratios.

Elements of the formula that are alike (`chem.alike`) share the sites of one element of a known crystal, and are put on
them in every way that symmetry tells apart.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.alike import mean_charges
from nucleate.chem.composition import Formula
from nucleate.chem.distance import MODIFIED_PETTIFOR
from nucleate.chem.elements import atomic_number, element_symbol
from nucleate.crystal.orderings import Parent
from nucleate.crystal.symmetry import find_symmetry
from nucleate.errors import NucleateError
from nucleate.orderings.engine import Arrangements, ArrangementSet, arrangements
from nucleate.orderings.ewald import energies_of_charges, ewald_matrix
from nucleate.orderings.parents import KnownParent, parents_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.library.library import Library

    Array = NDArray[np.float64]

SYMPRECS = (0.1, 0.01)  # angstrom, within which a known crystal is symmetric
MAX_ATOMS = 100  # in the cell of an ordering
PARENTS = 10  # known crystals that are tried
# For cells of the smallest size, and of twice that: arrangements that are looked at, and supercells
SIZES = ((4_000, 20), (1_500, 8))
MOST_CELLS = 8  # of the parent in the smallest cell for which cells of twice the size are tried, too
KEPT = 25  # arrangements of a parent and size
ROUGH = 7.0  # the accuracy of energies that put arrangements in order (`ewald.ewald_matrix`)
# What an arrangement loses, in places among those of its parent and size: by each step that the formula of its parent
# is farther away than the nearest one (at most FAR steps), by each parent before it, and by a cell of twice the size.
# Chosen on 67 orderings of the library (benchmarks/orderings.py --seed 2) by how many were among the first 5 and 20.
STEP, FAR, PLACE, TWICE = 2.0, 20.0, 0.3, 3.0
SAME_CHARGE = 0.1  # e; elements whose charges differ by less are told apart by their size alone


@dataclass(frozen=True, eq=False)
class ProposedOrdering:
    """A structure for a formula, and of which known crystal it is an ordering.

    parent, parent_formula: id and formula of the known crystal; substitution: its elements -> those in their places, of
    elements that share sites the commonest. distance: of the formulas, in steps on the modified Pettifor scale. shared:
    the Wyckoff positions of the parent that several elements share, "4c: Ca, Sr"; () where each has positions of its
    own. index: of the space group in that of the parent, before atoms move. space_group: its number. complete: whether
    all arrangements of its parent in cells of its size were looked at.
    """

    structure: Structure
    parent: str
    parent_formula: str
    substitution: Mapping[str, str]
    distance: float
    shared: tuple[str, ...]
    index: int
    space_group: int
    complete: bool


@dataclass(frozen=True, eq=False)
class _Split:
    """A parent with the sites that are shared. symbols: of each group of sites its elements. numbers: atomic numbers of
    the parent's sites. orbits: names of their Wyckoff positions, each with a number of its own."""

    known: KnownParent
    parent: Parent
    symbols: list[list[str]]
    numbers: list[int]
    orbits: list[tuple[int, str]]


@dataclass(frozen=True, eq=False)
class _Found:
    """One arrangement. away: how much farther its parent is than the nearest one, in steps. places: among the parents,
    in the sizes of cells, and among the arrangements of its parent and size."""

    split: _Split
    part: Arrangements
    at: int
    complete: bool
    away: float
    places: tuple[int, int, int]

    @property
    def index(self) -> int:
        return int(self.part.indices[self.at])

    @property
    def score(self) -> tuple[float, tuple[int, int, int]]:
        parent, size, own = self.places
        return STEP * min(self.away, FAR) + PLACE * parent + TWICE * size + own, self.places


def propose_orderings(
    library: Library, composition: Mapping[str, int], count: int = 20, max_atoms: int = MAX_ATOMS
) -> list[ProposedOrdering]:
    """Up to `count` structures of a composition (symbol -> atoms, of any multiple) that are orderings of known
    crystals, the likeliest first; [] where none of its elements are alike, or no known crystal has the simpler ratio.

    library: known crystals, perhaps without hidden ones. max_atoms: in a cell. Near parents come first, and
    arrangements that keep much symmetry; of equal ones those whose unlike atoms are far apart. Raises NucleateError for
    a count below 1.
    """
    if count < 1:
        raise NucleateError(f"the number of orderings must be at least 1, not {count}")
    counts = dict(Formula.of(composition))
    charges = mean_charges(counts)
    found: list[_Found] = []
    parents = parents_of(library, counts, PARENTS, max_atoms)
    for place, known in enumerate(parents):
        split, away = _split(known), min(known.distance - parents[0].distance, FAR)
        if split is not None:
            for size, (most, cells) in enumerate(SIZES):
                found += _arranged(split, (away, place, size), most, cells, charges, max_atoms)
    return [_proposed(one) for one in heapq.nsmallest(count, found, key=lambda one: one.score)]


def _split(known: KnownParent) -> _Split | None:
    """The parent with exact symmetry; None if no symmetry is found."""
    structure = known.structure
    given = [site.specie.Z for site in structure]
    for symprec in SYMPRECS:
        try:
            cell = find_symmetry(structure.lattice.matrix, structure.frac_coords, given, symprec).prim_std_cell
            lattice, positions, numbers = np.array(cell.basis), np.array(cell.positions), list(cell.numbers)
            data = find_symmetry(lattice, positions, numbers, symprec)
        except ValueError:
            continue
        where = {atomic_number(name): i for i, name in enumerate(known.groups)}
        groups = np.array([where.get(z, -1) for z in numbers])
        rotations, translations = np.array(data.operations.rotations), np.array(data.operations.translations)
        multiplicities = np.bincount(data.orbits, minlength=len(numbers))
        orbits = [
            (int(orbit), f"{multiplicities[orbit]}{letter}")
            for orbit, letter in zip(data.orbits, data.wyckoffs, strict=True)
        ]
        parent = Parent(lattice, positions, groups, rotations, translations)
        return _Split(known, parent, [list(own) for own in known.groups.values()], numbers, orbits)
    return None


def _arranged(
    split: _Split,
    where: tuple[float, int, int],
    most: int,
    cells: int,
    charges: Mapping[str, float] | None,
    max_atoms: int,
) -> list[_Found]:
    """The first arrangements in cells of one size; none where these are too large. where: how much farther the parent
    is than the nearest one, and its place and that of the size."""
    away, place, size = where
    groups = list(split.known.groups.values())
    needed, there = sum(groups[0].values()), split.parent.sizes[0]
    smallest = needed // math.gcd(needed, there)
    index = smallest * (size + 1)
    if index * len(split.numbers) > max_atoms or (size and smallest > MOST_CELLS):
        return []
    units = there * index // needed
    counts = [[units * n for n in own.values()] for own in groups]
    every = arrangements(split.parent, index, counts, most=most, cells=cells, drawn=KEPT)
    order = _first(every, split, charges)
    return [
        _Found(split, every.parts[part], at, every.is_complete, away, (place, size, own))
        for own, (part, at) in enumerate(order)
    ]


def _first(every: ArrangementSet, split: _Split, charges: Mapping[str, float] | None) -> list[tuple[int, int]]:
    """The first KEPT arrangements, small indices first, of equal ones those whose unlike atoms are far apart. Energies
    are computed only where they decide."""
    if not len(every):
        return []
    indices = np.sort(np.concatenate([p.indices for p in every.parts]))
    last = indices[min(KEPT, len(indices)) - 1]
    energies = []
    for part in every.parts:
        own = np.full(len(part.labels), np.inf)
        if len(own) and (wanted := part.indices <= last).any():
            own[wanted] = _mixing_energies(split, part, part.labels[wanted], charges)
        energies.append(own)
    return every.ordered(energies)[:KEPT]


def _mixing_energies(
    split: _Split, part: Arrangements, labels: NDArray[np.uint8], charges: Mapping[str, float] | None
) -> Array:
    """Electrostatic energies (K,) of what the charges of the shared sites differ from their mean, per shared site; of
    elements with equal charges, of steps of one charge in the order of the modified Pettifor scale. The lowest has the
    unlike atoms next to each other, as far from their own kind as they can be."""
    groups = split.parent.groups[part.cell.sites]
    shared = groups >= 0
    own = np.zeros((len(labels), len(groups)))
    for group, symbols in enumerate(split.symbols):
        values = [charges[s] for s in symbols] if charges is not None else [0.0] * len(symbols)
        if max(values) - min(values) < SAME_CHARGE:
            scale = sorted(symbols, key=MODIFIED_PETTIFOR.index)
            values = [float(scale.index(s)) for s in symbols]
        at = groups == group
        put = np.array(values)[labels[:, at]]
        own[:, at] = put - put.mean(axis=1, keepdims=True)
    matrix = ewald_matrix(part.cell.matrix @ split.parent.lattice, part.cell.positions(split.parent)[shared], ROUGH)
    return energies_of_charges(matrix, own[:, shared]) / int(shared.sum())


def _proposed(found: _Found) -> ProposedOrdering:
    from pymatgen.core import Lattice, Structure

    split, part = found.split, found.part
    sites, labels = part.cell.sites, part.labels[found.at]
    groups = split.parent.groups[sites]
    symbols = [
        split.symbols[group][label] if group >= 0 else element_symbol(split.numbers[site])
        for group, label, site in zip(groups.tolist(), labels.tolist(), sites.tolist(), strict=True)
    ]
    lattice = Lattice(part.cell.matrix @ split.parent.lattice).get_lll_reduced_lattice()
    places = part.cell.positions(split.parent) @ (part.cell.matrix @ split.parent.lattice)
    structure = Structure(lattice, symbols, places, coords_are_cartesian=True, to_unit_cell=True)
    try:
        number = int(find_symmetry(lattice.matrix, structure.frac_coords, structure.atomic_numbers, 0.01).number)
    except ValueError:
        number = 1
    known = split.known
    return ProposedOrdering(
        structure,
        known.id,
        known.formula,
        dict(known.substitution),
        known.distance,
        _shared(split, sites, symbols),
        found.index,
        number,
        found.complete,
    )


def _shared(split: _Split, sites: NDArray[np.int64], symbols: Sequence[str]) -> tuple[str, ...]:
    """The Wyckoff positions of the parent with several elements."""
    there: dict[tuple[int, str], set[str]] = {}
    for site, symbol in zip(sites.tolist(), symbols, strict=True):
        there.setdefault(split.orbits[site], set()).add(symbol)
    return tuple(f"{name}: {', '.join(sorted(own))}" for (_, name), own in there.items() if len(own) > 1)
