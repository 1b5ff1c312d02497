"""The known crystals of one ratio of atoms, as what another composition of this ratio may be like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product
from math import factorial, prod
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.elements import SYMBOLS, WRITING_ORDER
from nucleate.crystal.wyckoff_patterns import WyckoffPattern
from nucleate.library.filters import rows_of_anonymous
from nucleate.library.patterns import load_patterns
from nucleate.library.schema import SOURCES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.library.library import Library

    Whole = NDArray[np.int64]
    Array = NDArray[np.float64]

MOST_ASSIGNMENTS = 720  # of elements to slots that are all looked at
ROLES = 3  # of an element in its formula: the most electropositive, one between, the most electronegative
_PLACE = np.array([0, *(WRITING_ORDER[s] for s in SYMBOLS)], dtype=np.int64)
UNKNOWN_HEIGHT = 0.3  # eV/atom, in the place of an energy above the hull that is not known
HIGHEST = 1.0  # eV/atom; crystals above it count as if they were there


@dataclass(frozen=True, eq=False)
class Relatives:
    """n crystals of a ratio with S elements, and all ways to put S elements of another composition into their slots.

    rows: (n,) of the library's table. pattern: (n,) place in `patterns`. elements: (n, S) atomic number in each slot;
    roles: (n, S) its role in its formula. quality: (n, Q), of `qualities`. patterns: (P,) of the library.
    assignments: (A, S), of each slot which of the S elements of the other composition is in it, elements in the order
    of `order_of`. keys: (P, A) the number of the decorated prototype that each way makes of a pattern; the same for
    ways that a change of setting makes the same. reduced: (S,) atoms in each slot of a formula unit.
    """

    library: Library
    rows: Whole
    pattern: Whole
    elements: Whole
    roles: Whole
    quality: Array
    patterns: Whole
    assignments: Whole
    keys: Whole
    reduced: Whole

    @property
    def num_keys(self) -> int:
        """The number of decorated prototypes."""
        return int(self.keys.max(initial=-1)) + 1

    @cached_property
    def first(self) -> tuple[Whole, Whole]:
        """Of each decorated prototype its pattern (place in `patterns`) and the first assignment that makes it."""
        _, places = np.unique(self.keys.ravel(), return_index=True)
        return np.asarray(places // self.keys.shape[1]), np.asarray(places % self.keys.shape[1])

    @cached_property
    def facts(self) -> Array:
        """(P, F) of each pattern what `pattern_facts` says."""
        return pattern_facts(self.library, self.patterns)

    @cached_property
    def units(self) -> Whole:
        """(P,) formula units in the primitive cell of each pattern."""
        return _num_atoms(self.library, self.patterns) // int(self.reduced.sum())

    @cached_property
    def sites(self) -> Array:
        """(P, S) sets of equivalent atoms in each slot."""
        known = load_patterns(self.library.table)
        return np.array([[len(own) for own in known.places(p)] for p in self.patterns.tolist()], dtype=float)

    @cached_property
    def free(self) -> Whole:
        """(P,) coordinates of the atoms of each pattern that symmetry leaves free."""
        known = load_patterns(self.library.table)
        own = (WyckoffPattern(int(known.space_group[p]), known.places(p)) for p in self.patterns.tolist())
        return np.array([pattern.free for pattern in own], dtype=np.int64)

    @cached_property
    def exchanges(self) -> Whole:
        """(P,) the number of changes of setting that exchange slots of each pattern."""
        known = load_patterns(self.library.table)
        return np.array([len(known.automorphisms(p)) for p in self.patterns.tolist()], dtype=np.int64)

    def of_composition(self, wanted: Whole) -> NDArray[np.bool_]:
        """(n,) whether a crystal has the composition of the elements `wanted` (S,), in the order of `order_of`."""
        own, theirs = (np.sort(elements + 1000 * self.reduced, axis=-1) for elements in (wanted, self.elements))
        return np.asarray((theirs == own).all(1))


def order_of(numbers: Sequence[int], counts: Sequence[int]) -> list[int]:
    """The order of elements in which `Relatives.assignments` has them: by number of atoms, then as in formulas."""
    return sorted(range(len(numbers)), key=lambda i: (counts[i], _PLACE[numbers[i]]))


def roles_of(elements: Whole) -> Whole:
    """The role of each element (n, S) in its formula: 0 for the most electropositive, 2 for the most electronegative,
    1 for those between."""
    places = _PLACE[elements]
    out = np.ones(elements.shape, dtype=np.int64)
    out[places == places.min(axis=1, keepdims=True)] = 0
    out[places == places.max(axis=1, keepdims=True)] = 2
    return out


def relatives_of(library: Library, ratio: Sequence[int]) -> Relatives | None:
    """The crystals of a ratio (numbers of atoms in a formula unit) that a library has, None if there are none.

    Where there are more than MOST_ASSIGNMENTS ways to put the elements into slots, only as many are taken, the same
    ones for each composition.
    """
    table = library.table
    rows = library.seen(rows_of_anonymous(table, tuple(ratio)))
    if not len(rows):
        return None
    known = load_patterns(table)
    slots = len(ratio)
    places = known.order[rows, :slots].astype(np.int64)
    elements = np.take_along_axis(table.elements[rows].astype(np.int64), places, axis=1)
    reduced = np.sort(np.array(ratio, dtype=np.int64))
    assignments = _assignments(reduced.tolist())
    patterns, pattern = np.unique(known.pattern[rows], return_inverse=True)
    codes = np.stack([_codes(assignments, known.automorphisms(p)) for p in patterns.tolist()])
    wide = np.arange(len(patterns), dtype=np.int64)[:, None] * slots**slots + codes
    _, keys = np.unique(wide.ravel(), return_inverse=True)
    return Relatives(
        library=library,
        rows=rows,
        pattern=pattern.astype(np.int64),
        elements=elements,
        roles=roles_of(elements),
        quality=qualities(library, rows),
        patterns=patterns.astype(np.int64),
        assignments=assignments,
        keys=keys.reshape(wide.shape).astype(np.int64),
        reduced=reduced,
    )


def qualities(library: Library, rows: Whole) -> Array:
    """(n, 6): whether a crystal is the first of its formula (`Library.ordered`), its energy above the hull in eV/atom
    (at most HIGHEST, UNKNOWN_HEIGHT where it is not known) and the square root of it, whether that is not known,
    whether it was made, whether it is of the OQMD."""
    table = library.table
    ordered = library.ordered(rows)
    _, firsts = np.unique(table.formula_numbers[ordered], return_index=True)
    best = np.isin(rows, ordered[firsts])
    unknown = np.isnan(table.e_above_hull[rows])
    height = np.clip(np.where(unknown, UNKNOWN_HEIGHT, table.e_above_hull[rows]), 0, HIGHEST)
    made = table.experimental[rows] == 1
    other = table.source[rows] == SOURCES.index("oqmd")
    return np.stack([best, height, unknown, made, other, np.sqrt(height)], axis=1).astype(float)


def pattern_facts(library: Library, patterns: Whole) -> Array:
    """(P, 9): logarithms of the formula units in the primitive cell, of its atoms (and one), of the sets of equivalent
    atoms and of the free parameters; whether the crystal system is triclinic, monoclinic, orthorhombic or cubic;
    whether the cell is one formula unit."""
    known = load_patterns(library.table)
    groups = known.space_group[patterns].astype(int)
    atoms = _num_atoms(library, patterns)
    own = [WyckoffPattern(int(g), known.places(p)) for g, p in zip(groups, patterns.tolist(), strict=True)]
    units = np.array([int(np.gcd.reduce(p.counts)) for p in own])
    sites = np.array([sum(map(len, p.slots)) for p in own])
    cell = np.select([groups < 3, groups < 16, groups < 75, groups < 195], [6, 4, 3, 2], 1)
    free = np.array([p.free for p in own]) + cell
    systems = (groups < 3, (groups > 2) & (groups < 16), (groups > 15) & (groups < 75), groups > 194)
    logs = (np.log(units), np.log1p(atoms), np.log(sites), np.log(free))
    return np.stack([*logs, *systems, units == 1], axis=1).astype(float)


def _num_atoms(library: Library, patterns: Whole) -> Whole:
    known = load_patterns(library.table)
    own = (WyckoffPattern(int(known.space_group[p]), known.places(p)) for p in patterns.tolist())
    return np.array([sum(pattern.counts) for pattern in own], dtype=np.int64)


def _assignments(reduced: list[int]) -> Whole:
    """(A, S): the ways to put S elements, whose numbers of atoms are these, into slots with these numbers of atoms."""
    groups = [[i for i, n in enumerate(reduced) if n == count] for count in sorted(set(reduced))]
    total = prod(factorial(len(g)) for g in groups)
    out = []
    for chosen in product(*(permutations(g) for g in groups)):
        out.append([i for group in chosen for i in group])
        if len(out) == min(total, MOST_ASSIGNMENTS):
            break
    return np.array(out, dtype=np.int64)


def _codes(assignments: Whole, automorphisms: Whole) -> Whole:
    """(A,) a number of each assignment, the same for those that an automorphism makes the same."""
    slots = assignments.shape[1]
    weights = slots ** np.arange(slots, dtype=np.int64)
    return np.asarray((assignments[:, automorphisms] @ weights).min(axis=1))
