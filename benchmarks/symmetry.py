"""Crystals as space group, Wyckoff positions and free parameters: whether they are recovered, the time
that takes, and how well sites of known crystals predict the assignment of others. CPU time; needs MP-20.

    OMP_NUM_THREADS=1 python benchmarks/symmetry.py            # all of MP-20's validation split
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from timing import timed

from nucleate.chem.elements import SYMBOLS
from nucleate.crystal.assignments import Assignments, compatible_space_groups
from nucleate.crystal.asymmetric import AsymmetricUnit, asymmetric_unit, site_frequencies, symmetric_batch
from nucleate.crystal.convert import structures_from_batch
from nucleate.crystal.orbits import expand_orbits
from nucleate.crystal.symmetry import space_group
from nucleate.crystal.wyckoff import GROUP_NUMBERS, get_space_group
from nucleate.evaluate.csp import load_targets


def round_trip(targets: Sequence[tuple[str, Structure]]) -> list[AsymmetricUnit]:
    """Prints how many crystals are the same again, and each that is not."""
    timed("tables of a group", 230, lambda: [get_space_group(n) for n in GROUP_NUMBERS])
    crystals = [s for _, s in targets]
    units = timed("crystal to free parameters", len(crystals), lambda: [asymmetric_unit(s) for s in crystals])
    batch = symmetric_batch(units)
    expand_orbits(batch)  # tables as tensors
    found = timed("and back, all in one batch", len(crystals), lambda: expand_orbits(batch))
    matcher, any_cell = StructureMatcher(), StructureMatcher(primitive_cell=False, attempt_supercell=True)
    same, smaller, symmetric = 0, 0, 0
    for (name, crystal), unit, again in zip(targets, units, structures_from_batch(found.crystals), strict=True):
        symmetric += space_group(again, 1e-3)[0] == unit.space_group
        if matcher.fit(crystal, again):
            same += 1
            continue
        repeats = len(again) < len(crystal) and any_cell.fit(crystal, again)
        smaller += repeats
        why = f"repeats a cell of {len(again)} atoms within 0.1 angstrom" if repeats else "is another crystal"
        print(f"{name}: {crystal.composition.reduced_formula}, {len(crystal)} atoms, {why}")
    print(f"{same} of {len(crystals)} match, {smaller} more as a smaller cell; {symmetric} have their space group")
    return units


def assignments(known: Sequence[AsymmetricUnit], others: Sequence[AsymmetricUnit]) -> None:
    """Prints how likely a crystal's own assignment is, given its composition and space group, by two ways to draw."""
    frequencies = site_frequencies(known)
    asked = [(u, _atoms(u)) for u in others]
    alike = [Assignments(u.space_group, a) for u, a in asked]
    timed("number of assignments", len(alike), lambda: [a.count for a in alike])
    garnet = Assignments(47, {"Ca": 12, "Al": 8, "Si": 12, "O": 48})
    print(f"{timed('of a garnet in Pmmm', 1, lambda: garnet.count):.1e} of them")
    rng = np.random.default_rng(0)
    timed("one drawn", len(alike), lambda: [a.draw(rng) for a in alike])
    timed("groups that can hold it", len(asked), lambda: [compatible_space_groups(tuple(a.items())) for _, a in asked])
    own = [tuple((SYMBOLS[s.atomic_number - 1], s.letter) for s in u.sites) for u, _ in asked]
    weighted = [Assignments(u.space_group, a, frequencies=frequencies[u.space_group]) for u, a in asked]
    for what, ways in (("all alike", alike), ("by sites of known crystals", weighted)):
        chance = np.exp([w.log_probability(o) for w, o in zip(ways, own, strict=True)])
        mean = math.exp(float(np.log(chance).mean()))
        print(f"probability of the right assignment, {what}: median {np.median(chance):.3f}, geometric mean {mean:.3f}")


def _atoms(unit: AsymmetricUnit) -> dict[str, int]:
    table, atoms = get_space_group(unit.space_group), Counter[str]()
    for s in unit.sites:
        atoms[SYMBOLS[s.atomic_number - 1]] += table.positions[table.index(s.letter)].size
    return dict(atoms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--n", type=int, help="crystals that are turned into free parameters and back; default: all of mp-20:val"
    )
    parser.add_argument("--known", type=int, default=8000, help="crystals of mp-20:train whose sites are counted")
    args = parser.parse_args()
    units = round_trip(load_targets("mp-20:val", args.n))
    known = [asymmetric_unit(s) for _, s in load_targets("mp-20:train", args.known)]
    assignments(known, units[:1000])


if __name__ == "__main__":
    main()
