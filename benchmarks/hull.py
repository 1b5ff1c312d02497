"""Distances to the hull: 10,000 candidates over 1,000 chemical systems, and the same through pymatgen's PhaseDiagram.

    python benchmarks/hull.py [--candidates 10000] [--systems 1000] [--rival 100]

The systems are drawn from those of the embedded reference set, the candidates' amounts at random, and both in random
order. The rival is given the candidates of `--rival` of the systems, one after the other, and builds each system's
diagram once, from the same lowest crystals.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter

from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

from nucleate.hull.distances import distance_to_hull
from nucleate.hull.load import load_reference
from nucleate.hull.reference import Entry, ReferenceSet
from nucleate.pipeline.candidate import Energy


def candidates(reference: ReferenceSet, systems: int, each: int) -> list[dict[str, int]]:
    rng = random.Random(0)
    known = sorted({tuple(sorted(s for s, _ in key)) for key in reference.keys if 2 <= len(key) <= 5})
    chosen = rng.sample(known, systems)
    out = [{element: rng.randint(1, 6) for element in system} for system in chosen for _ in range(each)]
    rng.shuffle(out)
    return out


def by_pymatgen(reference: ReferenceSet, compositions: list[dict[str, int]]) -> list[float]:
    """Energy of the hull at each composition, eV/atom."""
    diagrams: dict[frozenset[str], PhaseDiagram] = {}
    out = []
    for amounts in compositions:
        system = frozenset(amounts)
        if system not in diagrams:
            rows = [i for i in reference.of_system(system) if i in reference.lowest]
            pairs = [(Composition(dict(reference.keys[i])), float(reference.energies[i])) for i in rows]
            diagrams[system] = PhaseDiagram([PDEntry(c, energy * c.num_atoms) for c, energy in pairs])
        out.append(diagrams[system].get_hull_energy_per_atom(Composition(amounts)))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=10_000)
    parser.add_argument("--systems", type=int, default=1000)
    parser.add_argument("--rival", type=int, default=100, help="systems that the rival gets")
    args = parser.parse_args()
    began = time.perf_counter()
    reference = load_reference()
    assert reference.keys and reference.lowest
    print(f"reading {len(reference):,} known crystals: {time.perf_counter() - began:.2f} s")
    todo = candidates(reference, args.systems, args.candidates // args.systems)
    print("elements: systems", dict(sorted(Counter(len(s) for s in {frozenset(c) for c in todo}).items())))

    zero = Energy(0.0, reference.method)
    began = time.perf_counter()
    ours = [-distance_to_hull(amounts, zero, reference)[0] for amounts in todo]
    spent = time.perf_counter() - began
    print(
        f"{len(todo):,} candidates over {args.systems:,} systems: {spent:.1f} s, {1000 * spent / len(todo):.2f} ms each"
    )

    few = {s for s, _ in zip(dict.fromkeys(frozenset(c) for c in todo), range(args.rival), strict=False)}
    some = [k for k, amounts in enumerate(todo) if frozenset(amounts) in few]
    began = time.perf_counter()
    theirs = by_pymatgen(reference, [todo[k] for k in some])
    rival = (time.perf_counter() - began) / len(some)
    ratio = rival * len(todo) / spent
    worst = max(abs(ours[k] - value) for k, value in zip(some, theirs, strict=True))
    print(f"pymatgen's PhaseDiagram, {len(some):,} of them: {1000 * rival:.2f} ms each: {ratio:.1f} x ours")
    print(f"largest difference: {1000 * worst:.4f} meV/atom")

    new = [
        Entry("".join(f"{e}{n}" for e, n in sorted(c.items())), -9.0, 1, f"new-{k}", 15.0, 10)
        for k, c in enumerate(todo)
    ]
    began = time.perf_counter()
    longer = reference.extended(new, reference.method)
    for amounts in todo:
        distance_to_hull(amounts, zero, longer)
    print(f"the same after all of them were added to the known crystals: {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
