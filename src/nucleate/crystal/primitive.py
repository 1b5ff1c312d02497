"""The primitive cell of a crystal that is given in a larger cell, and the way back to the given cell."""

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

SYMPREC = 0.01  # angstrom; copies of an atom may differ by this much, which covers the rounding of files


@dataclass(frozen=True)
class Repeats:
    """A given cell of n atoms as a repetition of a primitive cell of m atoms.

    lattice: (3, 3), the primitive vectors in rows, in angstrom, oriented as the given cell. frac_coords: (m, 3) in the
    primitive cell. sites: for each primitive atom the index of the first given atom that is a copy of it. multiples:
    (3, 3) integers, the given vectors as multiples of the primitive ones. copy_of: (n,), for each given atom the index
    of its primitive atom; shifts: (n, 3), the primitive cell in which it is.
    """

    lattice: Array
    frac_coords: Array
    sites: tuple[int, ...]
    multiples: Array
    copy_of: NDArray[np.int64]
    shifts: Array

    def given_cell(self, lattice: Array, frac_coords: Array) -> tuple[Array, Array]:
        """The lattice (3, 3) and the coordinates (n, 3) of the given cell after the primitive cell has changed to
        `lattice` (3, 3) and `frac_coords` (m, 3), for instance in a relaxation."""
        whole = frac_coords[self.copy_of] + self.shifts
        return self.multiples @ lattice, whole @ np.linalg.inv(self.multiples)


def find_repeats(structure: Structure, symprec: float = SYMPREC) -> Repeats | None:
    """How the cell of a structure repeats its primitive cell; None if it is primitive, or if it is not certain which
    atoms are copies of each other.

    Atoms of different species or charges are different; site properties are ignored. Coordinates of copies are
    averaged.
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
    # The translations are a group of n elements, so n times each of them is a vector of the given lattice.
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
    """A basis (3, 3), in Hermite normal form, of the lattice that vectors of integers span."""
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
    """A right-handed basis of the same lattice with short vectors (LLL-reduced), in the same orientation."""
    from pymatgen.core import Lattice

    reduced = np.array(Lattice(basis).get_lll_reduced_lattice().matrix)
    return reduced * np.sign(np.linalg.det(reduced))
