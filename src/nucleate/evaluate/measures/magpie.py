"""Magpie features of compositions, vectorised. They are the compositional part of CDVAE's COV metrics.

They are statistics of 22 elemental properties (L. Ward et al., npj Comput. Mater. 2, 16028 (2016)), and equal those of
matminer's `ElementProperty.from_preset("magpie", impute_nan=False)`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.chem.elements import SYMBOLS, atomic_number
from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Composition

    Array = NDArray[np.float64]

STATISTICS = ("minimum", "maximum", "range", "mean", "avg_dev", "mode")
ISOTOPES = {"D": "H", "T": "H"}


def magpie_features(compositions: Sequence[Mapping[str, float] | Composition]) -> Array:
    """The features (n, 132): `STATISTICS` of the first property, then of the second and so on; `labels` names them.

    compositions: amounts by element symbol, in any unit, or pymatgen's compositions. The weights are the shares of the
    elements. "mode" is the property of the element with the largest share; among equal shares, the smallest value. If a
    property of an element is not known, the feature is nan, as in the published protocol (CDVAE); recent versions of
    matminer put in the mean over all elements by default. Raises NucleateError for an empty composition, for an amount
    that is negative or not finite, and for a name that is not an element.
    """
    numbers, amounts = _padded(compositions)
    here = amounts > 0
    weights = amounts / amounts.sum(axis=1, keepdims=True)
    # as in numpy.isclose, with which matminer finds the most frequent elements
    most = here & (amounts >= amounts.max(axis=1, keepdims=True) * (1 - 1e-5) - 1e-8)
    values = _table()[1][numbers]  # (n, elements, 22)
    known = np.where(here[..., None], values, 0.0)
    low = np.where(here[..., None], values, np.inf).min(axis=1)
    high = np.where(here[..., None], values, -np.inf).max(axis=1)
    mean = np.einsum("ne,nep->np", weights, known)
    deviation = np.einsum("ne,nep->np", weights, np.abs(known - mean[:, None]))
    mode = np.where(most[..., None], values, np.inf).min(axis=1)
    return np.stack([low, high, high - low, mean, deviation, mode], axis=2).reshape(len(numbers), len(labels()))


def normalise(features: Array) -> Array:
    """(features - mean) / standard deviation, (n, 132); 0 for a feature that is nan.

    The constants are those of CDVAE's protocol (T. Xie et al., ICLR 2022), so that its distances and cut-offs for the
    COV metrics are in these units.
    """
    mean, deviation = _scaler()
    return np.nan_to_num((np.asarray(features, dtype=float) - mean) / deviation, nan=0.0)


def labels() -> tuple[str, ...]:
    """The names of the 132 features, such as "mean Electronegativity"."""
    return tuple(f"{statistic} {name}" for name in _table()[0] for statistic in STATISTICS)


def _padded(compositions: Sequence[Mapping[str, float] | Composition]) -> tuple[NDArray[np.int64], Array]:
    """Atomic numbers and amounts (n, largest number of elements), padded with 0."""
    rows = []
    for i, composition in enumerate(compositions):
        try:
            rows.append(_amounts(composition))
        except NucleateError as error:
            raise NucleateError(f"composition {i + 1} of {len(compositions)}: {error}") from None
    width = max((len(row) for row in rows), default=1)
    numbers = np.zeros((len(rows), width), dtype=np.int64)
    amounts = np.zeros((len(rows), width))
    for i, row in enumerate(rows):
        numbers[i, : len(row)] = list(row)
        amounts[i, : len(row)] = list(row.values())
    return numbers, amounts


def _amounts(composition: Mapping[Any, float] | Composition) -> dict[int, float]:
    """Atomic number -> amount; oxidation states are ignored."""
    out: dict[int, float] = {}
    for species, amount in composition.items():
        name = (
            species if isinstance(species, str) else str(getattr(getattr(species, "element", species), "name", species))
        )
        if not 0 <= amount < np.inf:
            raise NucleateError(f"the amount of {name} is {amount}; it must be a positive number")
        if amount > 0:
            z = atomic_number(ISOTOPES.get(name, name))
            out[z] = out.get(z, 0.0) + float(amount)
    if not out:
        raise NucleateError("it has no atoms")
    return out


@cache
def _table() -> tuple[tuple[str, ...], Array]:
    """The names of the properties, and their values (119, 22) by atomic number."""
    header, *rows = _read("magpie.csv")
    values = np.full((len(SYMBOLS) + 1, len(header) - 1), np.nan)
    for symbol, *cells in rows:
        values[atomic_number(symbol)] = [float(c) if c else np.nan for c in cells]
    return tuple(header[1:]), values


@cache
def _scaler() -> tuple[Array, Array]:
    """The mean and the standard deviation of each feature in CDVAE's protocol, both (132,)."""
    rows = {name: (float(mean), float(deviation)) for name, mean, deviation in _read("cdvae_scaler.csv")[1:]}
    table = np.array([rows[name] for name in labels()])
    return table[:, 0], table[:, 1]


def _read(name: str) -> list[list[str]]:
    """The rows of a table, first its header; comment lines start with #."""
    text = (resources.files("nucleate.evaluate.measures") / "tables" / name).read_text(encoding="utf-8")
    return list(csv.reader(line for line in text.splitlines() if not line.startswith("#")))
