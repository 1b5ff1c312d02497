"""How early known formulas come in the lexicon's order of proposals when they are hidden from it, for every family.

    OMP_NUM_THREADS=1 NUCLEATE_DATA=FOLDER python benchmarks/proposals.py [--split test] [--pulls 0.3,0.6,1.5]
        [--families perovskite,spinel] [--weights diffusion-bert-all]

Formulas of MP-20's validation and test splits, on which no composition model was trained, are hidden from the families'
members. Among the POOL nearest proposals, the formulas of the split should come before those that are not known at all.
AUC: the probability that a hidden known formula comes before an unknown one. First: how many of the first 20 are hidden
known ones, compared with the number by chance. Orders: by nearness to members; by the composition model's likelihood;
by both, for each pull. Means over families with at least 5 to be found; intervals at 95 %.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from nucleate.chem.composition import Formula
from nucleate.errors import NucleateError
from nucleate.evaluate.inputs import read_dataset
from nucleate.families.family import lexicon
from nucleate.families.likelihood import LOWEST
from nucleate.families.propose import propose
from nucleate.generators import load_formula_generator
from nucleate.library import load_library
from nucleate.search.families_first import POOL

FEWEST = 5  # formulas to be found
FIRST = 20


def formulas_of(split: str) -> frozenset[Formula]:
    """Formulas of a split of MP-20."""
    found = [s.composition for s in read_dataset(f"mp-20:{split}").structures if s is not None]
    return frozenset(Formula.of_amounts(c) for c in found)


def auc(merit: NDArray[np.float64], good: NDArray[np.bool_]) -> float:
    """The probability that a good one has more merit than another one."""
    n = int(good.sum())
    return float((rankdata(merit)[good].sum() - n * (n + 1) / 2) / (n * (len(good) - n)))


def first(merit: NDArray[np.float64], good: NDArray[np.bool_]) -> float:
    """Share of good ones among the FIRST."""
    return float(good[np.argsort(-merit, kind="stable")[:FIRST]].mean())


def mean(values: NDArray[np.float64], scale: float) -> str:
    """With its 95 % interval, over families."""
    half = 1.96 * values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    middle = values.mean()
    digits = 1 if scale == 100 else 3
    low, middle, high = (f"{scale * v:.{digits}f}" for v in (middle - half, middle, middle + half))
    return f"{middle} ({low}-{high})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", default="test", choices=["val", "test"])
    parser.add_argument("--pulls", default="0.3,0.6,1.5")
    parser.add_argument("--families", default="")
    parser.add_argument("--weights", default="diffusion-bert-all")
    args = parser.parse_args()
    pulls = [float(p) for p in args.pulls.split(",")]
    wanted, every = formulas_of(args.split), formulas_of("val") | formulas_of("test")
    model, known = load_formula_generator(args.weights), load_library()
    told = known.hidden(formulas=[dict(formula) for formula in every])
    found = []
    orders = ["nearness", "likelihood", *(f"both, {p:g}" for p in pulls)]
    print(f"| family | unknown | to be found | AUC: {' | '.join(orders)} |")
    print("|" + "---|" * (3 + len(orders)))
    for name in filter(None, args.families.split(",")) if args.families else lexicon():
        try:
            proposals = propose(lexicon()[name], limit=POOL, library=told)
        except NucleateError:
            continue
        keys = [Formula.of(p.composition) for p in proposals]
        keep = [i for i, k in enumerate(keys) if k in wanted or not known.knows_formula(dict(k))]
        good = np.array([keys[i] in wanted for i in keep])
        if good.sum() < FEWEST or good.all():
            continue
        near = np.array([-proposals[i].score for i in keep])
        likely = np.maximum(model.log_likelihoods([proposals[i].composition for i in keep]), LOWEST)
        merits = [near, likely, *(near + p * likely for p in pulls)]
        found.append([[auc(merit, good) for merit in merits], [first(merit, good) for merit in merits]])
        found[-1][1].append(float(good.mean()))
        cells = [name, str(int((~good).sum())), str(int(good.sum())), *(f"{v:.3f}" for v in found[-1][0])]
        print(f"| {' | '.join(cells)} |", flush=True)
    aucs, firsts = (np.array([f[k] for f in found]) for k in (0, 1))
    print(f"\n| order, {len(found)} families | AUC | hidden known ones of the first {FIRST}, % |\n|---|---|---|")
    for i, order in enumerate(orders):
        print(f"| {order} | {mean(aucs[:, i], 1)} | {mean(firsts[:, i], 100)} |")
    print(f"| chance | .5 | {mean(firsts[:, -1], 100)} |")


if __name__ == "__main__":
    main()
