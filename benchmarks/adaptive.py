"""How often adaptive cells find known crystals, by what is given to them, and the time for a structure.

    OMP_NUM_THREADS=1 NUCLEATE_DATA=FOLDER python benchmarks/adaptive.py [--weights mp20-sites] [--n 200]
        [--given composition,group,sites,positions] [--steps 50] [--noise 1] [--lattice-noise 1] [--sampler ancestral]
        [--atoms 20] [--known train] [--profile]

One prediction for each of n crystals of MP-20's validation split, which model selection may use. Given are the
composition of the primitive cell; with "group" also the space group; with "sites" also how many sites each element has,
as in Sultanov et al. (2023), section 5.2; with "positions" also on which Wyckoff positions they are. What is not given
is drawn as it is in known crystals (--known: which; MP-20's validation and test
splits are never among them). Match: StructureMatcher (stol 0.5, ltol 0.3, angle_tol 10). Valid: no
distance below 0.5 angstrom and a volume of at least 0.1 cubic angstrom. Symmetric: moyopy finds the group that was
drawn, or one of no lower order, within 0.001 angstrom. Intervals are at 95 %; seconds of CPU time, one core, batches of
64. --atoms: only crystals with so many atoms in the primitive cell. --profile: print where the time is spent, in place
of the table.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from known import add_known, known_crystals

from nucleate.chem.elements import SYMBOLS
from nucleate.crystal.asymmetric import AsymmetricUnit, asymmetric_unit, symmetric_batch
from nucleate.crystal.convert import atom_counts, structures_from_batch
from nucleate.crystal.orbits import expand_orbits
from nucleate.crystal.symmetry import space_group
from nucleate.crystal.wyckoff import get_space_group
from nucleate.diffusion.loop import LANGEVIN, SAMPLERS
from nucleate.evaluate.csp import load_targets, prediction_seed
from nucleate.evaluate.inputs import read_dataset
from nucleate.evaluate.matching.match import count_matches
from nucleate.evaluate.measures.statistics import rate
from nucleate.evaluate.measures.validity import structural_validity
from nucleate.generators import Condition, load_generator
from nucleate.generators.adaptive import RECORD, AdaptiveCells

if TYPE_CHECKING:
    from pymatgen.core import Structure

GIVEN = ("composition", "group", "sites", "positions")


def draw(
    generator: AdaptiveCells, units: Sequence[AsymmetricUnit], cells: Sequence[Structure], given: str, seeds: list[int]
) -> list[Structure]:
    """A structure for each crystal, of which as much is given as `given` says."""
    named = [[(SYMBOLS[s.atomic_number - 1], s.letter) for s in u.sites] for u in units]
    if given == "positions":
        chosen = [(u.space_group, tuple(sites)) for u, sites in zip(units, named, strict=True)]
        size, out = generator.batch_size, []
        for start in range(0, len(chosen), size):
            out += generator.sample_sites(chosen[start : start + size], seeds[start : start + size])
        return out
    conditions = [
        Condition(
            composition=atom_counts(cell),
            space_group=unit.space_group if given != "composition" else None,
            sites=Counter(element for element, _ in sites) if given == "sites" else None,
        )
        for unit, cell, sites in zip(units, cells, named, strict=True)
    ]
    return generator.generate(conditions, seeds)


def symmetric(structure: Structure) -> bool:
    wanted = structure.properties[RECORD]["space_group"]
    found, _ = space_group(structure, 1e-3)
    return found == wanted or (found > 0 and get_space_group(found).order >= get_space_group(wanted).order)


def profile(
    generator: AdaptiveCells, units: Sequence[AsymmetricUnit], cells: Sequence[Structure], given: str, seeds: list[int]
) -> None:
    """Print the functions in which most time is spent."""
    with cProfile.Profile() as watch:
        began = time.perf_counter()
        made = draw(generator, units, cells, given, seeds)
        seconds = time.perf_counter() - began
    print(f"{given}: {seconds / len(made):.3f} s/structure with the profiler on, {len(made)} structures")
    pstats.Stats(watch).sort_stats("cumtime").print_stats("nucleate", 22)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="mp20-sites")
    add_known(parser)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--given", default=",".join(GIVEN))
    parser.add_argument("--steps", type=int)
    parser.add_argument("--noise", type=float)
    parser.add_argument("--lattice-noise", type=float)
    parser.add_argument("--sampler", choices=[*SAMPLERS, LANGEVIN])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atoms", type=int)
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    generator = cast(AdaptiveCells, load_generator(args.weights)).with_library(known_crystals(args.known))
    asked = {name: getattr(args, name) for name in ("steps", "noise", "lattice_noise", "sampler")}
    generator.settings = generator.settings.changed(**{k: v for k, v in asked.items() if v is not None})
    targets = load_targets("mp-20:val", args.n if args.atoms is None else len(read_dataset("mp-20:val")), args.seed)
    if args.atoms is not None:
        targets = [(n, s) for n, s in targets if len(s.get_primitive_structure()) == args.atoms][: args.n]
    units = [asymmetric_unit(structure) for _, structure in targets]
    cells = structures_from_batch(expand_orbits(symmetric_batch(units)).crystals)
    seeds = [prediction_seed(args.seed, name, 0) for name, _ in targets]
    print(generator.settings)
    if args.profile:
        for given in args.given.split(","):
            profile(generator, units, cells, given, seeds)
        return
    print(
        "| told | match % | RMSE | right group % | valid % | symmetric % | s/structure |\n|---|---|---|---|---|---|---|"
    )
    for given in args.given.split(","):
        began = time.process_time()
        made = draw(generator, units, cells, given, seeds)
        seconds = (time.process_time() - began) / len(made)
        groups = [(name, target, [s]) for (name, target), s in zip(targets, made, strict=True)]
        score = count_matches(groups, across=False, workers=1).score("unfiltered", 1)
        right = sum(s.properties[RECORD]["space_group"] == u.space_group for s, u in zip(made, units, strict=True))
        valid = sum(structural_validity(s) for s in made)
        shares = [rate(n, len(made)).percent for n in (right, valid, sum(map(symmetric, made)))]
        cells_of_row = [given, score.match_rate.percent, f"{score.rmse.value or 0:.3f}", *shares, f"{seconds:.3f}"]
        print(f"| {' | '.join(cells_of_row)} |", flush=True)


if __name__ == "__main__":
    main()
