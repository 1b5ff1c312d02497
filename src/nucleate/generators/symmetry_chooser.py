"""Draws space group, composition and Wyckoff positions of a crystal where a request leaves them open."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice

import numpy as np

from nucleate.codecs.sites import SiteCodec
from nucleate.crystal.assignments import (
    Assignment,
    Assignments,
    assignments_of_sites,
    compatible_space_groups,
    possible_units,
)
from nucleate.crystal.normalisers import normaliser
from nucleate.crystal.orbits import site_sizes
from nucleate.crystal.symmetry import space_group_symbol
from nucleate.crystal.wyckoff import GROUP_NUMBERS, get_space_group
from nucleate.errors import NucleateError
from nucleate.generators.base import Condition
from nucleate.generators.precedents import Occupied, Precedents

COMMON = 32  # number of space groups that Sultanov et al. 2023 (section 5.4) search
SHOWN = 6  # number of alternatives that a refusal names
LISTED = 2000  # number of assignments from which a refusal makes its alternatives
STATISTICS_WEIGHT = 0.1  # of the statistics; a known crystal of exactly the composition has the weight 1
Counts = tuple[tuple[str, int], ...]


class SymmetryChooser:
    """Draws space groups and sites from two sources.

    Precedents are known crystals of similar elements in the same numbers of atoms (or of sites, if the composition is
    open). They propose their space groups and positions, with weights that fall with the distance of the compositions.
    Statistics of the training crystals cover everything that is possible: a space group, composition and numbers of
    sites is weighted by how many such crystals there would be if sites were independent of each other
    (`Assignments.draw`). All statistics together have the weight `statistics_weight`.
    """

    def __init__(
        self,
        codec: SiteCodec,
        max_atoms: int,
        precedents: Precedents | None = None,
        statistics_weight: float = STATISTICS_WEIGHT,
    ) -> None:
        self.codec, self.max_atoms, self.precedents = codec, max_atoms, precedents
        self.statistics_weight = statistics_weight
        self._cached = lru_cache(maxsize=512)(self._weighed)
        self._known = lru_cache(maxsize=512)(self._proposed)

    def options(self, condition: Condition) -> list[tuple[Assignments, float]]:
        """By the statistics: space groups with compositions, and the probability of each. Empty if nothing is possible,
        and if only elements are given, for which there are no statistics."""
        if not condition.composition and not condition.sites:
            return []
        composition, sites = (tuple((c or {}).items()) for c in (condition.composition, condition.sites))
        return self._cached(condition.space_group, composition, sites)

    def proposed(self, condition: Condition) -> dict[Occupied, float]:
        """By precedents: space groups with sites -> weight. Empty if there are no precedents for the condition."""
        if self.precedents is None:
            return {}
        composition, sites = (tuple((c or {}).items()) for c in (condition.composition, condition.sites))
        return self._known(condition.space_group, composition, sites, condition.chemical_system or ())

    def draw(self, condition: Condition, rng: np.random.Generator) -> tuple[int, Assignment]:
        """A space group, and elements and Wyckoff positions of all sites, drawn for the condition."""
        known = self.proposed(condition)
        options = self.options(condition)
        of_statistics = self.statistics_weight if options else 0.0
        if known and rng.random() * (sum(known.values()) + of_statistics) >= of_statistics:
            weights = np.array(list(known.values()))
            return self.usual_setting(*list(known)[int(rng.choice(len(known), p=weights / weights.sum()))])
        picked, _ = options[int(rng.choice(len(options), p=[p for _, p in options]))]
        return picked.space_group, picked.draw(rng)

    def draw_group(self, conditions: Sequence[Condition], groups: Sequence[int], rng: np.random.Generator) -> int:
        """One of the space groups `groups` that at least one of the conditions can have. It is drawn with the weights
        of precedents, plus the statistics' weight, shared in proportion to how common the groups are among training
        crystals.

        conditions: without space groups. Raises NucleateError where none of the groups is possible.
        """
        weights = dict.fromkeys(groups, 0.0)
        for condition in conditions:
            for (g, _), weight in self.proposed(condition).items():
                if g in weights:
                    weights[g] += weight
        crystals = {g: self.codec.crystals(g) + 1 for g in groups if any(self._can_have(g, c) for c in conditions)}
        for g, n in crystals.items():
            weights[g] += self.statistics_weight * n / sum(crystals.values())
        total = sum(weights.values())
        if not total:
            c = conditions[0]
            words = _words(c.composition, c.sites) or f"the elements {', '.join(c.chemical_system or ())}"
            raise NucleateError(f"none of the {len(groups)} space groups asked for can have {words}")
        return groups[int(rng.choice(len(groups), p=[weights[g] / total for g in groups]))]

    def _can_have(self, space_group: int, condition: Condition) -> bool:
        """Whether the statistics can draw something in this space group."""
        if condition.composition and not condition.sites:
            return space_group in compatible_space_groups(tuple(condition.composition.items()))
        return bool(self.options(dataclasses.replace(condition, space_group=space_group)))

    def log_probability(self, condition: Condition, space_group: int, sites: Assignment) -> float:
        """The natural logarithm of the probability that `draw` gives these sites; -inf if it never does."""
        known = self.proposed(condition)
        total = sum(known.values())
        wanted = tuple(sorted(sites))
        alike = [(s, weight) for (number, s), weight in known.items() if number == space_group]
        chance = sum(weight for s, weight in alike if self.usual_setting(space_group, s)[1] == wanted)
        for possible, p in self.options(condition):
            if possible.space_group == space_group:
                chance += self.statistics_weight * p * math.exp(possible.log_probability(sites))
        return math.log(chance / (total + self.statistics_weight)) if chance > 0 else -math.inf

    def usual_setting(self, space_group: int, sites: Assignment) -> tuple[int, Assignment]:
        """The space group, and the same sites with the Wyckoff letters that training crystals of the group have most
        often.

        A change of origin or axes can rename the letters of a crystal. The network has learned from one of the settings
        of each crystal, and known crystals may be given in another.
        """
        frequencies = self.codec.frequencies(space_group)
        every = settings_of_sites(space_group, sites)
        return space_group, max(every, key=lambda s: round(sum(math.log(frequencies[letter]) for _, letter in s), 6))

    def common(self, n: int = COMMON) -> list[int]:
        """The n most frequent space groups of the training crystals, the most frequent first."""
        return sorted(GROUP_NUMBERS, key=lambda g: (-self.codec.crystals(g), g))[:n]

    def check(self, condition: Condition) -> None:
        """Raise NucleateError if nothing can be drawn for the condition; it names what is possible instead."""
        number, composition, sites = condition.space_group, condition.composition, condition.sites
        if number is not None and number not in GROUP_NUMBERS:
            raise NucleateError(f"space groups have numbers 1 to 230, not {number}")
        if self.options(condition) or self.proposed(condition):
            return
        if not composition and not sites:
            elements = condition.chemical_system or ()
            among = "" if number is None else f" in space group {space_group_symbol(number)} ({number})"
            raise NucleateError(
                f"no known crystal of {len(elements)} elements{among} says where those of {'-'.join(elements)} may "
                f"be; say how many sites each has, as in {','.join(f'{e}:1' for e in elements)}"
            )
        words = _words(composition, sites)
        if number is None:
            raise NucleateError(f"no space group has Wyckoff positions for {words}; ask for other numbers of sites")
        name, most = f"space group {space_group_symbol(number)} ({number})", self.max_atoms
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
        others = compatible_space_groups(tuple(composition.items()))
        instead = f"cells of {', '.join(map(str, times[:4]))} times as many atoms are possible"
        if not times:
            named = [f"{space_group_symbol(g)} ({g})" for g in self.common(len(GROUP_NUMBERS)) if g in others]
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
            (number, occupied): weight
            for (number, occupied), weight in every.items()
            if space_group in (None, number) and (not sites or Counter(e for e, _ in occupied) == dict(sites))
        }

    def _weighed(self, space_group: int | None, composition: Counts, sites: Counts) -> list[tuple[Assignments, float]]:
        groups = [space_group] if space_group else [g for g in GROUP_NUMBERS if self.codec.crystals(g)]
        if composition:
            groups = [g for g in groups if g in compatible_space_groups(composition)]
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


@lru_cache(maxsize=4096)
def settings_of_sites(space_group: int, sites: Assignment) -> tuple[Assignment, ...]:
    """The sites of a crystal with the Wyckoff letters that they have in each standard setting of the space group
    (`crystal.normalisers`), each once."""
    table = get_space_group(space_group)
    places = [table.index(letter) for _, letter in sites]
    moved = np.unique(normaliser(space_group).letters[:, places], axis=0)
    letters = [p.letter for p in table.positions]
    named = (tuple(sorted((e, letters[k]) for (e, _), k in zip(sites, row, strict=True))) for row in moved.tolist())
    return tuple(dict.fromkeys(named))


def _words(composition: Mapping[str, int] | None, sites: Mapping[str, int] | None) -> str:
    parts = [" ".join(f"{e}{n}" for e, n in composition.items())] if composition else []
    if sites:
        parts.append(", ".join(f"{n} site{'s' * (n > 1)} of {e}" for e, n in sites.items()))
    return " with ".join(parts)
