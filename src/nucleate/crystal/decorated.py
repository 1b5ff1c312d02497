"""Decorated prototypes: which elements are on which Wyckoff positions of a space group, whatever the geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.elements import SYMBOLS, WRITING_ORDER, atomic_number, element_symbol
from nucleate.crystal.wyckoff import get_space_group
from nucleate.crystal.wyckoff_patterns import Places, distinct_settings

if TYPE_CHECKING:
    from nucleate.crystal.assignments import Assignment
    from nucleate.crystal.canonical import CanonicalCrystal

_ORDER = (-1, *(WRITING_ORDER[s] for s in SYMBOLS))


@dataclass(frozen=True, order=True)
class DecoratedPrototype:
    """elements: atomic numbers, in the order in which formulas are written. space_group: 1 to 230. places: of each
    element the places of its Wyckoff positions in the group's table, ascending.

    Two of them with different letters are the same crystals where a change of setting (`crystal.normalisers`) makes
    them equal; `canonical` is then the same.
    """

    elements: tuple[int, ...]
    space_group: int
    places: Places

    @classmethod
    def of(cls, space_group: int, places: Mapping[int, Sequence[int]]) -> DecoratedPrototype:
        """From places by atomic number, in whatever order, in canonical form."""
        elements = tuple(sorted(places, key=lambda z: _ORDER[z]))
        return cls(elements, space_group, canonical_places(space_group, tuple(tuple(places[z]) for z in elements)))

    @classmethod
    def of_crystal(cls, crystal: CanonicalCrystal) -> DecoratedPrototype:
        """That of a crystal in canonical form."""
        table = get_space_group(crystal.space_group)
        places: dict[int, list[int]] = {}
        for site in crystal.orbits:
            places.setdefault(site.atomic_number, []).append(table.index(site.letter))
        return cls.of(crystal.space_group, places)

    @property
    def counts(self) -> tuple[int, ...]:
        """Atoms of each element in the primitive cell."""
        positions = get_space_group(self.space_group).positions
        return tuple(sum(positions[i].size for i in own) for own in self.places)

    @property
    def units(self) -> int:
        """Formula units in the primitive cell."""
        return gcd(*self.counts)

    @property
    def composition(self) -> dict[str, int]:
        """Symbol -> atoms in the primitive cell."""
        return dict(zip(map(element_symbol, self.elements), self.counts, strict=True))

    @property
    def sites(self) -> Assignment:
        """(symbol, Wyckoff letter) of each set of equivalent atoms, as adaptive cells take them."""
        letters = [p.letter for p in get_space_group(self.space_group).positions]
        pairs = zip(self.elements, self.places, strict=True)
        return tuple(sorted((element_symbol(z), letters[i]) for z, own in pairs for i in own))

    def canonical(self) -> DecoratedPrototype:
        """The same in the setting whose places come first."""
        return DecoratedPrototype(self.elements, self.space_group, self.settings()[0])

    def settings(self) -> tuple[Places, ...]:
        """The places in all standard settings of the group, each once, in order."""
        return settings_of_places(self.space_group, self.places)


def in_writing_order(composition: Mapping[str, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The atomic numbers of a composition (symbol -> atoms, of any multiple) in the order in which formulas are
    written, and the atoms of each in a formula unit."""
    symbols = sorted(composition, key=lambda s: WRITING_ORDER[s])
    divisor = gcd(*composition.values())
    return tuple(map(atomic_number, symbols)), tuple(composition[s] // divisor for s in symbols)


def canonical_places(space_group: int, places: Places) -> Places:
    """The first of `settings_of_places`."""
    return settings_of_places(space_group, places)[0]


@lru_cache(maxsize=65536)
def settings_of_places(space_group: int, places: Places) -> tuple[Places, ...]:
    """The positions of each element in all standard settings of a group, each once, in order: the first is the
    canonical one."""
    moved = distinct_settings(space_group)
    own = [np.sort(moved[:, list(part)], axis=1) for part in places]
    ends = np.cumsum([len(part) for part in places])[:-1]
    every = np.unique(np.concatenate(own, axis=1), axis=0)
    return tuple(tuple(tuple(p.tolist()) for p in np.split(row, ends)) for row in every)
