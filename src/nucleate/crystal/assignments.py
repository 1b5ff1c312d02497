"""All ways to put the atoms of a composition on the Wyckoff positions of a space group.

A Wyckoff position without a free parameter can hold one site at most, so that the elements compete for it; there are
few such positions. A position with a free parameter can hold any number of sites, so that each element is independent
of the others there. The ways are therefore counted exactly, however many there are: by recursion over the positions of
the first kind, and for each element separately over those of the second kind.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import product

import numpy as np

from nucleate.crystal.orbits import site_sizes
from nucleate.crystal.wyckoff import GROUP_NUMBERS, get_space_group
from nucleate.errors import NucleateError

Assignment = tuple[tuple[str, str], ...]  # (element, Wyckoff letter) of each site, in the order of both
_Site = tuple[int, int]  # the index of an element and the index of a Wyckoff position
_Rest = tuple[tuple[int, int | None], ...]  # for each element the atoms and sites (None: any number) not yet placed


@dataclass(frozen=True)
class Assignments:
    """All assignments of a composition to the Wyckoff positions of a space group.

    space_group: 1-230. atoms: element -> atoms in the *primitive* cell. sites: element -> number of sites (sets of
    equivalent atoms), for all or some of the elements; None allows any number. frequencies: Wyckoff letter -> mean
    number of sites on it in known crystals (`asymmetric.site_frequencies`), by which `draw` chooses; None makes all
    assignments equally likely. Assignments that differ only by the choice of origin (Na on a and Cl on b, or the
    reverse) count as two. Raises NucleateError for an unknown space group and for numbers that are not positive.
    """

    space_group: int
    atoms: Mapping[str, int]
    sites: Mapping[str, int] | None = None
    frequencies: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        get_space_group(self.space_group)
        for name, counts in (("atoms", self.atoms), ("sites", self.sites or {})):
            if not all(isinstance(n, int) and n > 0 for n in counts.values()):
                raise NucleateError(f"{name} of an element must be whole numbers above 0, not {dict(counts)}")
        if not self.atoms:
            raise NucleateError("an assignment needs atoms, and none were given")
        if unknown := sorted(set(self.sites or {}) - set(self.atoms)):
            raise NucleateError(f"sites were given for {', '.join(unknown)}, of which there are no atoms")

    @cached_property
    def count(self) -> int:
        """The exact number of assignments; 0 if the space group cannot hold the composition."""
        return int(self._counted.whole(0, self._asked))

    def __iter__(self) -> Iterator[Assignment]:
        """All assignments, each once and always in the same order. They are made one at a time."""
        ways = self._counted

        def fixed(i: int, rest: _Rest) -> Iterator[list[_Site]]:
            if i == len(ways.fixed):
                yield from free(0, 0, rest)
                return
            for element, after in ways.uses(i, rest):
                if ways.whole(i + 1, after):
                    own = [] if element is None else [(element, ways.fixed[i])]
                    yield from (own + more for more in fixed(i + 1, after))

        def free(element: int, i: int, rest: _Rest) -> Iterator[list[_Site]]:
            if not rest:
                yield []
            elif i == len(ways.free):
                yield from free(element + 1, 0, rest[1:])
            else:
                for n, left, fewer in ways.shares(i, *rest[0]):
                    if ways.element(i + 1, left, fewer):
                        own = [(element, ways.free[i])] * n
                        yield from (own + more for more in free(element, i + 1, ((left, fewer), *rest[1:])))

        return (self._named(found) for found in fixed(0, self._asked))

    def draw(self, rng: np.random.Generator) -> Assignment:
        """A random assignment.

        Without `frequencies` all assignments are equally likely. With them the number of sites on each position is a
        random variable, Bernoulli for positions without a free parameter and Poisson for the others, independent of the
        other positions and equal for all elements; the distribution is conditioned on the composition. Raises
        NucleateError if there is no assignment.
        """
        if not self.count:
            raise NucleateError(self._impossible())
        ways, rest = self._weighted, self._asked
        found: list[_Site] = []
        for i, place in enumerate(ways.fixed):
            uses = ways.uses(i, rest)
            odds = [ways.weight(place, e is not None) * ways.whole(i + 1, after) for e, after in uses]
            element, rest = uses[_pick(odds, rng)]
            if element is not None:
                found.append((element, place))
        for element, (atoms, sites) in enumerate(rest):
            for i, place in enumerate(ways.free):
                shares = ways.shares(i, atoms, sites)
                odds = [ways.weight(place, n) * ways.element(i + 1, left, fewer) for n, left, fewer in shares]
                n, atoms, sites = shares[_pick(odds, rng)]
                found += [(element, place)] * n
        return self._named(found)

    def log_probability(self, assignment: Assignment) -> float:
        """The logarithm of the probability that `draw` gives this assignment; -inf if it is none of `self`."""
        counts = Counter(assignment)
        places = {letter: i for i, letter in enumerate(self._letters)}
        sizes, ways = site_sizes(self.space_group), self._weighted
        atoms, sites, taken = Counter[str](), Counter[str](), Counter[int]()
        weight = 0.0
        for (element, letter), n in counts.items():
            if letter not in places:
                return -math.inf
            place = places[letter]
            atoms[element] += n * sizes[place]
            sites[element] += n
            taken[place] += n
            weight += math.log(ways.weight(place, n))
        wrong = dict(atoms) != dict(self.atoms) or any(sites[e] != n for e, n in (self.sites or {}).items())
        if wrong or any(taken[place] > 1 for place in ways.fixed):
            return -math.inf
        return weight - math.log(ways.whole(0, self._asked))

    @property
    def log_chance(self) -> float:
        """The logarithm of the probability that the sites of a crystal of the space group, drawn by `frequencies`, are
        one of these assignments; -inf if there are none. It serves to compare space groups or compositions."""
        positions = get_space_group(self.space_group).positions
        means = [(self.frequencies or {}).get(p.letter, 0.0) for p in positions]
        empty = -sum(
            m if p.free else math.log1p(self._odds(m) * len(self.atoms)) for p, m in zip(positions, means, strict=True)
        )
        total = self._weighted.whole(0, self._asked)
        return empty + math.log(total) if total > 0 else -math.inf

    def _odds(self, mean: float) -> float:
        """The odds that a position without a free parameter holds a site of one given element. mean: the mean number of
        sites of all elements on it."""
        share = mean / len(self.atoms)
        return share / max(1 - share, 1e-9)

    def _named(self, found: Sequence[_Site]) -> Assignment:
        elements, letters = list(self.atoms), self._letters
        return tuple((elements[e], letters[place]) for e, place in sorted(found))

    def _impossible(self) -> str:
        words = " ".join(f"{e}{n}" for e, n in self.atoms.items())
        given = "".join(f", {n} sites of {e}" for e, n in (self.sites or {}).items())
        name = get_space_group(self.space_group).symbol
        return f"space group {name} has no Wyckoff positions for {words}{given} in a primitive cell"

    @property
    def _letters(self) -> list[str]:
        return [p.letter for p in get_space_group(self.space_group).positions]

    @property
    def _asked(self) -> _Rest:
        return tuple((n, (self.sites or {}).get(e)) for e, n in self.atoms.items())

    @cached_property
    def _counted(self) -> _Ways:
        return _Ways(self.space_group, lambda place, n: 1)

    @cached_property
    def _weighted(self) -> _Ways:
        if self.frequencies is None:
            return self._counted
        means = [self.frequencies.get(letter, 0.0) for letter in self._letters]
        free = [p.free > 0 for p in get_space_group(self.space_group).positions]

        def weight(place: int, n: int) -> float:
            mean = means[place]
            return (mean / len(self.atoms)) ** n / math.factorial(n) if free[place] else self._odds(mean) ** n

        return _Ways(self.space_group, weight)


class _Ways:
    """Sums of weights over ways to place atoms. The weight of a way is the product of `weight(position, number of sites
    on it)` over all positions. `whole` is the sum for all elements, `element` that for one element."""

    def __init__(self, space_group: int, weight: Callable[[int, int], float]) -> None:
        self.weight, self.sizes = weight, site_sizes(space_group)
        degrees = [p.free for p in get_space_group(space_group).positions]
        self.fixed = [i for i, d in enumerate(degrees) if not d]
        self.free = [i for i, d in enumerate(degrees) if d]
        self.whole = cache(self._whole)
        self.element = cache(self._element)

    def uses(self, i: int, rest: _Rest) -> list[tuple[int | None, _Rest]]:
        """What position i without a free parameter can hold (None: nothing, or the index of an element), and for each
        case what is not yet placed afterwards."""
        size = self.sizes[self.fixed[i]]
        out: list[tuple[int | None, _Rest]] = [(None, rest)]
        for e, (atoms, sites) in enumerate(rest):
            if atoms >= size and sites != 0:
                out.append((e, (*rest[:e], (atoms - size, None if sites is None else sites - 1), *rest[e + 1 :])))
        return out

    def shares(self, i: int, atoms: int, sites: int | None) -> list[tuple[int, int, int | None]]:
        """The numbers of sites that an element can have on position i with a free parameter, and for each number the
        atoms and sites not yet placed afterwards."""
        size = self.sizes[self.free[i]]
        most = atoms // size if sites is None else min(atoms // size, sites)
        return [(n, atoms - n * size, None if sites is None else sites - n) for n in range(most + 1)]

    def _whole(self, i: int, rest: _Rest) -> float:
        """The sum over all ways to place the rest, from position i without a free parameter on."""
        if i == len(self.fixed):
            return math.prod(self.element(0, *r) for r in rest)
        return sum(
            self.weight(self.fixed[i], e is not None) * self.whole(i + 1, after) for e, after in self.uses(i, rest)
        )

    def _element(self, i: int, atoms: int, sites: int | None) -> float:
        """The sum over all ways to place the rest of one element, from position i with a free parameter on."""
        if i == len(self.free) or not atoms:
            return int(not atoms and not sites)
        return sum(
            self.weight(self.free[i], n) * self.element(i + 1, left, fewer)
            for n, left, fewer in self.shares(i, atoms, sites)
        )


def assignments_of(
    space_group: int,
    formula: Mapping[str, int],
    max_atoms: int,
    sites: Mapping[str, int] | None = None,
    frequencies: Mapping[str, float] | None = None,
) -> list[Assignments]:
    """The assignments for each number of formula units (1, 2, ...) with at most max_atoms in the primitive cell,
    without numbers for which there are none. The arguments are those of `Assignments`."""
    units = max_atoms // sum(formula.values())
    cells = ({e: k * n for e, n in formula.items()} for k in range(1, units + 1))
    found = (Assignments(space_group, atoms, sites, frequencies) for atoms in cells)
    return [a for a in found if a.count]


def assignments_of_sites(
    space_group: int,
    sites: Mapping[str, int],
    max_atoms: int,
    frequencies: Mapping[str, float] | None = None,
) -> list[Assignments]:
    """The assignments for each composition that can result from given numbers of sites, such as {"K": 1, "Cu": 2}, with
    at most max_atoms in the primitive cell. Small compositions come first."""
    sizes = sorted(set(site_sizes(space_group)))
    options = []
    for n in sites.values():
        sums = {0}
        for _ in range(n):
            sums = {s + size for s in sums for size in sizes if s + size <= max_atoms}
        options.append(sorted(sums))
    cells = (dict(zip(sites, atoms, strict=True)) for atoms in product(*options) if sum(atoms) <= max_atoms)
    found = (Assignments(space_group, atoms, sites, frequencies) for atoms in cells)
    return sorted((a for a in found if a.count), key=lambda a: (sum(a.atoms.values()), *a.atoms.values()))


@lru_cache(maxsize=4096)
def compatible_space_groups(composition: tuple[tuple[str, int], ...]) -> tuple[int, ...]:
    """Numbers of the space groups that can hold a composition, (element, atoms) ..., in a primitive cell."""
    counts = tuple(sorted(n for _, n in composition))
    answers = {kind: _holds(*kind, counts) for kind in set(_kinds())}
    return tuple(n for n, kind in zip(GROUP_NUMBERS, _kinds(), strict=True) if answers[kind])


def possible_units(space_group: int, formula: Mapping[str, int], max_atoms: int) -> tuple[int, ...]:
    """The numbers of formula units, with at most max_atoms, that the space group can hold in a primitive cell."""
    kind = _kinds()[get_space_group(space_group).number - 1]
    units = range(1, max_atoms // sum(formula.values()) + 1)
    return tuple(k for k in units if _holds(*kind, tuple(sorted(k * n for n in formula.values()))))


@cache
def _kinds() -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """For each space group the sizes of its positions without a free parameter, and the different sizes of those with
    one. Groups for which both are equal can hold the same compositions."""
    tables = [get_space_group(n).positions for n in GROUP_NUMBERS]
    return [
        (tuple(sorted(p.size for p in t if not p.free)), tuple(sorted({p.size for p in t if p.free}))) for t in tables
    ]


def _holds(fixed: tuple[int, ...], free: tuple[int, ...], counts: tuple[int, ...]) -> bool:
    """Whether positions can hold elements with these numbers of atoms (`counts`).

    fixed: sizes of the positions without a free parameter, each of which holds one site at most. free: sizes of those
    with one, which hold any number of sites.
    """
    sums = {0}  # numbers of atoms that positions with a free parameter can hold
    for n in range(1, max(counts) + 1):
        if any(n - size in sums for size in free):
            sums.add(n)

    @cache
    def rest(i: int, left: tuple[int, ...]) -> bool:
        if all(n in sums for n in left):
            return True
        if i == len(fixed):
            return False
        taken = ((*left[:e], n - fixed[i], *left[e + 1 :]) for e, n in enumerate(left) if n >= fixed[i])
        return any(rest(i + 1, tuple(sorted(after))) for after in taken) or rest(i + 1, left)

    return rest(0, counts)


def _pick(weights: Sequence[float], rng: np.random.Generator) -> int:
    """A random index with a probability proportional to its weight. Integer weights of any size are exact up to an
    error of 2^-64 in the probability."""
    total = sum(weights)
    if isinstance(total, int):
        mark: float = int.from_bytes(rng.bytes(total.bit_length() // 8 + 9), "little") % total
    else:
        mark = float(rng.random()) * total
    for i, weight in enumerate(weights):
        mark -= weight
        if mark < 0:
            return i
    return max(i for i, w in enumerate(weights) if w > 0)  # reached only by a rounding error
