"""Descriptors of compositions: 290 numbers from 58 features of the elements, as in CSPML.

The definition is that of Kusaba, Liu, Yoshida, Comput. Mater. Sci. 211, 111496 (2022), section 2.3, with the elemental
features of XenonPy: weighted mean, weighted sum, weighted variance, minimum and maximum over the elements of the
formula.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.elements import SYMBOLS, atomic_number
from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

STATISTICS = ("mean", "sum", "variance", "minimum", "maximum")
CHUNK = 4096  # compositions that are computed at once; 4096 x 8 elements x 58 features are 15 MB


def descriptors(compositions: Sequence[Mapping[str, int]]) -> Array:
    """Descriptors (n, 290): first the mean of all 58 features, then the sum of all, and so on through `STATISTICS`.
    `descriptor_names` names them.

    compositions: element -> atoms. They are reduced first, because the sum depends on the size of the formula. A row is
    NaN if an element has no descriptors (`without_descriptors`). Raises NucleateError for an empty composition, for
    numbers of atoms that are not positive integers, and for symbols that are not elements.
    """
    out = np.full((len(compositions), len(descriptor_names())), np.nan)
    for start in range(0, len(compositions), CHUNK):
        out[start : start + CHUNK] = _chunk(compositions[start : start + CHUNK])
    return out


def without_descriptors(composition: Mapping[str, int]) -> list[str]:
    """The elements of a composition that are not in the table of features (those after plutonium)."""
    known = _table()[1]
    return sorted(s for s in composition if np.isnan(known[atomic_number(s), 0]))


def descriptor_names() -> tuple[str, ...]:
    """Names of the 290 descriptors, such as "mean electron_negativity"."""
    return tuple(f"{statistic} {name}" for statistic in STATISTICS for name in _table()[0])


def _chunk(compositions: Sequence[Mapping[str, int]]) -> Array:
    width = max(map(len, compositions))
    numbers = np.zeros((len(compositions), width), dtype=np.int64)
    counts = np.zeros((len(compositions), width))
    for i, composition in enumerate(compositions):
        amounts = list(composition.values())
        if not amounts or any(n < 1 or n != int(n) for n in amounts):
            raise NucleateError(f"a composition needs positive whole numbers of atoms, not {dict(composition)}")
        numbers[i, : len(amounts)] = [atomic_number(s) for s in composition]
        counts[i, : len(amounts)] = np.array(amounts) // np.gcd.reduce([int(n) for n in amounts])
    here = counts > 0
    weights = counts / counts.sum(axis=1, keepdims=True)
    values = np.where(here[..., None], _table()[1][numbers], 0.0)  # (n, elements, 58)
    mean = np.einsum("ne,nef->nf", weights, values)
    total = np.einsum("ne,nef->nf", counts, values)
    variance = np.einsum("ne,nef->nf", weights, (values - mean[:, None]) ** 2)
    low = np.where(here[..., None], values, np.inf).min(axis=1)
    high = np.where(here[..., None], values, -np.inf).max(axis=1)
    return np.concatenate([mean, total, variance, low, high], axis=1)


@cache
def _table() -> tuple[tuple[str, ...], Array]:
    """Names of the features, and their values (119, 58) by atomic number; NaN for elements that the table lacks."""
    text = (resources.files("nucleate.chem") / "tables" / "xenonpy.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(line for line in text.splitlines() if not line.startswith("#"))
    values = np.full((len(SYMBOLS) + 1, len(header) - 1), np.nan)
    for symbol, *cells in rows:
        values[atomic_number(symbol)] = [float(c) for c in cells]
    return tuple(header[1:]), values
