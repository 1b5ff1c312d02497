"""Wyckoff patterns: which sets of equivalent atoms a structure type has, whatever the elements on them.

A pattern is a space group and, for each of its slots, the Wyckoff positions of the atoms that belong together because
they are of one element. Two crystals have the same pattern if a change of setting (`crystal.normalisers`) and new names
for the elements make their positions the same. What elements then are in which slot makes the pattern a decorated
prototype: perovskite has one pattern, and SrTiO3 and TiSrO3 (Ti in the large cage) are two decorated prototypes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations, product
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.normalisers import normaliser
from nucleate.crystal.wyckoff import get_space_group

if TYPE_CHECKING:
    from numpy.typing import NDArray

Places = tuple[tuple[int, ...], ...]  # of each slot, or element, the places of its Wyckoff positions in the group
MOST_LIKE = 6  # slots with the very same positions whose exchanges are all listed


@dataclass(frozen=True)
class WyckoffPattern:
    """space_group: 1 to 230. slots: of each slot the places of its Wyckoff positions; slots come by their number of
    atoms, then by their positions, in the setting in which this list is the first."""

    space_group: int
    slots: Places

    @property
    def counts(self) -> tuple[int, ...]:
        """Atoms in each slot, in the primitive cell."""
        positions = get_space_group(self.space_group).positions
        return tuple(sum(positions[i].size for i in own) for own in self.slots)

    @property
    def free(self) -> int:
        """Free coordinates of all sites together."""
        positions = get_space_group(self.space_group).positions
        return sum(positions[i].free for own in self.slots for i in own)


@dataclass(frozen=True)
class PatternOfElements:
    """The pattern of a crystal. orders: which element is in each slot, one tuple for every way in which the elements
    can be put into the slots, the first of which is always the same for the same crystal."""

    pattern: WyckoffPattern
    orders: tuple[tuple[int, ...], ...]


def pattern_of(space_group: int, places: Places) -> PatternOfElements:
    """The pattern of a crystal; places: of each element the places of its Wyckoff positions in the space group."""
    positions = get_space_group(space_group).positions
    counts = [sum(positions[i].size for i in own) for own in places]
    moved = distinct_settings(space_group)
    sorted_places = [np.sort(moved[:, list(own)], axis=1) for own in places]
    ends = np.cumsum([len(own) for own in places])[:-1]
    best: tuple[tuple[int, tuple[int, ...]], ...] | None = None
    orders: list[tuple[int, ...]] = []
    for setting in np.unique(np.concatenate(sorted_places, axis=1), axis=0):
        own = [tuple(part.tolist()) for part in np.split(setting, ends)]
        ordered = sorted(zip(counts, own, range(len(own)), strict=True))
        key = tuple((n, letters) for n, letters, _ in ordered)
        if best is None or key < best:
            best, orders = key, []
        if key == best:
            orders.append(tuple(i for _, _, i in ordered))
    assert best is not None
    slots = tuple(letters for _, letters in best)
    exchanges = _exchanges(best)
    every = {tuple(order[i] for i in exchange) for order in orders for exchange in exchanges}
    return PatternOfElements(WyckoffPattern(space_group, slots), (orders[0], *sorted(every - {orders[0]})))


def automorphisms(pattern: WyckoffPattern) -> tuple[tuple[int, ...], ...]:
    """The permutations of slots that a change of setting undoes, the identity first: decorated prototypes that differ
    by one of them are the same. Those of NaCl exchange its two slots."""
    identity = tuple(range(len(pattern.slots)))
    every = set(pattern_of(pattern.space_group, pattern.slots).orders)
    return (identity, *sorted(every - {identity}))


@lru_cache(maxsize=230)
def distinct_settings(space_group: int) -> NDArray[np.int64]:
    """The place that each Wyckoff position takes in each of the settings (K, P) in which places differ."""
    return np.unique(normaliser(space_group).letters, axis=0)


def _exchanges(slots: Sequence[object]) -> list[tuple[int, ...]]:
    """The permutations that exchange equal slots alone, the identity first; of more than MOST_LIKE equal ones none."""
    groups: dict[object, list[int]] = {}
    for i, slot in enumerate(slots):
        groups.setdefault(slot, []).append(i)
    own = [list(permutations(g)) if len(g) <= MOST_LIKE else [tuple(g)] for g in groups.values()]
    out = []
    for chosen in product(*own):
        exchange = list(range(len(slots)))
        for group, order in zip(groups.values(), chosen, strict=True):
            for i, j in zip(group, order, strict=True):
                exchange[i] = j
        out.append(tuple(exchange))
    return out
