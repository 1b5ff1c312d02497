"""The volume that an atom of each element takes in known crystals."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.elements import SYMBOLS, atomic_number

if TYPE_CHECKING:
    from numpy.typing import NDArray


@cache
def atomic_volumes() -> NDArray[np.float64]:
    """Volume of an atom by atomic number (119,), cubic angstrom; nan for elements without a known crystal.

    The volumes of the known crystals in the shipped reference set are fitted as sums over their atoms, by non-negative
    least squares on the relative errors. `generators.template_library` does the same with its templates.
    """
    from scipy.optimize import nnls

    from nucleate.hull.load import load_reference

    known = load_reference()
    counts = np.zeros((len(known), len(SYMBOLS) + 1))
    for row, key in enumerate(known.keys):
        for symbol, n in key:
            counts[row, atomic_number(symbol)] = n
    rows = known.volumes > 0
    counts = (counts / counts.sum(1, keepdims=True))[rows]
    present = np.flatnonzero(counts.any(axis=0))
    out = np.full(counts.shape[1], np.nan)
    out[present] = nnls(counts[:, present] / known.volumes[rows, None], np.ones(int(rows.sum())))[0]
    return out
