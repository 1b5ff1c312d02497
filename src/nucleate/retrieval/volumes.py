"""Volumes of atoms, by which the cell of a known crystal is scaled when other elements take the places of its own."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.elements import SYMBOLS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.library.library import Library


@lru_cache(maxsize=8)
def atomic_volumes(library: Library) -> NDArray[np.float64]:
    """Volume of an atom by atomic number (119,), cubic angstrom; nan for elements without a known crystal.

    The volumes of the cells are fitted as sums over their atoms, by non-negative least squares on the relative errors
    (by the normal equations, because the crystals are many).
    """
    from scipy.linalg import cholesky, solve_triangular
    from scipy.optimize import nnls

    table, visible = library.table, library.visible
    rows = np.arange(len(table)) if visible is None else np.flatnonzero(visible)
    elements, size = table.elements[rows].astype(np.int64), len(SYMBOLS) + 1
    shares = table.counts[rows] / table.volumes[rows, None]  # atoms of each element in a cubic angstrom
    squares, sums = np.zeros(size * size), np.bincount(elements.ravel(), shares.ravel(), size)
    for i in range(elements.shape[1]):
        for j in range(elements.shape[1]):
            squares += np.bincount(size * elements[:, i] + elements[:, j], shares[:, i] * shares[:, j], size**2)
    present = np.flatnonzero(sums)  # 0, which stands for no element, has no atoms
    normal = squares.reshape(size, size)[np.ix_(present, present)]
    root = cholesky(normal + 1e-12 * np.trace(normal) * np.eye(len(present)))
    out = np.full(size, np.nan)
    out[present] = nnls(root, solve_triangular(root, sums[present], trans="T"))[0]
    return out
