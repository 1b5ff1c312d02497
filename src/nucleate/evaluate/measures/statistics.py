"""Rates, means and distances with the confidence intervals that every reported number has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """`hits` of `total`, with a confidence interval as fractions of 1."""

    hits: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """The fraction, or None if `total` is 0."""
        return self.hits / self.total if self.total else None

    @property
    def percent(self) -> str:
        """The rate in per cent with its interval, "86.3 (84.1-88.2)"; "-" if `total` is 0."""
        return f"{100 * self.hits / self.total:.1f} ({100 * self.low:.1f}-{100 * self.high:.1f})" if self.total else "-"


@dataclass(frozen=True)
class Mean:
    """The mean of `count` values with a confidence interval; all are None if there are no values."""

    value: float | None
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class Distance:
    """A distance between two sets, of `n` and `n_reference` members, with a 95 % interval."""

    value: float
    low: float
    high: float
    n: int
    n_reference: int


def wilson(hits: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a binomial rate, as fractions (E. B. Wilson, JASA 22, 209, 1927).

    Unlike the normal approximation it is also correct near 0 and 1. Without trials it is (0, 1). Raises ValueError if
    `hits` is negative or larger than `total`.
    """
    if not 0 <= hits <= total:
        raise ValueError(f"{hits} hits of {total}")
    if total == 0:
        return 0.0, 1.0
    from scipy.stats import binomtest  # takes long to import

    found = binomtest(hits, total).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)


def rate(hits: int, total: int, confidence: float = 0.95) -> Rate:
    """`hits` of `total` with Wilson's interval."""
    return Rate(hits, total, *wilson(hits, total, confidence))


def bootstrap_mean(
    values: Sequence[float], confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """The percentile bootstrap interval of the mean (Efron 1979). The same values and seed give the same interval."""
    import numpy as np

    if not len(values):
        raise ValueError("no values to resample")
    data = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    # One resample at a time needs little memory, however many values there are.
    means = np.array([data[rng.integers(0, len(data), len(data))].mean() for _ in range(resamples)])
    tail = 50 * (1 - confidence)
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def mean(values: Sequence[float], confidence: float = 0.95, resamples: int = 2000, seed: int = 0) -> Mean:
    """The mean with its bootstrap interval; the fields are None if there are no values."""
    if not len(values):
        return Mean(None, None, None, 0)
    low, high = bootstrap_mean(values, confidence, resamples, seed)
    return Mean(math.fsum(values) / len(values), low, high, len(values))
