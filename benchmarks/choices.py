"""How well adaptive cells choose what a request leaves open: space group and Wyckoff positions of a composition.

    NUCLEATE_DATA=FOLDER python benchmarks/choices.py [--n 500] [--known train] [--highest 0.1,0.2,inf] [--reach 0.7]
        [--doubt 0.1]

For n crystals of MP-20's validation split, given the composition of their primitive cell: the probability that a draw
has the right space group, the probability of the right positions, and the mean of its logarithm, by which HIGHEST and
REACH of `generators.precedents` and `symmetry_chooser.STATISTICS_WEIGHT` were chosen. Positions that differ only by the
choice of setting (Na on a and Cl on b, or the reverse) are the same. "statistics": without precedents, "precedents":
without statistics, where there is one at all. --known: which crystals are precedents. Crystals of MP-20's validation
and test splits never are.
"""

from __future__ import annotations

import argparse
import math
from functools import cache
from typing import TYPE_CHECKING, cast

import numpy as np
from known import add_known, known_crystals

from nucleate.chem.elements import element_symbol
from nucleate.crystal.asymmetric import asymmetric_unit, symmetric_batch
from nucleate.crystal.convert import atom_counts, structures_from_batch
from nucleate.crystal.orbits import expand_orbits
from nucleate.evaluate.csp import load_targets
from nucleate.generators import Condition, load_generator
from nucleate.generators.adaptive import AdaptiveCells
from nucleate.generators.precedents import HIGHEST, REACH, Precedents
from nucleate.generators.symmetry_chooser import STATISTICS_WEIGHT, settings_of_sites

if TYPE_CHECKING:
    from nucleate.crystal.assignments import Assignment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="mp20-sites")
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--highest", default=str(HIGHEST))
    parser.add_argument("--reach", default=str(REACH))
    parser.add_argument("--doubt", default=str(STATISTICS_WEIGHT))
    add_known(parser)
    args = parser.parse_args()
    choices = cast(AdaptiveCells, load_generator(args.weights)).choices
    library = known_crystals(args.known)
    units = [asymmetric_unit(structure) for _, structure in load_targets("mp-20:val", args.n)]
    cells = structures_from_batch(expand_orbits(symmetric_batch(units)).crystals)
    own = [tuple(sorted((element_symbol(s.atomic_number), s.letter) for s in u.sites)) for u in units]
    stats = []  # probabilities of group and positions by statistics
    for unit, cell, sites in zip(units, cells, own, strict=True):
        group = positions = 0.0
        for possible, p in choices.options(Condition(composition=atom_counts(cell))):
            if possible.space_group == unit.space_group:
                group += p
                every = settings_of_sites(unit.space_group, sites)
                positions += p * sum(math.exp(possible.log_probability(s)) for s in every)
        stats.append((group, positions))
    show("statistics", np.array(stats))
    for highest in map(float, args.highest.split(",")):
        precedents = Precedents(library, highest)
        for reach in map(float, args.reach.split(",")):
            heard = []  # weights of precedents with the right group, with the right positions, and of all
            for unit, cell, sites in zip(units, cells, own, strict=True):
                voices = precedents.of_composition(atom_counts(cell), reach)
                alike = {s: v for (g, s), v in voices.items() if g == unit.space_group}
                wanted = first_setting(unit.space_group, sites)
                right = sum(v for s, v in alike.items() if first_setting(unit.space_group, s) == wanted)
                heard.append((sum(alike.values()), right, sum(voices.values())))
            voice = np.array(heard)
            some = voice[:, 2] > 0
            what = f"up to {highest:g} eV/atom above the hull, reach {reach:g}"
            show(f"precedents, {what}, {some.mean():.1%} have one", voice[some, :2] / voice[some, 2:])
            for doubt in map(float, args.doubt.split(",")):
                chances = (voice[:, :2] + doubt * np.array(stats)) / (voice[:, 2:] + doubt)
                show(f"both, {what}, doubt {doubt:g}", chances)


@cache
def first_setting(space_group: int, sites: Assignment) -> Assignment:
    """The same for all settings of the same sites."""
    return min(settings_of_sites(space_group, sites))


def show(name: str, chances: np.ndarray) -> None:
    """Probabilities (n, 2) of the right group and the right positions, and of the latter given the right group."""
    group, positions = chances.T
    within = np.divide(positions, group, out=np.zeros_like(group), where=group > 0)
    logs = np.log(np.maximum(positions, 1e-12)).mean()
    print(
        f"{name}: group {group.mean():.1%}, positions {positions.mean():.1%} (in that group {within.mean():.1%}), "
        f"mean log {logs:.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
