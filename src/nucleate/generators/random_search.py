"""Random structure search: random but sensible structures of a composition, to which every trained model is compared.

It works as AIRSS does (Pickard and Needs, J. Phys.: Condens. Matter 23, 053201 (2011)), with the volumes of Yang et al.
2023 (UniMat, arXiv 2311.09235, appendix 8). It takes a random space group whose Wyckoff positions can hold the atoms, a
random cell of 0.4 to 1.2 times the volume expected from the radii of the atoms, and random coordinates. Then soft
spheres push atoms apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nucleate.chem.elements import atomic_number
from nucleate.crystal.assignments import compatible_space_groups, possible_units
from nucleate.crystal.batch import CrystalBatch
from nucleate.crystal.wyckoff import get_space_group
from nucleate.errors import NucleateError
from nucleate.generators.base import Condition, Progress, Wishes
from nucleate.generators.defaults import BaseGenerator
from nucleate.generators.methods import RANDOM_ATOMS
from nucleate.generators.placing import Placed, expected_volume, place_atoms
from nucleate.generators.planning import plan_condition
from nucleate.generators.soft_spheres import separate_atoms, symmetric_moves
from nucleate.generators.units import draw_units

if TYPE_CHECKING:
    from pymatgen.core import Structure

# Volumes are relative to `expected_volume`, distances to the sum of covalent radii (Cordero 2008)
VOLUMES = (0.4, 1.2)  # of Yang et al. 2023, appendix 8; 87 % of 1,500 crystals of MP-20 lie between them
APART = 0.75  # smallest distance of atoms in the result; 99 % of these crystals have at least that
PLACED = 0.3  # smallest distance when atoms are placed; soft spheres do the rest, and PyXtal takes 0.4 of the time
COINCIDENT = 0.02  # the same in the last attempt; above 0, because coinciding atoms cannot be pushed apart
SWOLLEN = 1.5  # a cell that had to grow beyond this volume is drawn again with less symmetry
ATTEMPTS = 5  # at one structure; the last one is in P1


class RandomSearch(BaseGenerator["Structure"]):
    """Random structures of given compositions; structure i depends on condition i and seed i only.

    A space group can be asked for; otherwise it is drawn from all that can hold the composition. If atoms cannot be
    placed, or the cell has to grow too much, the structure is drawn again with less symmetry, at last in P1.
    `structure.properties["random_search"]` records what was done: space_group (of the structure), first_space_group
    (of the first attempt), attempts, volume (of the cell at the start, relative to `expected_volume`) and final_volume.

    sizes: how many known crystals have cells of 0, 1, 2 ... atoms, as weights for numbers of formula units; None means
    equal weights up to 20 atoms. batch_size: number of structures that are relaxed together.
    """

    name = "random"
    accepts = frozenset({"composition", "space_group"})
    needs = ("composition",)

    def __init__(self, sizes: Sequence[int] | None = None, batch_size: int = 256) -> None:
        self.sizes = tuple(sizes) if sizes is not None else (0, *(1,) * 20)
        self.batch_size = self.chunk = batch_size

    def plan(self, wishes: Wishes, seed: int) -> Condition:
        """The condition of one structure; formula units are drawn with the frequencies of known crystals."""
        return plan_condition(wishes, seed, units=self.draw_formula_units)

    def check(self, condition: Condition) -> None:
        """Raise NucleateError, in one line, for values that random search cannot meet."""
        composition = _composition(condition)
        expected_volume(composition)
        number = condition.space_group
        if number is None:
            return
        name = get_space_group(number).symbol
        if number not in compatible_space_groups(tuple(composition.items())):
            times = [k for k in possible_units(number, composition, RANDOM_ATOMS) if k > 1]
            raise NucleateError(
                f"space group {name} ({number}) has no Wyckoff positions for {_words(composition)} in a "
                f"primitive cell; {_instead(composition, times)}"
            )

    def draw_formula_units(self, formula: Mapping[str, int], seed: int, space_group: int | None = None) -> int:
        """The number of formula units in a cell, drawn with the sizes of known crystals as weights, from the numbers
        that the space group can hold.

        It is the smallest possible number if the formula is larger than all known crystals, and 1 if the space group
        can hold none, which `check` then refuses.
        """
        unit = sum(formula.values())
        possible: Sequence[int] = range(1, 1 + max(1, RANDOM_ATOMS // unit))
        if space_group is not None:
            possible = possible_units(space_group, formula, RANDOM_ATOMS) or (1,)
        if unit * possible[0] >= len(self.sizes):
            return possible[0]
        return draw_units(self.sizes, unit, seed, possible)

    def draw(
        self, conditions: Sequence[Condition], seeds: Sequence[int], progress: Progress | None = None
    ) -> list[Structure]:
        """One structure for each condition and seed, a primitive cell of the composition, in angstrom. Raises
        NucleateError for atoms that cannot be placed."""
        pairs = zip(conditions, seeds, strict=True)
        searches = [_Search(_composition(condition), condition.space_group, seed) for condition, seed in pairs]
        todo = searches
        while todo:
            for start in range(0, len(todo), self.batch_size):
                part = todo[start : start + self.batch_size]
                for search, structure in zip(part, _separated([s.draw() for s in part]), strict=True):
                    search.judge(structure)
                if progress is not None:
                    progress(sum(s.found is not None for s in searches), len(searches))
            todo = [s for s in todo if s.found is None]
        return [s.found for s in searches if s.found is not None]


def sized_search() -> RandomSearch:
    """Random search with the sizes of the training crystals of MP-20."""
    from nucleate.generators.load import read_info

    return RandomSearch(read_info("mp20-csp").num_atoms_counts)


@dataclass(frozen=True, eq=False)
class _Start:
    """A structure before its atoms are pushed apart. expected: its `expected_volume`. record: what is known of it."""

    placed: Placed
    space_group: int
    expected: float
    record: Mapping[str, Any]


class _Search:
    """The attempts at one structure, each with random numbers of its own."""

    def __init__(self, composition: Mapping[str, int], space_group: int | None, seed: int) -> None:
        self.composition, self.asked, self.seed = composition, space_group, seed
        self.groups = (space_group,) if space_group is not None else compatible_space_groups(tuple(composition.items()))
        self.expected = expected_volume(composition)
        self.attempts, self.first = 0, 0
        self.found: Structure | None = None

    @property
    def last(self) -> bool:
        """Whether no more attempts are left."""
        return self.attempts >= ATTEMPTS

    def draw(self) -> _Start:
        """The next arrangement that can be placed."""
        for _ in range(2 * ATTEMPTS):
            rng = np.random.default_rng([self.seed, self.attempts])
            self.attempts += 1
            factor = float(rng.uniform(*VOLUMES))
            groups = (1,) if self.last and self.asked is None else self.groups
            number = groups[int(rng.integers(len(groups)))]
            self.first = self.first or number
            placed = place_atoms(
                self.composition, number, factor * self.expected, COINCIDENT if self.last else PLACED, rng
            )
            if placed is not None:
                record = {"space_group": number, "first_space_group": self.first, "attempts": self.attempts}
                return _Start(placed, number, self.expected, {**record, "volume": round(factor, 4)})
            self._lower(number)
        raise NucleateError(f"the atoms of {_words(self.composition)} could not be placed in space group {number}")

    def judge(self, structure: Structure) -> None:
        """Keep the structure, unless its cell has grown too much and attempts are left; those have less symmetry."""
        record = structure.properties["random_search"]
        if self.last or record["final_volume"] <= SWOLLEN:
            self.found = structure
        else:
            self._lower(record["space_group"])

    def _lower(self, number: int) -> None:
        if self.asked is None:
            order = get_space_group(number).order
            self.groups = tuple(g for g in self.groups if get_space_group(g).order < order) or (1,)


def _separated(starts: Sequence[_Start]) -> list[Structure]:
    """The structures after soft spheres have pushed their atoms apart, all in one batch."""
    from ase.data import covalent_radii
    from pymatgen.core import Lattice, Structure

    placed = [s.placed for s in starts]
    batch = CrystalBatch.from_arrays(
        [p.lattice for p in placed], [p.frac_coords for p in placed], [p.atomic_numbers for p in placed]
    )
    radii = torch.from_numpy(covalent_radii)[batch.atomic_numbers]
    width = batch.atomic_numbers.shape[1]
    moves = [
        symmetric_moves(p.lattice, p.frac_coords, *get_space_group(s.space_group).operations, width=width)
        for p, s in zip(placed, starts, strict=True)
    ]
    done = separate_atoms(batch, APART * (radii[:, :, None] + radii[:, None]), torch.from_numpy(np.stack(moves)))
    out = []
    for start, lattice, frac in zip(starts, done.crystals.lattice, done.crystals.frac_coords, strict=True):
        numbers = start.placed.atomic_numbers.tolist()
        structure = Structure(Lattice(lattice.numpy()), numbers, frac[: len(numbers)].numpy())
        final = round(structure.volume / start.expected, 4)
        structure.properties["random_search"] = {**start.record, "final_volume": final}
        out.append(structure)
    return out


def _composition(condition: Condition) -> Mapping[str, int]:
    """The wanted composition; NucleateError for one that is impossible."""
    composition = condition.composition or {}
    for element, n in composition.items():
        atomic_number(element)
        if not (isinstance(n, int) and n > 0):
            raise NucleateError(f"the cell has {n} {element}; random search needs whole numbers above 0")
    size = sum(composition.values())
    if size > RANDOM_ATOMS:
        raise NucleateError(f"random search makes cells of 1 to {RANDOM_ATOMS} atoms, not {size}")
    return composition


def _instead(composition: Mapping[str, int], times: Sequence[int]) -> str:
    """Words for what is possible if a space group cannot hold a composition."""
    if times:
        return f"cells of {', '.join(map(str, times[:4]))} times as many atoms are possible"
    others = sorted(compatible_space_groups(tuple(composition.items())), key=lambda n: (-get_space_group(n).order, -n))
    named = ", ".join(f"{get_space_group(n).symbol} ({n})" for n in others[:4])
    return f"nor in one of up to {RANDOM_ATOMS} atoms; {len(others)} other groups have, such as {named}"


def _words(composition: Mapping[str, int]) -> str:
    return " ".join(f"{element}{n}" for element, n in composition.items())
