"""Structures retrieved from known crystals, measured on crystals that are hidden: match rates, probabilities, seconds.

    OMP_NUM_THREADS=1 python benchmarks/retrieval.py unseen near large mp-20 --n 500
    OMP_NUM_THREADS=1 python benchmarks/retrieval.py mp-20 --n 0            # all of MP-20's test split

What is asked for, and which crystals are known (`SETS`): of "unseen", "near" and "large" the targets are crystals of
formulas that neither the fit of the ranking nor its validation has seen (`retrieval.held_out`), one of each formula;
all crystals of the target's formula are hidden. Of "mp-20" and "mp-20:val" the known crystals are those of MP-20's
training split, and so are those that the ranking was fitted to; they vote where they have the formula of the target,
too. Of "perov-5" and "carbon-24" they are those of these data sets' training splits (of Perov-5 the 1,024 whose
coordinates are known, and its validation split), and the ranking is that fitted to MP-20. Of "mpts-52" they are all
crystals of other formulas.

Right is what StructureMatcher (stol 0.5, ltol 0.3, angle_tol 10) matches with the target by `get_rms_dist`. Where a
formula has several known crystals, only the target itself counts; the column "or a polymorph" also counts first answers
that match another known crystal of the formula within NEAR_HULL of the hull.
"""

from __future__ import annotations

import argparse
import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.composition import Formula
from nucleate.evaluate.csp import load_targets
from nucleate.evaluate.matching.match import MatchSettings, match_pair
from nucleate.evaluate.measures.statistics import rate
from nucleate.library.entries import KnownEntry
from nucleate.library.filters import rows_of_formula
from nucleate.library.library import Library, load_library
from nucleate.library.packing import packed, unpacked_crystal, write_library
from nucleate.parallel import map_jobs
from nucleate.retrieval.held_out import Part, held_out_formulas
from nucleate.retrieval.retrieve import Retriever
from nucleate.retrieval.volumes import atomic_volumes

if TYPE_CHECKING:
    from pymatgen.core import Structure

TOPS = (1, 5, 20)
NEAR_HULL = 0.05  # eV/atom
SMALL, LARGEST = 20, 52  # atoms in the primitive cell
BINS = 10  # of probabilities
SETS = {
    "unseen": f"formulas that the fit has not seen, up to {SMALL} atoms",
    "near": f"the same, crystals within {NEAR_HULL} eV/atom of the hull",
    "large": f"the same, {SMALL + 1} to {LARGEST} atoms",
    "validation": "as unseen, of the formulas for validation",
    "mp-20": "MP-20's test split",
    "mp-20:val": "MP-20's validation split",
    "mpts-52": "the validation split of MPTS-52",
    "perov-5": "Perov-5's test split",
    "carbon-24": "Carbon-24's test split",
}
PAPERS = {"perov-5": ("perov-5:train", "perov-5:val"), "carbon-24": ("carbon-24:train",)}  # what is known


@dataclass
class Asked:
    """A target, and what came of it: for each way of asking the place and distance of the first right answer."""

    name: str
    structure: Structure
    composition: dict[str, int]
    answers: list[Structure] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    none: float = 1.0
    seconds: float = 0.0
    right: tuple[int, float] | None = None
    reason: str = ""
    polymorph: bool = False  # whether the first answer is another known crystal of the formula near the hull


def held_out(part: Part, n: int, seed: int, near: bool, low: int, high: int) -> list[tuple[str, Structure]]:
    """One crystal of each formula of a part, in an order by chance."""
    table = load_library().table
    wanted = np.isin(table.formula_numbers, held_out_formulas(table, part)) & (table.num_elements > 1)
    wanted &= (table.num_atoms >= low) & (table.num_atoms <= high)
    if near:
        wanted &= table.e_above_hull <= NEAR_HULL
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(wanted))
    _, firsts = np.unique(table.formula_numbers[rows], return_index=True)
    entries = [KnownEntry(table, int(row)) for row in rows[np.sort(firsts)][: n or None]]
    return [(e.id, e.structure) for e in entries]


def targets_of(name: str, n: int, seed: int) -> list[tuple[str, Structure]]:
    """The targets of a set of `SETS`; n: how many, 0 for all."""
    if name.startswith("mp-20"):
        return load_targets("mp-20:val" if name.endswith("val") else "mp-20:test", n or None, seed)
    if name in PAPERS:
        return load_targets(f"{name}:test", n or None, seed)
    if name == "mpts-52":
        return load_targets(str(Path(os.environ["NUCLEATE_DATA"]) / "mpts_52_val.parquet"), n or None, seed)
    part: Part = "validation" if name == "validation" else "test"
    low, high = (SMALL + 1, LARGEST) if name == "large" else (1, SMALL)
    return held_out(part, n, seed, name == "near", low, high)


def known_of(name: str) -> tuple[Library, str]:
    """The known crystals of a set, and the fit of the ranking."""
    if name.startswith("mp-20"):
        return load_library().only("mp-20:train"), "mp-20"
    if name in PAPERS:
        return packed_library(PAPERS[name]), "mp-20"
    return load_library(), "known"


def packed_library(datasets: Sequence[str]) -> Library:
    """The crystals of data sets as a library."""
    crystals = [structure for dataset in datasets for _, structure in load_targets(dataset)]
    table = packed([unpacked_crystal(structure, "mp", i) for i, structure in enumerate(crystals, 1)])
    path = Path(tempfile.mkdtemp()) / "known.parquet"  # it is read piece by piece, as long as the script runs
    atexit.register(shutil.rmtree, path.parent)
    write_library(path, table, {})
    return load_library(path)


def retrieved(name: str, targets: Sequence[tuple[str, Structure]], told: bool, count: int) -> list[Asked]:
    """The answers for each target. told: whether the number of atoms is."""
    library, fit = known_of(name)
    atomic_volumes(library)  # once, before the time is taken
    retriever = Retriever(library, fit)
    out = []
    for label, structure in targets:
        composition = {e.symbol: round(n) for e, n in structure.composition.items()}
        asked = Asked(label, structure, composition)
        units = sum(composition.values()) // Formula.of(composition).num_atoms
        began = time.process_time()
        own = fit == "mp-20"
        found = retriever.retrieve(composition, count, units=units if told else 0, own=own)
        asked.answers = [p.structure() for p in found.prototypes]
        asked.seconds = time.process_time() - began
        asked.probabilities, asked.none = [p.probability for p in found.prototypes], found.none
        asked.reason = found.reason
        out.append(asked)
    return out


def judge(asked: Sequence[Asked], workers: int) -> None:
    """Find the first right answer of each target; a pair on which the matcher fails or takes too long is no match."""
    place = [0] * len(asked)
    open_ = [i for i, a in enumerate(asked) if a.answers]
    while open_:
        jobs = [(asked[i].answers[place[i]], asked[i].structure, MatchSettings(), False) for i in open_]
        still = []
        for outcome in map_jobs(match_pair, jobs, limit=MatchSettings().time_limit, workers=workers):
            i = open_[outcome.index]
            if outcome.reason is None and outcome.value.rms is not None:
                asked[i].right = place[i], outcome.value.rms
            elif place[i] + 1 < len(asked[i].answers):
                place[i] += 1
                still.append(i)
        open_ = sorted(still)


def judge_polymorphs(asked: Sequence[Asked], workers: int) -> None:
    """Find which first answers that are not right are other known crystals of their formulas near the hull."""
    table = load_library().table
    pairs = []
    for i, target in enumerate(asked):
        if target.answers and (target.right is None or target.right[0] > 0):
            rows = rows_of_formula(table, target.composition)
            pairs += [(i, int(row)) for row in rows[table.e_above_hull[rows] <= NEAR_HULL]]
    jobs = [(asked[i].answers[0], KnownEntry(table, row).structure, MatchSettings(), False) for i, row in pairs]
    for outcome in map_jobs(match_pair, jobs, limit=MatchSettings().time_limit, workers=workers):
        if outcome.reason is None and outcome.value.rms is not None:
            asked[pairs[outcome.index][0]].polymorph = True


def calibration(asked: Sequence[Asked]) -> tuple[float, list[tuple[int, float, float]]]:
    """The expected calibration error of the first answers in BINS equal bins of probability, and for each bin with
    answers how many they are, their mean probability, and the share of right ones."""
    said = np.array([a.probabilities[0] if a.probabilities else 0.0 for a in asked])
    right = np.array([a.right is not None and a.right[0] == 0 for a in asked])
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    rows = [(int(own.sum()), float(said[own].mean()), float(right[own].mean())) for own in _bins(bins)]
    return sum(n * abs(p - r) for n, p, r in rows) / len(asked), rows


def _bins(bins: np.ndarray) -> Iterator[np.ndarray]:
    for i in range(BINS):
        if (own := bins == i).any():
            yield own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", choices=list(SETS))
    parser.add_argument("--n", type=int, default=500, help="Targets of each set; 0: all.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", choices=["told", "open", "both"], default="both")
    parser.add_argument("--diagram", action="store_true", help="Print probabilities against shares of right answers.")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    sizes = {"told": [True], "open": [False], "both": [False, True]}[args.size]
    print("| targets | n | number of atoms | % right among 1 (95 % interval) / 5 / 20 | or a polymorph | ", end="")
    print("RMSE of the first | calibration error | without an answer | CPU s |\n|---|---|---|---|---|---|---|---|---|")
    diagrams = []
    for name in args.sets:
        targets = targets_of(name, args.n, args.seed)
        for told in sizes:
            asked = retrieved(name, targets, told, max(TOPS))
            judge(asked, args.workers)
            judge_polymorphs(asked, args.workers)
            hits = [[a.right is not None and a.right[0] < top for a in asked] for top in TOPS]
            first, *others = [rate(sum(h), len(asked)) for h in hits]
            rms = [a.right[1] for a in asked if a.right is not None and a.right[0] == 0]
            error, rows = calibration(asked)
            cells = [SETS[name], len(asked), "told" if told else "open"]
            cells.append(" / ".join([first.percent, *(f"{100 * float(r.value or 0):.1f}" for r in others)]))
            cells.append(f"{100 * np.mean([hit or a.polymorph for hit, a in zip(hits[0], asked, strict=True)]):.1f}")
            cells += [f"{np.mean(rms):.4f}" if rms else "-", f"{error:.3f}", sum(not a.answers for a in asked)]
            cells.append(f"{np.mean([a.seconds for a in asked]):.3f}")
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
            diagrams.append((f"{SETS[name]}, size {'told' if told else 'open'}", rows))
    for title, rows in diagrams if args.diagram else []:
        print(f"\n{title}\n\n| answers | mean probability | right |\n|---|---|---|")
        for n, said, right in rows:
            print(f"| {n} | {said:.2f} | {right:.2f} |")


if __name__ == "__main__":
    main()
