"""Colourings that keep much symmetry, where there are too many colourings to look at all.

A colouring that keeps a group of operations has one colour on each set of sites that the group makes equivalent. So the
sets of every group that one or two operations generate are found, the largest groups first, and the colours are put on
sets instead of sites.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[np.uint8]
    Sites = NDArray[np.int64]

MOST_GROUPS = 4000  # pairs of operations are tried at once


def symmetric_colourings(
    groups: Sites, counts: Sequence[Sequence[int]], permutations: Sites, most: int
) -> tuple[Labels, int]:
    """Colourings (N, n) that keep large groups of operations, about `most` of them, and the index up to which they are
    complete: every colouring that keeps a group of at most this index, of those that one or two operations generate, is
    among them. 0: not even those of the whole group are.

    groups, counts: as in `crystal.colourings.all_colourings`. permutations: (P, n), a group.
    """
    group = np.unique(permutations, axis=0)
    found: list[Labels] = []
    total, complete = 0, 0
    for index, sets in _sets_of_subgroups(group):
        many = _count(sets, groups, counts)
        if total + many > most:
            return _joined(found, len(groups)), complete
        complete = index
        if many:
            found.append(_on_sets(sets, groups, counts))
            total += many
    return _joined(found, len(groups)), complete


def _joined(found: Sequence[Labels], sites: int) -> Labels:
    return np.unique(np.concatenate(found), axis=0) if found else np.zeros((0, sites), dtype=np.uint8)


def _sets_of_subgroups(group: Sites) -> Iterator[tuple[int, Sites]]:
    """For each group that one or two operations generate, up to conjugation: its index, and for each site (n,) the
    first site that is equivalent to it. Small indices come first; different groups with the same sets count as one, the
    largest."""
    firsts = _one_of_each_class(group)
    every = []
    for first in firsts:
        for start in range(0, len(group), MOST_GROUPS):
            every.append(_equivalent(group[first], group[start : start + MOST_GROUPS]))
    sets = np.unique(np.concatenate(every), axis=0)
    orders = np.array([int((own[group] == own).all(1).sum()) for own in sets])
    for i in np.lexsort((np.arange(len(sets)), -orders)):
        yield len(group) // int(orders[i]), sets[i]


def _one_of_each_class(group: Sites) -> list[int]:
    """One operation of each class of conjugate ones."""
    number = {row.tobytes(): i for i, row in enumerate(group)}
    inverses = np.argsort(group, axis=1)
    left = np.ones(len(group), dtype=bool)
    out = []
    for i, operation in enumerate(group):
        if not left[i]:
            continue
        out.append(i)
        conjugates = np.take_along_axis(group, operation[inverses], axis=1)
        for row in conjugates:
            left[number[row.tobytes()]] = False
    return out


def _equivalent(first: Sites, others: Sites) -> Sites:
    """For each of the operations `others` (B, n), the sets of sites that it and `first` (n,) make equivalent, as the
    first site of the set of each site."""
    own = np.tile(np.arange(len(first)), (len(others), 1))
    while True:
        nearer = np.minimum(own, own[:, first])
        nearer = np.minimum(nearer, np.take_along_axis(nearer, others, axis=1))
        back = np.take_along_axis(nearer, nearer, axis=1)
        if (back == own).all():
            return own
        own = back


def _sets_by_size(sets: Sites, groups: Sites, group: int) -> list[Sites]:
    """The sets of sites of a group of sites, large ones first."""
    own = np.flatnonzero(groups == group)
    return sorted((np.flatnonzero(sets == first) for first in np.unique(sets[own])), key=lambda some: -len(some))


def _reachable(sizes: Sequence[int], counts: Sequence[int]) -> list[dict[tuple[int, ...], int]]:
    """For each set, and after the last one: the numbers of sites of each colour that may be left before it, and in how
    many ways the sets from there on fill them exactly."""
    ways = [{(0,) * len(counts): 1}]
    for size in reversed(sizes):
        before: dict[tuple[int, ...], int] = {}
        for rest, n in ways[-1].items():
            for colour, most in enumerate(counts):
                if rest[colour] + size <= most:
                    key = (*rest[:colour], rest[colour] + size, *rest[colour + 1 :])
                    before[key] = before.get(key, 0) + n
        ways.append(before)
    return ways[::-1]


def _count(sets: Sites, groups: Sites, counts: Sequence[Sequence[int]]) -> int:
    """The number of colourings with one colour on each set."""
    out = 1
    for group, own in enumerate(counts):
        sizes = [len(some) for some in _sets_by_size(sets, groups, group)]
        out *= _reachable(sizes, own)[0].get(tuple(own), 0)
        if not out:
            return 0
    return out


def _on_sets(sets: Sites, groups: Sites, counts: Sequence[Sequence[int]]) -> Labels:
    """Every colouring (N, n) with one colour on each set."""
    out: Labels = np.zeros((1, len(groups)), dtype=np.uint8)
    for group, own in enumerate(counts):
        blocks = _sets_by_size(sets, groups, group)
        ways = _reachable([len(some) for some in blocks], own)
        bases = np.cumprod([1, *(n + 1 for n in own)])[:-1]  # a number for what is left of all colours
        colours, left = np.zeros((1, 0), dtype=np.uint8), np.array([own])
        for block, after in zip(blocks, ways[1:], strict=True):
            possible = np.array(list(after)) @ bases
            new = left[:, None] - len(block) * np.eye(len(own), dtype=np.int64)
            kept, colour = np.nonzero((new >= 0).all(2) & np.isin(new @ bases, possible))
            colours = np.column_stack([colours[kept], colour.astype(np.uint8)])
            left = new[kept, colour]
        some = np.zeros((len(colours), len(groups)), dtype=np.uint8)
        for block, column in zip(blocks, colours.T, strict=True):
            some[:, block] = column[:, None]
        out = (out[:, None] + some).reshape(-1, len(groups))
    return out
