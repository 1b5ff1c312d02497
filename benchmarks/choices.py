"""How well adaptive cells choose what a request leaves open: space group and Wyckoff positions of a composition.

    NUCLEATE_DATA=FOLDER python benchmarks/choices.py [--n 500] [--reach 1,2,3,5] [--doubt 0.3,1,3]

For n crystals of MP-20's validation split, given the composition of their primitive cell (with "group" also the space
group): the probability that a draw has the right space group, the probability of the right positions, and the mean of
its logarithm, by which `generators.precedents.REACH` and `symmetry_chooser.STATISTICS_WEIGHT` were chosen. Positions
that differ only by the choice of origin count as wrong. "statistics": without precedents, "precedents": without
statistics, where there is one at all.
"""

from __future__ import annotations

import argparse
import math
from typing import cast

import numpy as np

from nucleate.chem.elements import element_symbol
from nucleate.crystal.asymmetric import asymmetric_unit, symmetric_batch
from nucleate.crystal.convert import atom_counts, structures_from_batch
from nucleate.crystal.orbits import expand_orbits
from nucleate.evaluate.csp import load_targets
from nucleate.generators import Condition, load_generator
from nucleate.generators.adaptive import AdaptiveCells
from nucleate.generators.precedents import shipped_precedents


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="mp20-sites")
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--reach", default="1,2,3,5")
    parser.add_argument("--doubt", default="0.3,1,3")
    args = parser.parse_args()
    choices = cast(AdaptiveCells, load_generator(args.weights)).choices
    precedents = shipped_precedents()
    units = [asymmetric_unit(structure) for _, structure in load_targets("mp-20:val", args.n)]
    cells = structures_from_batch(expand_orbits(symmetric_batch(units)).crystals)
    own = [tuple(sorted((element_symbol(s.atomic_number), s.letter) for s in u.sites)) for u in units]
    stats = []  # probabilities of group and positions by statistics
    for unit, cell, sites in zip(units, cells, own, strict=True):
        group = positions = 0.0
        for possible, p in choices.options(Condition(composition=atom_counts(cell))):
            if possible.space_group == unit.space_group:
                group += p
                positions += p * math.exp(possible.log_probability(sites))
        stats.append((group, positions))
    show("statistics", np.array(stats))
    for reach in map(float, args.reach.split(",")):
        heard = []  # weights of precedents with the right group, with the right positions, and of all
        for unit, cell, sites in zip(units, cells, own, strict=True):
            voices = precedents.of_composition(atom_counts(cell), reach)
            right = sum(v for (g, _), v in voices.items() if g == unit.space_group)
            heard.append((right, voices.get((unit.space_group, sites), 0.0), sum(voices.values())))
        voice = np.array(heard)
        some = voice[:, 2] > 0
        show(f"precedents, reach {reach:g}, {some.mean():.1%} have one", voice[some, :2] / voice[some, 2:])
        for doubt in map(float, args.doubt.split(",")):
            show(f"reach {reach:g}, doubt {doubt:g}", (voice[:, :2] + doubt * np.array(stats)) / (voice[:, 2:] + doubt))


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
