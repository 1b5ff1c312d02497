"""The primitive cell of a crystal that repeats itself within the given one, and the way back to that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.symmetry import find_symmetry

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    Array = NDArray[np.float64]

SYMPREC = 0.01  # angstrom: copies that differ by no more than the rounding of a file are one


@dataclass(frozen=True)
class Repeats:
    """How a given cell consists of N primitive ones.

    lattice: (3, 3), rows are the primitive vectors, angstrom, in the frame of the given cell. frac_coords: (m, 3).
    sites: for each of its atoms the first given one that is a copy. multiples: (3, 3) whole numbers, the given cell in
    primitive vectors. copy_of, shifts: for each given atom, which primitive one it is and in which primitive cell.
    """

    lattice: Array
    frac_coords: Array
    sites: tuple[int, ...]
    multiples: Array
    copy_of: NDArray[np.int64]
    shifts: Array

    def given(self, lattice: Array, frac_coords: Array) -> tuple[Array, Array]:
        """The given cell and all its atoms, (3, 3) and (n, 3), when the primitive ones have become these."""
        whole = frac_coords[self.copy_of] + self.shifts
        return self.multiples @ lattice, whole @ np.linalg.inv(self.multiples)


def find_repeats(structure: Structure, symprec: float = SYMPREC) -> Repeats | None:
    """None for a cell that is primitive already, or where copies cannot be told apart for certain.

    Species count, with their charges; site properties do not. Copies are averaged.
    """
    kinds: dict[str, int] = {}
    numbers = np.array([kinds.setdefault(s.species_string, len(kinds) + 1) for s in structure])
    lattice = np.array(structure.lattice.matrix)
    try:
        operations = find_symmetry(lattice, structure.frac_coords, numbers, symprec).operations
    except ValueError:
        return None
    same = [np.array_equal(r, np.eye(3)) for r in operations.rotations]
    translations = np.array(operations.translations, dtype=np.float64)[same]
    n = len(translations)
    if n < 2 or len(structure) % n:
        return None
    # n translations make a group of n elements, so each of them is whole after n times
    steps = np.rint(n * translations).astype(int)
    if np.abs(n * translations - steps).max() > 0.1:
        return None
    basis = _compact(_basis([*steps, *(n * np.eye(3, dtype=int))]) / n @ lattice)
    multiples = np.rint(lattice @ np.linalg.inv(basis))
    if round(abs(np.linalg.det(multiples))) != n or not np.allclose(multiples @ basis, lattice, atol=1e-6):
        return None
    frac = structure.frac_coords @ lattice @ np.linalg.inv(basis)
    copy_of, shifts = np.full(len(frac), -1), np.zeros((len(frac), 3))
    sites: list[int] = []
    for i in range(len(frac)):
        if copy_of[i] >= 0:
            continue
        away = frac - frac[i]
        cells = np.rint(away)
        near = np.linalg.norm((away - cells) @ basis, axis=1) < 4 * symprec
        copies = np.flatnonzero(near & (numbers == numbers[i]) & (copy_of < 0))
        if len(copies) != n:
            return None
        copy_of[copies], shifts[copies] = len(sites), cells[copies]
        sites.append(i)
    means = np.array([(frac - shifts)[copy_of == k].mean(axis=0) for k in range(len(sites))])
    return Repeats(basis, means, tuple(sites), multiples, copy_of, shifts)


def _basis(vectors: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """A basis (3, 3) of the lattice of all whole sums of whole vectors (Hermite's normal form)."""
    rows = np.array(vectors)
    for k in range(3):
        while np.count_nonzero(rows[k:, k]) > 1:
            below = k + np.flatnonzero(rows[k:, k])
            pivot = below[np.abs(rows[below, k]).argmin()]
            others = below[below != pivot]
            rows[others] -= (rows[others, k] // rows[pivot, k])[:, None] * rows[pivot]
        pivot = k + int(np.flatnonzero(rows[k:, k])[0])
        rows[[k, pivot]] = rows[[pivot, k]]
    return rows[:3]


def _compact(basis: Array) -> Array:
    """Short vectors of the same lattice, in the same frame, right-handed."""
    from pymatgen.core import Lattice

    reduced = np.array(Lattice(basis).get_lll_reduced_lattice().matrix)
    return reduced * np.sign(np.linalg.det(reduced))
