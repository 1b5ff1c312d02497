"""Electrostatic energies of many arrangements of ions on the same sites, by Ewald's sums as one matrix.

The energy of point charges q in a cell is 1/2 q A q, where A depends on the sites alone (Ewald, Ann. Phys. 369, 253
(1921); Toukmaji and Board, Comput. Phys. Commun. 95, 73 (1996), eqs. 2 to 5). A charged cell gets a uniform background.
"""

from __future__ import annotations

import itertools
from math import pi
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

COULOMB = 14.399645  # e^2 / (4 pi eps0) in eV angstrom
TERMS = 12.0
AT_ONCE = 2_000_000  # numbers of a block of work
SAME = 1e-6  # angstrom; sites at the same place, of which one is empty, do not act on each other


def ewald_matrix(lattice: Array, positions: Array, terms: float = TERMS) -> Array:
    """The matrix A (N, N) in eV/e^2. lattice: (3, 3), vectors in rows, angstrom. positions: (N, 3), fractional.
    terms: both sums end where their terms are exp(-terms) of the first; with TERMS energies are right to about 1e-5 of
    themselves."""
    from pymatgen.core import Lattice
    from scipy.special import erfc

    cell = np.array(Lattice(lattice).get_lll_reduced_lattice().matrix)
    points = (positions @ lattice) @ np.linalg.inv(cell) % 1.0
    count, volume = len(points), abs(float(np.linalg.det(cell)))
    width = (pi**3 * count / volume**2) ** (1 / 6)  # of the charge clouds: work is the same for both sums
    near, far = terms**0.5 / width, 2 * width * terms**0.5
    away = points[:, None] - points
    away -= np.round(away)
    out = np.zeros((count, count))
    heights = volume / np.linalg.norm(np.cross(np.roll(cell, -1, axis=0), np.roll(cell, -2, axis=0)), axis=1)
    shifts = _grid(np.ceil(near / heights + 0.5))
    step = max(1, AT_ONCE // count**2)
    for start in range(0, len(shifts), step):
        vectors = (away[:, :, None] + shifts[start : start + step]) @ cell
        lengths = np.sqrt((vectors**2).sum(-1))
        used = (lengths > SAME) & (lengths < near)
        inverse = np.zeros_like(lengths)
        inverse[used] = erfc(width * lengths[used]) / lengths[used]
        out += inverse.sum(-1)
    waves = 2 * pi * np.linalg.inv(cell).T
    numbers = _grid(np.ceil(far * np.linalg.norm(cell, axis=1) / (2 * pi)))
    numbers = numbers[_first_of_pairs(numbers)]
    squares = ((numbers @ waves) ** 2).sum(1)
    numbers, squares = numbers[squares < far**2], squares[squares < far**2]
    weights = 2 * 4 * pi / volume * np.exp(-squares / (4 * width**2)) / squares
    phases = 2 * pi * points @ numbers.T
    cosines, sines = np.cos(phases), np.sin(phases)
    out += (cosines * weights) @ cosines.T + (sines * weights) @ sines.T
    out[np.diag_indices(count)] -= 2 * width / pi**0.5
    out -= pi / (volume * width**2)
    return np.asarray(COULOMB * out)


def energies_of_charges(matrix: Array, charges: Array) -> Array:
    """The energies (K,) in eV of charges (K, N) in e on the sites of `ewald_matrix`."""
    return np.asarray(0.5 * ((charges @ matrix) * charges).sum(-1))


def _grid(most: Array) -> NDArray[np.int64]:
    ranges = [range(-int(n), int(n) + 1) for n in most]
    return np.array(list(itertools.product(*ranges)), dtype=np.int64)


def _first_of_pairs(numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of each pair of opposite vectors the one that is positive; not the zero."""
    a, b, c = numbers.T
    return np.asarray((a > 0) | ((a == 0) & ((b > 0) | ((b == 0) & (c > 0)))))
