"""Which space group, composition and Wyckoff positions a crystal gets where a request leaves them open."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice

import numpy as np

from nucleate.codecs.sites import SiteCodec
from nucleate.crystal.assignments import Assignment, Assignments, assignments_of_sites, compatible, possible_units
from nucleate.crystal.orbits import site_sizes
from nucleate.crystal.symmetry import symbol
from nucleate.crystal.wyckoff import GROUPS
from nucleate.errors import NucleateError
from nucleate.generators.base import Condition
from nucleate.generators.precedents import Occupied, Precedents

COMMON = 32  # space groups that paper 5 (section 5.4) searches
SHOWN = 6  # alternatives that a refusal names
LISTED = 2000  # assignments that a refusal looks at
DOUBT = 0.1  # weight of the statistics beside known crystals; a crystal of the very composition has weight 1
Counts = tuple[tuple[str, int], ...]


class Choices:
    """Drawn as known crystals have them, by two voices.

    Precedents propose the groups and positions that crystals of like elements in like numbers of atoms, or of sites
    where the composition is open, have. Statistics of the training crystals know everything that is possible: a space
    group, a composition and numbers of sites by how many such crystals there would be, were sites independent of each
    other (`Assignments.draw`). These speak as loud as `doubt`, precedents as loud as they are near.
    """

    def __init__(
        self, codec: SiteCodec, max_atoms: int, precedents: Precedents | None = None, doubt: float = DOUBT
    ) -> None:
        self.codec, self.max_atoms, self.precedents, self.doubt = codec, max_atoms, precedents, doubt
        self._cached = lru_cache(maxsize=512)(self._weighed)
        self._known = lru_cache(maxsize=512)(self._proposed)

    def options(self, condition: Condition) -> list[tuple[Assignments, float]]:
        """Space groups with compositions, and the probability of each; empty where there are none, and where elements
        alone are given, of which statistics know nothing."""
        if not condition.composition and not condition.sites:
            return []
        composition, sites = (tuple((c or {}).items()) for c in (condition.composition, condition.sites))
        return self._cached(condition.space_group, composition, sites)

    def proposed(self, condition: Condition) -> dict[Occupied, float]:
        """What known crystals say of the condition, and the weight of what they say; empty where there are none."""
        if self.precedents is None:
            return {}
        composition, sites = (tuple((c or {}).items()) for c in (condition.composition, condition.sites))
        return self._known(condition.space_group, composition, sites, condition.chemical_system or ())

    def draw(self, condition: Condition, rng: np.random.Generator) -> tuple[int, Assignment]:
        """A space group and the Wyckoff positions of all sites."""
        known = self.proposed(condition)
        options = self.options(condition)
        doubt = self.doubt if options else 0.0
        if known and rng.random() * (sum(known.values()) + doubt) >= doubt:
            voices = np.array(list(known.values()))
            return list(known)[int(rng.choice(len(known), p=voices / voices.sum()))]
        picked, _ = options[int(rng.choice(len(options), p=[p for _, p in options]))]
        return picked.space_group, picked.draw(rng)

    def draw_group(self, conditions: Sequence[Condition], groups: Sequence[int], rng: np.random.Generator) -> int:
        """One of the space groups that some of the conditions can have, all without one: as loud as precedents are, and
        as common as it is among training crystals. Raises NucleateError where there is none."""
        loud = dict.fromkeys(groups, 0.0)
        for condition in conditions:
            for (g, _), voice in self.proposed(condition).items():
                if g in loud:
                    loud[g] += voice
        crystals = {g: self.codec.crystals(g) + 1 for g in groups if any(self._can_have(g, c) for c in conditions)}
        for g, n in crystals.items():
            loud[g] += self.doubt * n / sum(crystals.values())
        total = sum(loud.values())
        if not total:
            c = conditions[0]
            words = _words(c.composition, c.sites) or f"the elements {', '.join(c.chemical_system or ())}"
            raise NucleateError(f"none of the {len(groups)} space groups asked for can have {words}")
        return groups[int(rng.choice(len(groups), p=[loud[g] / total for g in groups]))]

    def _can_have(self, space_group: int, condition: Condition) -> bool:
        """Whether anything beside precedents can be drawn."""
        if condition.composition and not condition.sites:
            return space_group in compatible(tuple(condition.composition.items()))
        return bool(self.options(dataclasses.replace(condition, space_group=space_group)))

    def log_probability(self, condition: Condition, space_group: int, sites: Assignment) -> float:
        """The logarithm of the chance of `draw` to give these sites; -inf where it cannot."""
        known = self.proposed(condition)
        loud = sum(known.values())
        chance = known.get((space_group, tuple(sorted(sites))), 0.0)
        for possible, p in self.options(condition):
            if possible.space_group == space_group:
                chance += self.doubt * p * math.exp(possible.log_probability(sites))
        return math.log(chance / (loud + self.doubt)) if chance > 0 else -math.inf

    def common(self, n: int = COMMON) -> list[int]:
        """The space groups that most training crystals have, the commonest first."""
        return sorted(GROUPS, key=lambda g: (-self.codec.crystals(g), g))[:n]

    def check(self, condition: Condition) -> None:
        """Raise NucleateError where there is nothing to draw, with what is possible instead."""
        number, composition, sites = condition.space_group, condition.composition, condition.sites
        if number is not None and number not in GROUPS:
            raise NucleateError(f"space groups have numbers 1 to 230, not {number}")
        if self.options(condition) or self.proposed(condition):
            return
        if not composition and not sites:
            elements = condition.chemical_system or ()
            among = "" if number is None else f" in space group {symbol(number)} ({number})"
            raise NucleateError(
                f"no known crystal of {len(elements)} elements{among} says where those of {'-'.join(elements)} may "
                f"be; say how many sites each has, as in {','.join(f'{e}:1' for e in elements)}"
            )
        words = _words(composition, sites)
        if number is None:
            raise NucleateError(f"no space group has Wyckoff positions for {words}; ask for other numbers of sites")
        name, most = f"space group {symbol(number)} ({number})", self.max_atoms
        sizes = sorted(set(site_sizes(number)))
        if composition is None:
            raise NucleateError(
                f"{name} has no primitive cell of up to {most} atoms with {words}, for a site of it has "
                f"{', '.join(map(str, sizes))} atoms; ask for fewer sites or another group"
            )
        if sites and (without := Assignments(number, dict(composition))).count:
            found = sorted({len(a) for a in islice(without, LISTED)})
            raise NucleateError(f"{name} cannot have {words}; it can with {', '.join(map(str, found))} sites in all")
        times = [k for k in possible_units(number, composition, most) if k > 1]
        others = compatible(tuple(composition.items()))
        instead = f"cells of {', '.join(map(str, times[:4]))} times as many atoms are possible"
        if not times:
            named = [f"{symbol(g)} ({g})" for g in self.common(len(GROUPS)) if g in others]
            instead = f"groups that have, the commonest first: {', '.join(named[:SHOWN])}"
        raise NucleateError(
            f"{name} has no Wyckoff positions for {_words(composition, None)} in a primitive cell; {instead}"
        )

    def _proposed(
        self, space_group: int | None, composition: Counts, sites: Counts, system: tuple[str, ...]
    ) -> dict[Occupied, float]:
        assert self.precedents is not None
        if not composition:
            if not sites:
                return self.precedents.of_system(system, space_group, self.max_atoms)
            return self.precedents.of_sites(dict(sites), space_group, self.max_atoms)
        every = self.precedents.of_composition(dict(composition))
        return {
            (number, occupied): voice
            for (number, occupied), voice in every.items()
            if space_group in (None, number) and (not sites or Counter(e for e, _ in occupied) == dict(sites))
        }

    def _weighed(self, space_group: int | None, composition: Counts, sites: Counts) -> list[tuple[Assignments, float]]:
        groups = [space_group] if space_group else [g for g in GROUPS if self.codec.crystals(g)]
        if composition:
            groups = [g for g in groups if g in compatible(composition)]
        found: list[tuple[Assignments, float]] = []
        for g in groups:
            known = self.codec.frequencies(g)
            if composition:
                every = [Assignments(g, dict(composition), dict(sites) or None, known)]
            else:
                every = assignments_of_sites(g, dict(sites), self.max_atoms, known)
            crystals = math.log(self.codec.crystals(g) + 1)
            found += [(a, crystals + a.log_chance) for a in every if a.count]
        if not found:
            return []
        logs = np.array([weight for _, weight in found])
        odds = np.exp(logs - logs.max())
        return [(a, float(p)) for (a, _), p in zip(found, odds / odds.sum(), strict=True)]


def _words(composition: Mapping[str, int] | None, sites: Mapping[str, int] | None) -> str:
    parts = [" ".join(f"{e}{n}" for e, n in composition.items())] if composition else []
    if sites:
        parts.append(", ".join(f"{n} site{'s' * (n > 1)} of {e}" for e, n in sites.items()))
    return " with ".join(parts)
