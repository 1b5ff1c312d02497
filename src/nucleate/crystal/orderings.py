"""Ordered cells of a crystal with sites that several species share: every arrangement, each once up to symmetry.

These are the derivative structures of Hart and Forcade, Phys. Rev. B 77, 224115 (2008). All superlattices of a given
index are listed in Hermite normal form, and of those that the point group turns into each other one is kept. In each of
them every distribution of the species over the sites is listed, and of those that an operation of the space group or a
translation of the parent turns into each other one is kept.
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

CLOSE = 0.1  # angstrom; how close an operation must bring one site to another


@dataclass(frozen=True, eq=False)
class Parent:
    """A primitive cell, and which of its sites are shared by several species.

    lattice: (3, 3), vectors in rows, in angstrom. positions: (n, 3), fractional. groups: (n,), the number of the set of
    sites over which the same species are distributed, -1 for a site with one species. rotations (k, 3, 3), translations
    (k, 3): the operations x -> W x + w of the space group, in fractional coordinates; they keep every group.
    """

    lattice: NDArray[np.float64]
    positions: NDArray[np.float64]
    groups: NDArray[np.int64]
    rotations: Matrix
    translations: NDArray[np.float64]

    @property
    def sizes(self) -> list[int]:
        """The number of sites of each group in the primitive cell."""
        return np.bincount(self.groups[self.groups >= 0]).tolist()


@dataclass(frozen=True, eq=False)
class Ordering:
    """An ordered cell with N sites.

    supercell: (3, 3), its vectors as multiples of those of the parent, in rows. sites: (N,), the index of the parent's
    site. positions: (N, 3), fractional in the supercell. labels: (N,), the index of the species among those of the
    site's group, 0 for a site with one species.
    """

    supercell: Matrix
    sites: NDArray[np.int64]
    positions: NDArray[np.float64]
    labels: NDArray[np.int64]


def supercells(parent: Parent, index: int) -> list[Matrix]:
    """The superlattices of `index` parent cells in Hermite normal form. Of those that the point group turns into each
    other one is given."""
    seen: set[tuple[int, ...]] = set()
    out = []
    for matrix in _hermite_forms(index):
        if tuple(matrix.ravel().tolist()) in seen:
            continue
        out.append(matrix)
        for rotation in parent.rotations:
            seen.add(tuple(_hermite(matrix @ rotation.T).ravel().tolist()))
    return out


def count_arrangements(parent: Parent, index: int, counts: Sequence[Sequence[int]]) -> int:
    """The number of arrangements that `orderings` has to go through, before symmetry removes duplicates. The arguments
    are those of `orderings`."""
    ways = math.prod(_multinomial(group) for group in counts)
    return len(supercells(parent, index)) * ways


def orderings(parent: Parent, index: int, counts: Sequence[Sequence[int]]) -> Iterator[Ordering]:
    """Every distinct ordered cell of `index` parent cells, without those that are supercells of smaller ordered cells.

    counts: for each group the number of sites of each species in the supercell. Raises NucleateError if these do not
    add up to the number of sites of the group.
    """
    for group, size in zip(counts, parent.sizes, strict=True):
        if sum(group) != size * index:
            raise NucleateError(f"{sum(group)} atoms do not fill {size * index} sites")
    for matrix in supercells(parent, index):
        yield from _in_supercell(parent, matrix, counts)


def _in_supercell(parent: Parent, matrix: Matrix, counts: Sequence[Sequence[int]]) -> Iterator[Ordering]:
    # the translations to all parent cells in the supercell
    steps = np.array(list(itertools.product(*(range(int(n)) for n in np.diag(matrix)))))
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
            continue  # a translation maps the arrangement onto itself, so a smaller cell describes it
        every = np.zeros(len(sites), dtype=np.int64)
        every[shared] = labels
        yield Ordering(matrix, sites, (places @ inverse) % 1.0, every)


def _permutations(parent: Parent, matrix: Matrix, places: NDArray[np.float64], steps: Matrix) -> NDArray[np.int64]:
    """How each symmetry operation of the supercell permutes the sites: (operations, n).

    places: (n, 3), in fractional coordinates of the parent. steps: translations to the parent cells of the supercell.
    """
    inverse = np.linalg.inv(matrix)
    found = [np.arange(len(places))]
    for rotation, translation in zip(parent.rotations, parent.translations, strict=True):
        turned = matrix @ rotation.T @ inverse
        if np.abs(turned - np.round(turned)).max() > 1e-6:
            continue  # the operation does not keep the superlattice
        for step in steps:
            images = (places + step) @ rotation.T + translation
            permutation = _permutation(images, places, matrix, parent.lattice)
            if permutation is not None:
                found.append(permutation)
    return np.unique(np.array(found), axis=0)


def _permutation(
    images: NDArray[np.float64], places: NDArray[np.float64], matrix: Matrix, lattice: NDArray[np.float64]
) -> NDArray[np.int64] | None:
    """For each of `places` (n, 3) the index of the image (n, 3) that is there; None if that is not a permutation."""
    apart = (places[:, None] - images[None, :]) @ np.linalg.inv(matrix)
    apart -= np.round(apart)
    distance = np.linalg.norm(apart @ matrix @ lattice, axis=-1)
    nearest = distance.argmin(axis=1)
    close = distance[np.arange(len(places)), nearest].max(initial=0.0) < 2 * CLOSE
    return nearest if close and len(np.unique(nearest)) == len(places) else None


def _distributions(groups: NDArray[np.int64], counts: Sequence[Sequence[int]]) -> Iterator[NDArray[np.int64]]:
    """Every way to distribute the species over the sites, as labels (n,). counts: as in `orderings`."""
    sites_of_group = [np.flatnonzero(groups == g) for g in range(len(counts))]
    for choice in itertools.product(
        *(list(_labelings(len(s), c)) for s, c in zip(sites_of_group, counts, strict=True))
    ):
        out = np.zeros(len(groups), dtype=np.int64)
        for sites, labels in zip(sites_of_group, choice, strict=True):
            out[sites] = labels
        yield out


def _labelings(length: int, counts: Sequence[int]) -> Iterator[NDArray[np.int64]]:
    """Every sequence (length,) in which label k occurs counts[k] times."""

    def fill(free: tuple[int, ...], label: int, labels: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        if label == len(counts):
            yield labels
            return
        for chosen in itertools.combinations(free, counts[label]):
            more = labels.copy()
            more[list(chosen)] = label
            taken = set(chosen)
            yield from fill(tuple(i for i in free if i not in taken), label + 1, more)

    yield from fill(tuple(range(length)), 0, np.zeros(length, dtype=np.int64))


def _multinomial(counts: Sequence[int]) -> int:
    out, total = 1, 0
    for n in counts:
        total += n
        out *= math.comb(total, n)
    return out


def _hermite_forms(index: int) -> Iterator[Matrix]:
    """Hermite normal forms (3, 3) of all superlattices of an index, each superlattice once; rows are their vectors."""
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
    """The Hermite normal form of a matrix of integers, by operations on its rows."""
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
