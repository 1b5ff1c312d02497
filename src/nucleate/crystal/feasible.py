"""Which choices of space group and Wyckoff positions can be completed to exactly the atoms that are wanted.

A position without a free parameter holds one site at most, one with a free parameter any number. So an element needs
positions of the first kind only where its atoms are no sum of sizes of the second kind, and all others can be left out
of the search; what remains is a short recursion over numbers of atoms and of such positions by size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from nucleate.crystal.orbits import site_sizes
from nucleate.crystal.symmetry import FIRST_OF_PAIR
from nucleate.crystal.wyckoff import GROUP_NUMBERS, get_space_group

LARGEST_CELL = 256  # atoms of an element in a primitive cell
# One of each enantiomorphic pair: crystals in canonical form have no other
CANONICAL_GROUPS = tuple(n for n in GROUP_NUMBERS if n not in FIRST_OF_PAIR)

Fixed = tuple[tuple[int, int], ...]  # positions without free parameters: (size, how many are left), by size


@dataclass(frozen=True, slots=True)
class PartialSites:
    """A crystal of which a part is decided: formula units in the primitive cell, then its space group, then position
    after position, element by element, the positions of an element in the order of the group's table.

    reduced: atoms of each element in a formula unit. units, space_group: 0 while they are open. used: a bit for each
    position without free parameters that is taken. left: atoms of the element in work that are still to be placed.
    least: the first position that is open to it. places: of each element the positions, (); the last one is in work.
    """

    reduced: tuple[int, ...]
    units: int = 0
    space_group: int = 0
    used: int = 0
    left: int = 0
    least: int = 0
    places: tuple[tuple[int, ...], ...] = ()

    @property
    def done(self) -> bool:
        return bool(self.space_group) and len(self.places) == len(self.reduced) and not self.left

    def choices(self, most_atoms: int) -> tuple[int, ...]:
        """What can be decided next, so that the rest can be completed: numbers of formula units in cells of up to
        `most_atoms` atoms, space groups, or positions. One choice at least, where a formula unit is not too large."""
        if not self.units:
            return tuple(range(1, most_atoms // sum(self.reduced) + 1))
        if not self.space_group:
            return groups_that_hold(tuple(sorted(n * self.units for n in self.reduced)))
        rest = tuple(sorted(n * self.units for n in self.reduced[len(self.places) :]))
        return open_places(self.space_group, self.used, self.least, self.left, rest)

    def decided(self, choice: int) -> PartialSites:
        """The same with one more decision, which must be one of `choices`."""
        if not self.units:
            return replace(self, units=choice)
        if not self.space_group:
            return replace(self, space_group=choice, left=self.reduced[0] * self.units, places=((),))
        size, free = _positions(self.space_group)[choice]
        used, left = self.used if free else self.used | 1 << choice, self.left - size
        places = (*self.places[:-1], (*self.places[-1], choice))
        if left or len(places) == len(self.reduced):
            return replace(self, used=used, left=left, least=choice, places=places)
        return replace(self, used=used, left=self.reduced[len(places)] * self.units, least=0, places=(*places, ()))

    def after_forced(self, most_atoms: int) -> PartialSites:
        """The same after all positions for which there is one choice alone."""
        state = self
        while state.space_group and not state.done and len(found := state.choices(most_atoms)) == 1:
            state = state.decided(found[0])
        return state


@lru_cache(maxsize=200_000)
def groups_that_hold(counts: tuple[int, ...]) -> tuple[int, ...]:
    """The space groups, one of each enantiomorphic pair, whose positions can hold exactly these numbers of atoms of
    each element in the primitive cell; counts: in ascending order."""
    return tuple(n for n in CANONICAL_GROUPS if _holds(_free_sums(n, 0), _fixed(n, 0, 0), counts))


@lru_cache(maxsize=500_000)
def open_places(space_group: int, used: int, least: int, left: int, rest: tuple[int, ...]) -> tuple[int, ...]:
    """The positions that an element of which `left` atoms are to be placed can have next, as places in the table.

    used: bits of positions without free parameters that are taken. least: the first place that is open to it.
    rest: atoms of the elements that come after it, in ascending order.
    """
    out = []
    for i, (size, free) in enumerate(_positions(space_group)):
        if i >= least and size <= left and (free or not used >> i & 1):
            after = used if free else used | 1 << i
            mine = _fixed(space_group, after, i)
            every = _fixed(space_group, after, 0)
            if _completes(_free_sums(space_group, i), mine, _free_sums(space_group, 0), every, left - size, rest):
                out.append(i)
    return tuple(out)


@lru_cache(maxsize=1_000_000)
def _completes(own: int, mine: Fixed, free: int, every: Fixed, left: int, rest: tuple[int, ...]) -> bool:
    """Whether `left` atoms of one element, on fixed positions of `mine` and sums of `own`, and those of the others, on
    all fixed positions `every` and sums of `free`, can be placed."""
    if own >> left & 1:
        return _holds(free, every, rest)
    return any(own >> left - atoms & 1 and _holds(free, _less(every, part), rest) for atoms, part in _parts(mine, left))


@lru_cache(maxsize=1_000_000)
def _holds(free: int, fixed: Fixed, counts: tuple[int, ...]) -> bool:
    """Whether each element can be placed: on a part of the fixed positions, and the rest of its atoms a sum of the
    sizes of free ones. free: bit n is set where n is such a sum."""
    needy = [n for n in counts if not free >> n & 1]
    if not needy:
        return True
    first, others = needy[-1], tuple(needy[:-1])
    return any(
        free >> first - atoms & 1 and _holds(free, _less(fixed, part), others) for atoms, part in _parts(fixed, first)
    )


def _parts(fixed: Fixed, most: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """All selections of fixed positions with up to `most` atoms: their atoms, and how many are taken of each size."""
    if not fixed:
        yield 0, ()
        return
    size, count = fixed[0]
    for taken in range(min(count, most // size) + 1):
        for atoms, part in _parts(fixed[1:], most - taken * size):
            yield atoms + taken * size, (taken, *part)


def _less(fixed: Fixed, part: tuple[int, ...]) -> Fixed:
    """`fixed` without a selection; a selection of positions of some of its sizes is of those sizes by order."""
    return tuple((size, n - k) for (size, n), k in zip(fixed, part, strict=True))


@cache
def _positions(space_group: int) -> tuple[tuple[int, bool], ...]:
    """Of each position its atoms in the primitive cell, and whether it has a free parameter."""
    free = [p.free > 0 for p in get_space_group(space_group).positions]
    return tuple(zip(site_sizes(space_group), free, strict=True))


@cache
def _free_sums(space_group: int, least: int) -> int:
    """Bit n is set where n is a sum of sizes of positions with free parameters, from place `least` on; 0 is one."""
    sizes = {size for size, free in _positions(space_group)[least:] if free}
    sums, every = 1, (1 << LARGEST_CELL + 1) - 1
    for size in sizes:
        step = size
        while step <= LARGEST_CELL:  # doubles the number of times that the size is taken
            sums |= sums << step & every
            step *= 2
    return sums


@lru_cache(maxsize=200_000)
def _fixed(space_group: int, used: int, least: int) -> Fixed:
    """The positions without free parameters that are not used, from place `least` on. Every size of the group is
    listed, those of which none is left too, so that selections from `least` on fit lists of all."""
    positions = _positions(space_group)
    sizes = sorted({size for size, free in positions if not free})
    free_now = [s for i, (s, free) in enumerate(positions) if not free and i >= least and not used >> i & 1]
    return tuple((size, free_now.count(size)) for size in sizes)
