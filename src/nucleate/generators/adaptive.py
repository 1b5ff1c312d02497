"""Adaptive cells (Sultanov et al. 2023, J. Chem. Inf. Model. 63, 6986): crystals of a given space group, by joint
diffusion of their sites and cell."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from nucleate.chem.elements import atomic_number
from nucleate.crystal.assignments import Assignment, possible_units
from nucleate.crystal.convert import structures_from_batch
from nucleate.crystal.merge import merge_images
from nucleate.crystal.orbits import expand_orbits, pad_sites
from nucleate.crystal.wyckoff import get_space_group
from nucleate.diffusion.loop import sample
from nucleate.diffusion.rng import Streams
from nucleate.errors import NucleateError
from nucleate.generators.base import Condition, Wishes
from nucleate.generators.diffusion import DiffusionGenerator
from nucleate.generators.planning import plan_condition
from nucleate.generators.precedents import Precedents
from nucleate.generators.symmetry_chooser import SymmetryChooser
from nucleate.generators.units import draw_units
from nucleate.library.library import load_library

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from nucleate.library.library import Library

RECORD = "adaptive_cells"  # property of the structures
Chosen = tuple[int, Assignment]  # a space group, and the elements and Wyckoff positions of all sites


class AdaptiveCells(DiffusionGenerator):
    """Samples a model of symmetric sites. Crystal i depends on condition i and seed i only, not on its batch.

    A condition has a composition (the atoms of the *primitive* cell), or `sites` (how many sets of equivalent atoms
    each element has), or both, or only a chemical system. It may have a space group. Anything that it leaves open is
    drawn with the frequencies of known crystals (`SymmetryChooser`). The crystal has the drawn space group, or one with
    more symmetry that contains it; `structure.properties[RECORD]` names the drawn group and the sites. If the
    composition is open, images of a site that lie on top of each other become one atom (`crystal.merge`).
    """

    library: Library | None = None  # the known crystals that are precedents, None for all

    @property
    def uses_library(self) -> bool:
        return True

    def with_library(self, library: Library) -> Self:
        out = copy.copy(self)
        out.__dict__.pop("choices", None)
        out.library = library
        return out

    @cached_property
    def choices(self) -> SymmetryChooser:
        """What draws space groups and sites."""
        known = load_library() if self.library is None else self.library
        return SymmetryChooser(self.codec, self.info.max_atoms, Precedents(known))

    def check(self, condition: Condition) -> None:
        """Raise NucleateError, in one line, for values that cannot be met; it names what is possible instead."""
        composition, sites = condition.composition, condition.sites
        counts = composition or sites or dict.fromkeys(condition.chemical_system or (), 1)
        if composition and sites and set(composition) != set(sites):
            raise NucleateError(
                f"the composition has {', '.join(composition)}, but sites are given for {', '.join(sites)}"
            )
        if condition.chemical_system is not None and set(condition.chemical_system) != set(counts):
            raise NucleateError("the chemical system and the composition contradict each other; give one of them")
        unseen = [e for e in counts if atomic_number(e) not in self.info.elements]
        if unseen:
            raise NucleateError(
                f"{self.name} never saw {', '.join(unseen)} in training; it knows {len(self.info.elements)} elements"
            )
        size = sum(counts.values())
        if not 1 <= size <= self.info.max_atoms:
            raise NucleateError(f"{self.name} makes primitive cells of 1 to {self.info.max_atoms} atoms, not {size}")
        self.choices.check(condition)

    def plan(self, wishes: Wishes, seed: int) -> Condition:
        """The condition of one crystal. The number of formula units, and one of several space groups, are drawn with
        the frequencies of known crystals."""
        return plan_condition(
            wishes, seed, units=self.draw_formula_units, size=self.draw_num_atoms, group=self.draw_space_group
        )

    def draw_formula_units(self, formula: Mapping[str, int], seed: int, space_group: int | None = None) -> int:
        """The number of formula units in a primitive cell, drawn by precedents and by the sizes of training crystals
        among the numbers that the space group can hold. 1 if it can hold none, which `check` then refuses."""
        unit = sum(formula.values())
        if unit > self.info.max_atoms:
            return super().draw_formula_units(formula, seed)  # raises the error that says why not
        possible: Sequence[int] = range(1, 1 + self.info.max_atoms // unit)
        if space_group is not None:
            possible = possible_units(space_group, formula, self.info.max_atoms) or (1,)
        weights = {}
        for k in possible:
            condition = Condition(composition={e: k * n for e, n in formula.items()}, space_group=space_group)
            weights[k] = sum(self.choices.proposed(condition).values())
        counts = self.info.num_atoms_counts
        return draw_units(counts, unit, seed, possible, weights, self.choices.statistics_weight)

    def draw_space_group(self, wanted: Condition, groups: Sequence[int], seed: int) -> int:
        """One of the given space groups, drawn with the frequencies of known crystals.

        wanted: its composition is that of a formula unit; num_atoms, if given, is the size of the cell. Raises
        NucleateError where none of the groups is possible.
        """
        if len(groups) == 1:
            return groups[0]
        cells = [wanted]
        if wanted.composition:
            unit, size = sum(wanted.composition.values()), wanted.num_atoms
            units = [size // unit] if size else range(1, 1 + self.info.max_atoms // unit)
            compositions = [{e: k * n for e, n in wanted.composition.items()} for k in units]
            cells = [dataclasses.replace(wanted, composition=c, num_atoms=None) for c in compositions]
        return self.choices.draw_group(cells, groups, np.random.default_rng([seed, 4]))

    def _draw(self, conditions: list[Condition], seeds: list[int]) -> list[Structure]:
        chosen = [self.choices.draw(c, np.random.default_rng(s)) for c, s in zip(conditions, seeds, strict=True)]
        order = sorted(range(len(chosen)), key=lambda i: len(chosen[i][1]))
        out: dict[int, Structure] = {}
        for start in range(0, len(order), self.batch_size):
            chunk = order[start : start + self.batch_size]
            structures = self.sample_sites([chosen[i] for i in chunk], [seeds[i] for i in chunk])
            for i, structure in zip(chunk, structures, strict=True):
                out[i] = structure if conditions[i].composition else merge_images(structure)
        return [out[i] for i in range(len(chosen))]

    def sample_sites(self, chosen: Sequence[Chosen], seeds: Sequence[int]) -> list[Structure]:
        """Primitive cells with these space groups and sites, sampled in one batch, in angstrom."""
        codec = self.codec
        blank = pad_sites(
            [number for number, _ in chosen],
            [(1.0,) * 6] * len(chosen),
            [[get_space_group(number).index(letter) for _, letter in sites] for number, sites in chosen],
            [np.zeros((len(sites), 3)) for _, sites in chosen],
            [[atomic_number(element) for element, _ in sites] for _, sites in chosen],
        )
        fields = sample(
            self.model,
            self.processes,
            codec.blank(blank.to(self.device)),
            rng=Streams(torch.tensor(seeds, device=self.device)),
            condition={},
            **self.sampler.arguments(self.settings),
        )
        structures = structures_from_batch(expand_orbits(codec.decode(fields).to("cpu")).crystals)
        for structure, (number, sites) in zip(structures, chosen, strict=True):
            positions = get_space_group(number).positions
            table = get_space_group(number)
            labels = [f"{element} {positions[table.index(letter)].label}" for element, letter in sites]
            structure.properties[RECORD] = {"space_group": number, "sites": labels}
        return structures
