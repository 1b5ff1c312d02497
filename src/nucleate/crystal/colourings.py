"""Ways to put species on sites, and which of them a group of permutations turns into each other.

A colouring gives every site the number of a species. Two colourings are the same crystal if an operation that permutes
the sites turns one into the other (Hart and Forcade, Phys. Rev. B 77, 224115 (2008)). Colourings are compared by whole
numbers that name them exactly; nothing is compared by hashes that might agree by chance.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[np.uint8]
    Permutations = NDArray[np.int64]

EXACT = 53  # bits of a whole number that a float holds exactly
AT_ONCE = 4_000_000  # numbers of a block of work


@dataclass(frozen=True, eq=False)
class DistinctColourings:
    """One colouring of each set of equivalent ones. labels: (K, n). sizes: (K,), how many colourings are equivalent to
    each. primitive: (K,), whether no translation of the given ones keeps it."""

    labels: Labels
    sizes: NDArray[np.int64]
    primitive: NDArray[np.bool_]


def count_colourings(counts: Sequence[Sequence[int]]) -> int:
    """The number of colourings. counts: for each group of sites the number of sites of each species."""
    return math.prod(_multinomial(group) for group in counts)


def all_colourings(groups: NDArray[np.int64], counts: Sequence[Sequence[int]]) -> Labels:
    """Every colouring, (N, n). groups: (n,), the number of the group of each site. counts: as in `count_colourings`;
    they add up to the sites of each group."""
    out: Labels = np.zeros((1, len(groups)), dtype=np.uint8)
    for group, own in enumerate(counts):
        sites = np.flatnonzero(groups == group)
        some = _labelings(len(sites), tuple(own))
        before = len(out)
        out = np.repeat(out, len(some), axis=0)
        out[:, sites] = np.tile(some, (before, 1))
    return out


def random_colourings(
    groups: NDArray[np.int64], counts: Sequence[Sequence[int]], number: int, rng: np.random.Generator
) -> Labels:
    """Colourings (number, n), each drawn with the same probability; the arguments are those of `all_colourings`."""
    out: Labels = np.zeros((number, len(groups)), dtype=np.uint8)
    for group, own in enumerate(counts):
        sites = np.flatnonzero(groups == group)
        one = np.repeat(np.arange(len(own), dtype=np.uint8), own)
        out[:, sites] = rng.permuted(np.tile(one, (number, 1)), axis=1)
    return out


def distinct_colourings(labels: Labels, permutations: Permutations, translations: Permutations) -> DistinctColourings:
    """One of each set of equivalent colourings among the given ones (N, n): the first that is given.

    permutations: (P, n), a group, with each operation once or more often. translations: (T, n), those of its operations
    other than the identity that are translations.
    """
    group = np.unique(permutations, axis=0)
    smallest = _smallest_names(labels, group)
    flat = smallest[:, 0] if smallest.shape[1] == 1 else smallest
    _, first = np.unique(flat, axis=0, return_index=True)
    chosen = labels[np.sort(first)]
    kept = _kept_by(chosen, group)
    primitive = np.ones(len(chosen), dtype=bool)
    for step in translations:
        primitive &= (chosen[:, step] != chosen).any(1)
    return DistinctColourings(chosen, len(group) // kept, primitive)


def _smallest_names(labels: Labels, group: Permutations) -> NDArray[np.float64]:
    """The smallest name (N, words) that a colouring has under the permutations; names are compared word by word."""
    weights = _weights(labels.shape[1], int(labels.max(initial=0)) + 1)
    out = np.empty((len(labels), len(weights)))
    step = max(1, AT_ONCE // len(group))
    for start in range(0, len(labels), step):
        own = labels[start : start + step].astype(np.float64)
        least = np.ones((len(own), len(group)), dtype=bool)
        for word, weight in enumerate(weights):
            names = own @ weight[group].T
            if word:
                names[~least] = np.inf
            smallest = names.min(axis=1)
            out[start : start + step, word] = smallest
            if word + 1 < len(weights):
                least &= names == smallest[:, None]
    return out


def _kept_by(labels: Labels, group: Permutations) -> NDArray[np.int64]:
    """By how many of the permutations each colouring is kept, (K,)."""
    weights = _weights(labels.shape[1], int(labels.max(initial=0)) + 1)
    out = np.empty(len(labels), dtype=np.int64)
    step = max(1, AT_ONCE // len(group))
    for start in range(0, len(labels), step):
        own = labels[start : start + step].astype(np.float64)
        same = np.ones((len(own), len(group)), dtype=bool)
        for weight in weights:
            same &= own @ weight[group].T == (own @ weight)[:, None]
        out[start : start + step] = same.sum(1)
    return out


def _weights(sites: int, colours: int) -> list[NDArray[np.float64]]:
    """What each site counts in each word of a name, (n,): powers of the number of colours, so that a word names the
    colours of its sites and is below 2^53."""
    many = max(1, int(EXACT / math.log2(max(colours, 2))))
    out = []
    for start in range(0, max(sites, 1), many):
        weight = np.zeros(sites)
        own = np.arange(start, min(start + many, sites))
        weight[own] = float(max(colours, 2)) ** np.arange(len(own))
        out.append(weight)
    return out


def _labelings(length: int, counts: tuple[int, ...]) -> Labels:
    """Every sequence in which label k occurs counts[k] times, (N, length)."""
    out: Labels = np.full((1, length), len(counts) - 1, dtype=np.uint8)
    free = np.arange(length)[None]
    for label, number in enumerate(counts[:-1]):
        chosen, left = _choices(free.shape[1], number)
        before, many = len(out), len(chosen)
        out = np.repeat(out, many, axis=0)
        wide = np.repeat(free, many, axis=0)
        np.put_along_axis(out, np.take_along_axis(wide, np.tile(chosen, (before, 1)), axis=1), label, axis=1)
        free = np.take_along_axis(wide, np.tile(left, (before, 1)), axis=1)
    return out


@lru_cache(maxsize=8)
def _choices(length: int, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every choice of `number` of the places, (N, number), and the places that each leaves."""
    every = list(itertools.combinations(range(length), number))
    chosen = np.array(every, dtype=np.int64).reshape(len(every), number)
    taken = np.zeros((len(chosen), length), dtype=bool)
    np.put_along_axis(taken, chosen, True, axis=1)
    return chosen, np.nonzero(~taken)[1].reshape(len(chosen), length - number)


def _multinomial(counts: Sequence[int]) -> int:
    out, total = 1, 0
    for n in counts:
        total += n
        out *= math.comb(total, n)
    return out
