"""How fast crystals are judged by structure, and what becomes of crystals of MP-20's test split.

    NUCLEATE_DATA=FOLDER python benchmarks/novelty.py [--n 200] [FILES]

The crystals are strained by 2 % and scaled (volumes by -1 to +2 %), and each atom is moved by 0.03 angstrom, as by a
relaxation. They are judged by all known crystals, and by those that are left if the test split
is hidden. FILES: crystals to judge instead, as they are. Times are CPU time of one core, after 20 crystals that are not
counted.
"""

from __future__ import annotations

import argparse
import random
import time
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
from pymatgen.core import Structure

from nucleate.library.library import Library, load_library

FIRST = 20  # crystals that are not counted


def of_test_split(n: int) -> list[Structure]:
    """n crystals of MP-20's test split, as after a relaxation."""
    from nucleate.crystal.columns import GEOMETRY, structure_of_row
    from nucleate.data import load_table

    rows = load_table("mp-20", "test").select(list(GEOMETRY)).to_pylist()
    rng = np.random.default_rng(0)
    out = []
    for row in random.Random(0).sample(rows, n):
        given = structure_of_row(row)
        strain = rng.normal(size=(3, 3))
        strain = (strain + strain.T) / 2
        strain *= 0.02 / np.abs(strain).max()
        change = np.eye(3) * (1 + rng.uniform(-0.01, 0.02) / 3) + strain
        lattice = given.lattice.matrix @ change
        away = rng.normal(size=(len(given), 3))
        away *= 0.03 / np.linalg.norm(away, axis=1, keepdims=True)
        out.append(Structure(lattice, given.species, given.frac_coords + away @ np.linalg.inv(lattice)))
    return out


def judged(name: str, library: Library, crystals: Sequence[Structure]) -> None:
    """Print the words, the relations of the nearest known crystals, and times."""
    words, relations = Counter[str](), Counter[str]()
    taken = []
    for crystal in crystals:
        began = time.process_time()
        found = library.novelty(crystal)
        taken.append(1000 * (time.process_time() - began))
        words[found.word] += 1
        relations[found.relative.relation if found.relative else "none"] += 1
    ms = np.array(taken[FIRST:] or taken)
    print(f"{name}: {len(library):,} known crystals")
    print("  " + ", ".join(f"{word} {n}" for word, n in words.most_common()))
    print("  nearest: " + ", ".join(f"{relation} {n}" for relation, n in relations.most_common()))
    print(f"  ms a crystal: mean {ms.mean():.0f}, median {np.median(ms):.0f}, slowest {ms.max():.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    library = load_library()
    if args.files:
        from nucleate.io import read_structures

        judged("all", library, [item.structure for item in read_structures(args.files).structures])
        return
    crystals = of_test_split(args.n)
    judged("all", library, crystals)
    judged("without mp-20:test", library.hidden(dataset="mp-20:test"), crystals)


if __name__ == "__main__":
    main()
