"""Ordered cells of a crystal whose sites are shared: every arrangement that symmetry does not turn into another one.

The derivative structures of Hart and Forcade, Phys. Rev. B 77, 224115 (2008): all superlattices of a given index in
Hermite normal form, of these one for each orbit under the point group, and in each of them every way to distribute the
species over the sites, of which the operations of the space group and the translations of the parent leave one each.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.int64]

CLOSE = 0.1  # angstrom within which an operation must put one site on another


@dataclass(frozen=True, eq=False)
class Parent:
    """A primitive cell and what is shared in it.

    lattice (3, 3): angstrom, rows. positions (n, 3): fractional. groups (n,): which sites share their species, -1 for
    a site that is not shared. rotations (k, 3, 3), translations (k, 3): the space group, x -> W x + w of fractional
    coordinates, whose operations keep every group.
    """

    lattice: NDArray[np.float64]
    positions: NDArray[np.float64]
    groups: NDArray[np.int64]
    rotations: Matrix
    translations: NDArray[np.float64]

    @property
    def sizes(self) -> list[int]:
        """Sites of each group in the primitive cell."""
        return np.bincount(self.groups[self.groups >= 0]).tolist()


@dataclass(frozen=True, eq=False)
class Ordering:
    """supercell (3, 3): its vectors in those of the parent, as rows. sites (N,): the parent's site of each of its
    sites; positions (N, 3): fractional in the supercell. labels (N,): which species of its group a site has, 0 for a
    site that is not shared."""

    supercell: Matrix
    sites: NDArray[np.int64]
    positions: NDArray[np.float64]
    labels: NDArray[np.int64]


def supercells(parent: Parent, index: int) -> list[Matrix]:
    """Superlattices of `index` parent cells in Hermite normal form; of those that the point group makes equal, one."""
    seen: set[tuple[int, ...]] = set()
    out = []
    for matrix in _hermite_forms(index):
        if tuple(matrix.ravel().tolist()) in seen:
            continue
        out.append(matrix)
        for rotation in parent.rotations:
            seen.add(tuple(_hermite(matrix @ rotation.T).ravel().tolist()))
    return out


def arrangements(parent: Parent, index: int, counts: Sequence[Sequence[int]]) -> int:
    """How many there are to look at before symmetry leaves fewer; counts as in `orderings`."""
    ways = math.prod(_multinomial(group) for group in counts)
    return len(supercells(parent, index)) * ways


def orderings(parent: Parent, index: int, counts: Sequence[Sequence[int]]) -> Iterator[Ordering]:
    """Every distinct ordered cell of `index` parent cells, but those that a smaller cell holds as well.

    counts: for each group the sites of each species in the supercell, which add up to its sites there.
    """
    for group, size in zip(counts, parent.sizes, strict=True):
        if sum(group) != size * index:
            raise NucleateError(f"{sum(group)} atoms do not fill {size * index} sites")
    for matrix in supercells(parent, index):
        yield from _in_supercell(parent, matrix, counts)


def _in_supercell(parent: Parent, matrix: Matrix, counts: Sequence[Sequence[int]]) -> Iterator[Ordering]:
    steps = np.array(list(itertools.product(*(range(int(n)) for n in np.diag(matrix)))))  # the parent cells in it
    inverse = np.linalg.inv(matrix)
    sites = np.repeat(np.arange(len(parent.positions)), len(steps))
    places = parent.positions[sites] + np.tile(steps, (len(parent.positions), 1))
    groups = parent.groups[sites]
    shared = np.flatnonzero(groups >= 0)
    shifts = [_permutation(places[shared] + step, places[shared], matrix, parent.lattice) for step in steps[1:]]
    permutations = _permutations(parent, matrix, places[shared], steps)
    seen: set[bytes] = set()
    for labels in _distributions(groups[shared], counts):
        if labels.tobytes() in seen:
            continue
        seen.update(row.tobytes() for row in labels[permutations])
        if any(shift is not None and (labels[shift] == labels).all() for shift in shifts):
            continue  # a smaller cell holds it
        every = np.zeros(len(sites), dtype=np.int64)
        every[shared] = labels
        yield Ordering(matrix, sites, (places @ inverse) % 1.0, every)


def _permutations(parent: Parent, matrix: Matrix, places: NDArray[np.float64], steps: Matrix) -> NDArray[np.int64]:
    """(operations, n): what each operation of the supercell does to the sites at `places`, fractional in the parent."""
    inverse = np.linalg.inv(matrix)
    found = [np.arange(len(places))]
    for rotation, translation in zip(parent.rotations, parent.translations, strict=True):
        turned = matrix @ rotation.T @ inverse
        if np.abs(turned - np.round(turned)).max() > 1e-6:
            continue  # it makes another superlattice of this one
        for step in steps:
            images = (places + step) @ rotation.T + translation
            permutation = _permutation(images, places, matrix, parent.lattice)
            if permutation is not None:
                found.append(permutation)
    return np.unique(np.array(found), axis=0)


def _permutation(
    images: NDArray[np.float64], places: NDArray[np.float64], matrix: Matrix, lattice: NDArray[np.float64]
) -> NDArray[np.int64] | None:
    """For each of `places` the number of the image that lies there; None where not each has one."""
    apart = (places[:, None] - images[None, :]) @ np.linalg.inv(matrix)
    apart -= np.round(apart)
    distance = np.linalg.norm(apart @ matrix @ lattice, axis=-1)
    nearest = distance.argmin(axis=1)
    fits = distance[np.arange(len(places)), nearest].max(initial=0.0) < 2 * CLOSE
    return nearest if fits and len(np.unique(nearest)) == len(places) else None


def _distributions(groups: NDArray[np.int64], counts: Sequence[Sequence[int]]) -> Iterator[NDArray[np.int64]]:
    """Every way to give the sites their species, the numbers of which `counts` has for each group."""
    members = [np.flatnonzero(groups == g) for g in range(len(counts))]
    for choice in itertools.product(*(list(_words(len(m), c)) for m, c in zip(members, counts, strict=True))):
        out = np.zeros(len(groups), dtype=np.int64)
        for sites, word in zip(members, choice, strict=True):
            out[sites] = word
        yield out


def _words(length: int, counts: Sequence[int]) -> Iterator[NDArray[np.int64]]:
    """Every sequence of `length` letters of which letter k occurs counts[k] times."""

    def fill(free: tuple[int, ...], letter: int, word: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        if letter == len(counts):
            yield word
            return
        for chosen in itertools.combinations(free, counts[letter]):
            more = word.copy()
            more[list(chosen)] = letter
            taken = set(chosen)
            yield from fill(tuple(i for i in free if i not in taken), letter + 1, more)

    yield from fill(tuple(range(length)), 0, np.zeros(length, dtype=np.int64))


def _multinomial(counts: Sequence[int]) -> int:
    out, total = 1, 0
    for n in counts:
        total += n
        out *= math.comb(total, n)
    return out


def _hermite_forms(index: int) -> Iterator[Matrix]:
    """All upper triangular matrices whose rows span a superlattice of that index, each superlattice once."""
    for a in range(1, index + 1):
        if index % a:
            continue
        for d in range(1, index // a + 1):
            if (index // a) % d:
                continue
            f = index // (a * d)
            for b, c, e in itertools.product(range(d), range(f), range(f)):
                yield np.array([[a, b, c], [0, d, e], [0, 0, f]])


def _hermite(matrix: NDArray) -> Matrix:
    """The Hermite normal form, by operations on the rows, of a matrix of whole numbers."""
    m = np.round(np.asarray(matrix)).astype(np.int64)
    for column in range(3):
        for row in range(column + 1, 3):
            while m[row, column]:
                m[column] -= (m[column, column] // m[row, column]) * m[row]
                m[[column, row]] = m[[row, column]]
        if m[column, column] < 0:
            m[column] = -m[column]
    for column in range(1, 3):
        for row in range(column):
            m[row] -= (m[row, column] // m[column, column]) * m[column]
    return m
