"""Random structures: the time that they take, and distances in real crystals compared with the radii that they use.

    OMP_NUM_THREADS=1 python benchmarks/random_structures.py speed [--n 1000]
    python benchmarks/random_structures.py radii [--n 1500]

speed: CPU time for each structure of n compositions of MP-20's test split, step by step; the tables of the space groups
(a second) are loaded before. The last line is the time of everything except
finding groups, which are remembered for a composition.
radii: volumes and least distances of n crystals of the training split.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from timing import timed

from nucleate.crystal.assignments import compatible_space_groups
from nucleate.crystal.convert import atom_counts
from nucleate.crystal.geometry import closest_contacts
from nucleate.evaluate.csp import load_targets
from nucleate.evaluate.measures.statistics import rate
from nucleate.generators import Condition, RandomSearch
from nucleate.generators.placing import Placed, expected_volume, place_atoms
from nucleate.generators.random_search import APART, PLACED, VOLUMES


def speed(n: int, seed: int) -> None:
    """Milliseconds of CPU time for a structure, without the time to load the tables."""
    compositions = [atom_counts(s) for _, s in load_targets("mp-20:test", n, seed)]
    search = RandomSearch()
    search.check(Condition(composition={"Cs": 1}, space_group=1))  # loads the tables of all groups
    groups = timed(
        "space groups that can hold it", n, lambda: [compatible_space_groups(tuple(c.items())) for c in compositions]
    )
    for apart, what in ((PLACED, "placed by PyXtal"), (0.5, "placed at PyXtal's own least distances")):
        jobs = [(c, g, i, apart) for i, (c, g) in enumerate(zip(compositions, groups, strict=True))]
        timed(what, n, lambda jobs=jobs: [one(*job) for job in jobs])
    conditions = [Condition(composition=c) for c in compositions]
    made = timed("placing, judging and soft spheres", n, lambda: search.generate(conditions, range(n)))
    records = [s.properties["random_search"] for s in made]
    first = sum(r["attempts"] == 1 for r in records)
    print(f"{first} of {n} at the first attempt, {sum(r['space_group'] == 1 for r in records)} in P1")
    volumes = np.quantile([r["final_volume"] for r in records], [0.05, 0.5, 0.95])
    print("volume over the expected one, 5, 50 and 95 %:", *volumes.round(2))


def one(composition: dict[str, int], groups: Sequence[int], seed: int, apart: float) -> Placed | None:
    """A structure as PyXtal places it, at a volume in the middle of the range."""
    rng = np.random.default_rng(seed)
    number = groups[int(rng.integers(len(groups)))]
    return place_atoms(composition, number, 0.8 * expected_volume(composition), apart, rng)


def radii(n: int, seed: int) -> None:
    """Known crystals compared with the radii: quantiles from 1 to 99 % of volumes and least distances."""
    crystals = [s for _, s in load_targets("mp-20:train", n, seed)]
    levels = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
    volumes = np.array([s.volume / expected_volume(atom_counts(s)) for s in crystals])
    apart = np.array([closest_contacts(s, 1.3)[1].ratio for s in crystals])
    print("quantile:", *levels)
    print("volume over the expected one:", *np.quantile(volumes, levels).round(2))
    between = (volumes > VOLUMES[0]) & (volumes < VOLUMES[1])
    print(f"between {VOLUMES[0]} and {VOLUMES[1]}: {rate(int(between.sum()), n).percent} %")
    print("least distance over covalent radii:", *np.quantile(apart, levels).round(2))
    print(f"at least {APART}: {rate(int((apart >= APART).sum()), n).percent} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "radii"])
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    (speed if args.what == "speed" else radii)(args.n, args.seed)


if __name__ == "__main__":
    main()
