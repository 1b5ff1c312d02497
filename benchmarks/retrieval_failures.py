"""Why first answers of retrieval are wrong, by kind, and what each part of the votes is worth.

    OMP_NUM_THREADS=1 python benchmarks/retrieval_failures.py near --n 400
    OMP_NUM_THREADS=1 python benchmarks/retrieval_failures.py validation --n 400 --without

The targets are those of `retrieval.py`, hidden with all crystals of their formula. --without takes one part of the
ranking away after the other, without another fit, and prints the share of targets whose own structure type (the
decorated prototype) has the largest vote, and the mean logarithm of its probability (that of "none" where no crystal
has it).
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import retrieval as benchmark

from nucleate.chem.composition import Formula
from nucleate.chem.elements import atomic_number
from nucleate.evaluate.matching.match import MatchSettings, match_pair
from nucleate.library.entries import KnownEntry
from nucleate.library.filters import rows_of_formula
from nucleate.library.library import Library, load_library
from nucleate.parallel import map_jobs
from nucleate.retrieval.ranking import NEVER, VoteModel, load_ranking
from nucleate.retrieval.relatives import Relatives, order_of, relatives_of

if TYPE_CHECKING:
    from pymatgen.core import Structure

FIRST, POLYMORPH, LOWER = "the first is right", "the first is another known polymorph", "right, but ranked lower"
GEOMETRY, FAR = "the structure type is there, in another geometry", "the structure type comes after the twentieth"
NO_TYPE, NONE = "no known crystal has the structure type", "no known crystal of another formula has the ratio"
KINDS = (FIRST, POLYMORPH, LOWER, GEOMETRY, FAR, NO_TYPE, NONE)
PARTS = {
    "all parts": (),
    "the other elements of the formula": ("outer",),
    "sizes": ("sizes",),
    "energies, experiments": ("quality",),
    "facts of the structure type": ("pattern",),
    "what suits the composition": ("pattern_in_context", "none_in_context"),
}


def composition_of(structure: Structure) -> dict[str, int]:
    return {e.symbol: round(n) for e, n in structure.composition.items()}


def own_key(library: Library, id: str, relatives: Relatives) -> tuple[list[int], int | None]:
    """The elements of a crystal in the order of `relatives`, and its decorated prototype; None for one that is none of
    those that are told apart."""
    counts = Formula.of(library[id].composition).counts
    numbers, amounts = [atomic_number(s) for s in counts], list(counts.values())
    wanted = [numbers[i] for i in order_of(numbers, amounts)]
    place = int(np.flatnonzero(relatives.rows == library[id].row)[0])
    ways = np.flatnonzero((np.array(wanted)[relatives.assignments] == relatives.elements[place]).all(1))
    return wanted, int(relatives.keys[relatives.pattern[place], ways[0]]) if len(ways) else None


def without(model: VoteModel, names: tuple[str, ...]) -> VoteModel:
    """The ranking with zeros for some of its parameters."""
    return replace(model, **{name: np.zeros_like(getattr(model, name)) for name in names})


def rank_of(library: Library, id: str, relatives: Relatives, model: VoteModel) -> tuple[int | None, float]:
    """How many structure types have a larger vote than that of a crystal whose formula is hidden, None where it has
    none; and the logarithm of its probability."""
    wanted, key = own_key(library, id, relatives)
    visible = ~relatives.of_composition(np.array(wanted))
    if not visible.any():
        return None, 0.0
    votes = model.votes(relatives, wanted, visible=visible)
    found = key is not None and votes.keys[key] > NEVER / 2
    probability = votes.probabilities[key if found else -1]
    return int((votes.keys > votes.keys[key]).sum()) if found else None, float(np.log(probability))


def matches(a: Structure, b: Structure, workers: int) -> bool:
    jobs = [(a, b, MatchSettings(), False)]
    outcome = next(iter(map_jobs(match_pair, jobs, limit=MatchSettings().time_limit, workers=workers)))
    return outcome.reason is None and outcome.value.rms is not None


def failures(name: str, n: int, seed: int, workers: int) -> None:
    library = load_library()
    targets = benchmark.targets_of(name, n, seed)
    asked = benchmark.retrieved(name, targets, False, max(benchmark.TOPS))
    benchmark.judge(asked, workers)
    model, kinds, lower = load_ranking("known"), Counter[str](), 0
    for target in asked:
        entry = library[target.name]
        if target.right is not None and target.right[0] == 0:
            kinds[FIRST] += 1
            continue
        if not target.answers:
            kinds[NONE] += 1
            continue
        rows = rows_of_formula(library.table, target.composition)
        others = [KnownEntry(library.table, int(row)) for row in rows if row != entry.row]
        first = [e for e in others if matches(target.answers[0], e.structure, 0)]
        relatives = relatives_of(library, Formula.of(target.composition).ratio)
        assert relatives is not None
        rank, _ = rank_of(library, target.name, relatives, model)
        if first:
            kinds[POLYMORPH] += 1
            lower += min(_height(e) for e in first) <= _height(entry)
        elif target.right is not None:
            kinds[LOWER] += 1
        else:
            kinds[NO_TYPE if rank is None else GEOMETRY if rank < max(benchmark.TOPS) else FAR] += 1
    print(f"{benchmark.SETS[name]}, {len(asked)} targets, number of atoms open\n\n| kind | % |\n|---|---|")
    for kind in KINDS:
        print(f"| {kind} | {100 * kinds[kind] / len(asked):.1f} |")
    print(f"\nOf {kinds[POLYMORPH]} other polymorphs {lower} are not higher above the hull than the target.")


def _height(entry) -> float:
    return np.inf if entry.e_above_hull is None else entry.e_above_hull


def parts(name: str, n: int, seed: int) -> None:
    library, model = load_library(), load_ranking("known")
    targets = benchmark.targets_of(name, n, seed)
    asked = [(id, relatives_of(library, Formula.of(composition_of(s)).ratio)) for id, s in targets]
    print("| without | % whose own structure type comes first | mean log P |\n|---|---|---|")
    for title, names in PARTS.items():
        own = without(model, names)
        found = [rank_of(library, id, relatives, own) for id, relatives in asked if relatives is not None]
        first = sum(rank == 0 for rank, _ in found) / len(found)
        mean = np.mean([p for _, p in found])
        print(f"| {title if names else 'nothing'} | {100 * first:.1f} | {mean:.3f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=["unseen", "near", "large", "validation"])
    parser.add_argument("--n", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    if args.without:
        parts(args.set, args.n, args.seed)
    else:
        failures(args.set, args.n, args.seed, args.workers)


if __name__ == "__main__":
    main()
