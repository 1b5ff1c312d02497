"""The site chooser beside the votes of known crystals: how often the decorated prototype of a hidden crystal is found.

    OMP_NUM_THREADS=1 python benchmarks/chooser.py WEIGHTS validation near large --n 300 --keep /tmp/rows
    python benchmarks/chooser.py WEIGHTS validation near large --keep /tmp/rows    # the tables from kept rows

Targets are crystals of formulas kept for validation (`retrieval.held_out`), one of each formula, which no training has
seen; of the target's formula all crystals are hidden from the votes. Right is a prototype that is the same as the
target's in some setting of its space group: no geometry and no matcher decides. The weights of mixtures are fitted on
one half of the targets for the other half, both ways.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nucleate.generators.site_chooser import SiteChooser
from nucleate.library.entries import KnownEntry
from nucleate.library.library import load_library
from nucleate.retrieval.held_out import held_out_formulas
from nucleate.retrieval.retrieve import Retriever
from nucleate.retrieval.volumes import atomic_volumes

TOPS = (1, 5, 20)
NEAR_HULL = 0.05  # eV/atom
SETS = {
    "validation": ("up to 20 atoms", 1, 20, False),
    "near": (f"the same, within {NEAR_HULL} eV/atom of the hull", 1, 20, True),
    "large": ("21 to 52 atoms", 21, 52, False),
}
RETRIEVED = 1000  # prototypes of a composition that are looked at
VOTED, PROPOSED = 60, 40  # candidates of each that mixtures are made of
FLOOR = -14.0  # logarithm of a probability that stands for none
BINS = 10
Row = dict  # votes, chooser: probabilities of the candidates; right: place of the target among them, or -1; and so on


def targets_of(name: str, n: int, seed: int) -> list[KnownEntry]:
    """One crystal of each formula, in an order by chance."""
    _, low, high, near = SETS[name]
    table = load_library().table
    wanted = np.isin(table.formula_numbers, held_out_formulas(table, "validation")) & (table.num_elements > 1)
    wanted &= (table.num_atoms >= low) & (table.num_atoms <= high)
    if near:
        wanted &= table.e_above_hull <= NEAR_HULL
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(wanted))
    _, firsts = np.unique(table.formula_numbers[rows], return_index=True)
    return [KnownEntry(table, int(row)) for row in rows[np.sort(firsts)][: n or None]]


def asked(entry: KnownEntry, retriever: Retriever, chooser: SiteChooser, told: bool) -> Row:
    """What votes and chooser say of one target. told: whether the number of atoms is."""
    target = entry.decorated_prototype()
    units = target.units if told else 0
    found = retriever.retrieve(entry.composition, RETRIEVED, units=units, own=False)
    retrieved = [(p.relatives[0].entry.decorated_prototype(p.relatives[0].substitution), p) for p in found.prototypes]
    votes: dict = {}
    for key, p in retrieved[:VOTED]:
        votes[key] = votes.get(key, 0.0) + p.probability
    began = time.process_time()
    proposed = [p.prototype for p in chooser.propose(entry.composition, PROPOSED, units=units)]
    seconds = time.process_time() - began
    fitting = [p for p in votes if sum(p.counts) <= chooser.most_atoms]
    every = list(dict.fromkeys([*fitting, *proposed]))
    whole = [*every, *([] if target in every else [target])]
    logs = chooser.log_probabilities(whole, units=told)
    return {
        "id": entry.id,
        "votes": [votes.get(p, 0.0) for p in every],
        "chooser": logs[: len(every)],
        "proposed": [p in set(proposed) for p in every],
        "right": every.index(target) if target in every else -1,
        "none": found.none,
        "known": any(key == target for key, _ in retrieved),
        "log_probability": logs[whole.index(target)],
        "seconds": seconds,
    }


def place(row: Row, scores: np.ndarray, among: np.ndarray) -> float:
    """The place of the target in the order of scores among some of the candidates, from 0; inf where it is none. Among
    equal scores it is the last."""
    right = row["right"]
    if right < 0 or not among[right]:
        return math.inf
    return float(((scores >= scores[right]) & among).sum() - 1)


def by_votes(row: Row) -> float:
    votes = np.array(row["votes"])
    return place(row, votes, votes > 0)


def by_chooser(row: Row) -> float:
    return place(row, np.array(row["chooser"]), np.array(row["proposed"], dtype=bool))


def linear(row: Row, w: float) -> np.ndarray:
    return (1 - w) * np.array(row["votes"]) + w * np.exp(row["chooser"])


def filled(row: Row, w: float) -> np.ndarray:
    """The chooser has the share of "none of these", times w, for what has no votes."""
    votes = np.array(row["votes"])
    return np.where(votes > 0, votes, w * row["none"] * np.exp(row["chooser"]))


def log_linear(row: Row, w: float) -> np.ndarray:
    """The votes of what has none stand for exp(FLOOR)."""
    votes = np.log(np.maximum(row["votes"], math.exp(FLOOR)))
    return np.asarray((1 - w) * votes + w * np.maximum(row["chooser"], 3 * FLOOR))


MIXTURES: dict[str, tuple[Callable[[Row, float], np.ndarray], Sequence[float]]] = {
    "(1 - w) votes + w chooser": (linear, np.linspace(0, 1, 21)),
    "votes^(1 - w) chooser^w": (log_linear, np.linspace(0, 1, 21)),
    "votes, none of these by the chooser": (filled, (0.0, 0.1, 0.2, 0.4, 0.7, 1.0)),
}


def mixed(row: Row, how: str, w: float) -> float:
    scores = MIXTURES[how][0](row, w)
    return place(row, scores, np.ones(len(scores), dtype=bool))


def gain(places: Sequence[float]) -> float:
    """What the fit of w looks at: the mean of the shares among 1, 5 and 20."""
    return float(np.mean([[p < top for top in TOPS] for p in places]))


def shares(places: Sequence[float]) -> str:
    return " / ".join(f"{100 * np.mean([p < top for p in places]):.1f}" for top in TOPS)


def calibration(rows: Sequence[Row]) -> tuple[float, list[tuple[int, float, float]]]:
    """The expected calibration error of the chooser's first answers, and of each bin of probability with answers how
    many they are, their mean probability and the share of right ones."""
    said = np.array([max(p for p, own in zip(r["chooser"], r["proposed"], strict=True) if own) for r in rows])
    said, right = np.exp(said), np.array([by_chooser(r) == 0 for r in rows])
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    table = [
        (int(o.sum()), float(said[o].mean()), float(right[o].mean())) for o in (bins == b for b in np.unique(bins))
    ]
    return sum(n * abs(p - r) for n, p, r in table) / len(rows), table


def fitted(rows: Sequence[Row], how: str) -> tuple[list[float], tuple[float, float]]:
    """The places of the targets by a mixture, with the weight that the other half of the targets makes the best."""
    halves = rows[::2], rows[1::2]
    weights = MIXTURES[how][1]
    best = [max(weights, key=lambda w, half=half: gain([mixed(r, how, w) for r in half])) for half in halves]
    return [mixed(row, how, best[1 - i % 2]) for i, row in enumerate(rows)], (float(best[0]), float(best[1]))


def report(name: str, told: bool, rows: Sequence[Row]) -> None:
    new = np.array([not r["known"] for r in rows])
    print(f"\n{SETS[name][0]}, size {'told' if told else 'open'}: {len(rows)} targets; ", end="")
    print(f"for {new.sum()} votes have no such prototype\n")
    print("| order by | % right among 1 / 5 / 20 | where votes have no such prototype |\n|---|---|---|")
    lines = {"votes": [by_votes(r) for r in rows], "chooser": [by_chooser(r) for r in rows]}
    for how in MIXTURES:
        places, best = fitted(rows, how)
        lines[f"{how}, w = {best[0]:.2f} and {best[1]:.2f}"] = places
    for label, places in lines.items():
        print(f"| {label} | {shares(places)} | {shares(np.array(places)[new].tolist()) if new.any() else '-'} |")
    error, table = calibration(rows)
    logs = [r["log_probability"] for r in rows]
    print(f"\nchooser: calibration error {error:.3f}; mean log-likelihood {np.mean(logs):.2f} nats, ", end="")
    print(f"median {np.median(logs):.2f}; {np.mean([r['seconds'] for r in rows]):.2f} CPU s a composition")
    print("bins (answers: said -> right): " + ", ".join(f"{n}: {p:.2f} -> {r:.2f}" for n, p, r in table), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("sets", nargs="+", choices=list(SETS))
    parser.add_argument("--n", type=int, default=300, help="Targets of each set; 0: all.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", choices=["told", "open", "both"], default="open")
    parser.add_argument("--stable", action="store_true", help="Tell the chooser that a stable crystal is looked for.")
    parser.add_argument("--keep", type=Path, help="A folder for what was found; what lies there is not computed again.")
    args = parser.parse_args()
    retriever, chooser = Retriever(load_library()), SiteChooser.load(args.weights, stable=True if args.stable else None)
    atomic_volumes(retriever.library)
    for name in args.sets:
        for told in {"told": [True], "open": [False], "both": [False, True]}[args.size]:
            path = args.keep / f"{name}-{'told' if told else 'open'}.jsonl" if args.keep else None
            if path is not None and path.exists():
                rows = [json.loads(line) for line in path.read_text().splitlines()]
            else:
                rows = [asked(e, retriever, chooser, told) for e in targets_of(name, args.n, args.seed)]
                if path is not None:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
            report(name, told, rows)


if __name__ == "__main__":
    main()
