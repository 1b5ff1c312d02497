"""Ordered cells of a crystal with sites that several species share: every arrangement, each once up to symmetry.

These are the derivative structures of Hart and Forcade, Phys. Rev. B 77, 224115 (2008). All superlattices of a given
index are listed in Hermite normal form, and of those that the point group turns into each other one is kept. In each of
them every distribution of the species over the sites is listed, and of those that an operation of the space group or a
translation of the parent turns into each other one is kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.colourings import all_colourings, count_colourings, distinct_colourings
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

    @cached_property
    def images(self) -> tuple[Matrix, Matrix, Matrix]:
        """What the operations do with the sites: the rotations (k, 3, 3) that are used, for each the sites (k, n) to
        which it brings the sites, and the cells (k, n, 3) in which these are.

        If the operations do not permute the sites within 2 CLOSE, the identity alone is used, with which no two
        arrangements are taken for the same by mistake.
        """
        points = self.positions @ self.rotations.transpose(0, 2, 1) + self.translations[:, None]
        away = points[:, :, None] - self.positions
        near = np.linalg.norm((away - np.round(away)) @ self.lattice, axis=-1)
        there = near.argmin(axis=2)
        count = len(self.positions)
        whole = (np.sort(there, axis=1) == np.arange(count)).all()
        if not whole or near.min(axis=2).max(initial=0.0) > 2 * CLOSE:
            return np.eye(3, dtype=np.int64)[None], np.arange(count)[None], np.zeros((1, count, 3), dtype=np.int64)
        cells = np.round(points - self.positions[there]).astype(np.int64)
        return np.asarray(self.rotations, dtype=np.int64), there, cells


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


@dataclass(frozen=True, eq=False)
class Supercell:
    """A superlattice of a parent, and how the operations of the parent that keep it permute the N sites in its cell.

    matrix: (3, 3), in Hermite normal form; rows are its vectors as multiples of those of the parent. multiplicity: the
    number of superlattices that the operations of the parent turn into it, with itself. sites: (N,), the index of the
    parent's site; cells: (N, 3), the parent cell in which it is. permutations: (P, N); translations: (T, N), of the
    parent cells in it, without the identity.
    """

    matrix: Matrix
    multiplicity: int
    sites: NDArray[np.int64]
    cells: Matrix
    permutations: NDArray[np.int64]
    translations: NDArray[np.int64]

    def positions(self, parent: Parent) -> NDArray[np.float64]:
        """The fractional coordinates (N, 3) of the sites in the supercell."""
        return np.asarray((parent.positions[self.sites] + self.cells) @ np.linalg.inv(self.matrix) % 1.0)


def supercells(parent: Parent, index: int) -> list[Matrix]:
    """The superlattices of `index` parent cells in Hermite normal form. Of those that the point group turns into each
    other one is given."""
    return [matrix for matrix, _ in distinct_superlattices(parent, index)]


def distinct_superlattices(parent: Parent, index: int) -> list[tuple[Matrix, int]]:
    """As `supercells`, each with the number of superlattices that the point group turns into it."""
    forms = np.array(list(_hermite_forms(index)))
    rotations = np.unique(parent.images[0], axis=0)
    inverses = np.linalg.inv(forms)
    left = np.ones(len(forms), dtype=bool)
    out = []
    for i, matrix in enumerate(forms):
        if not left[i]:
            continue
        turned = (matrix @ rotations.transpose(0, 2, 1))[:, None] @ inverses
        same = (np.abs(turned - np.round(turned)).max(axis=(2, 3)) < 1e-6).any(axis=0)
        left &= ~same
        out.append((matrix, int(same.sum())))
    return out


def supercell_of_matrix(parent: Parent, matrix: Matrix, multiplicity: int = 1) -> Supercell:
    """The sites of a superlattice in Hermite normal form, and their permutations."""
    a, d, f = (int(n) for n in np.diag(matrix))
    steps = np.array(list(itertools.product(range(a), range(d), range(f))))
    count = len(parent.positions)
    sites, cells = np.repeat(np.arange(count), len(steps)), np.tile(steps, (count, 1))
    rotations, there, shifts = parent.images
    inverse = np.linalg.inv(matrix)
    turned = matrix @ rotations.transpose(0, 2, 1) @ inverse
    keep = np.abs(turned - np.round(turned)).max(axis=(1, 2)) < 1e-6
    rotations, there, shifts = rotations[keep], there[keep], shifts[keep]
    # (operations, steps, sites, cells of a site, 3): where a site is brought by an operation and a step after it
    moved = (steps @ rotations.transpose(0, 2, 1))[:, None, None] + shifts[:, None, :, None]
    moved = moved + steps[None, :, None, None]
    places = there[:, None, :, None] * len(steps) + _cell_numbers(moved, matrix)
    permutations = places.reshape(-1, len(sites))
    stepped = steps[1:, None, None] + steps[None, None]
    own = np.arange(count)[None, :, None] * len(steps) + _cell_numbers(stepped, matrix)
    return Supercell(matrix, multiplicity, sites, cells, permutations, own.reshape(-1, len(sites)))


def _cell_numbers(cells: Matrix, matrix: Matrix) -> Matrix:
    """The number of each parent cell (..., 3) within the supercell, in the order of `supercell_of_matrix`."""
    rest = cells.copy()
    for row in range(3):
        times = rest[..., row] // matrix[row, row]
        rest = rest - times[..., None] * matrix[row]
    return np.asarray((rest[..., 0] * matrix[1, 1] + rest[..., 1]) * matrix[2, 2] + rest[..., 2])


def count_arrangements(parent: Parent, index: int, counts: Sequence[Sequence[int]]) -> int:
    """The number of arrangements that `orderings` has to go through, before symmetry removes duplicates. The arguments
    are those of `orderings`."""
    return len(supercells(parent, index)) * count_colourings(counts)


def orderings(parent: Parent, index: int, counts: Sequence[Sequence[int]]) -> Iterator[Ordering]:
    """Every distinct ordered cell of `index` parent cells, without those that are supercells of smaller ordered cells.

    counts: for each group the number of sites of each species in the supercell. Raises NucleateError if these do not
    add up to the number of sites of the group.
    """
    require_counts(parent, index, counts)
    for matrix in supercells(parent, index):
        cell = supercell_of_matrix(parent, matrix)
        groups = parent.groups[cell.sites]
        shared = np.flatnonzero(groups >= 0)
        found = distinct_colourings(all_colourings(groups[shared], counts), *permutations_of(cell, shared))
        positions = cell.positions(parent)
        for labels in found.labels[found.primitive]:
            every = np.zeros(len(groups), dtype=np.int64)
            every[shared] = labels
            yield Ordering(matrix, cell.sites, positions, every)


def require_counts(parent: Parent, index: int, counts: Sequence[Sequence[int]]) -> None:
    """Raises NucleateError if the counts of `orderings` do not add up to the number of sites of each group."""
    for group, size in zip(counts, parent.sizes, strict=True):
        if sum(group) != size * index:
            raise NucleateError(f"{sum(group)} atoms do not fill {size * index} sites")


def permutations_of(cell: Supercell, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The permutations and translations of a supercell as permutations of some of its sites, which they keep together:
    (P, n), (T, n)."""
    number = np.full(len(cell.sites), -1)
    number[chosen] = np.arange(len(chosen))
    return number[cell.permutations[:, chosen]], number[cell.translations[:, chosen]]


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
