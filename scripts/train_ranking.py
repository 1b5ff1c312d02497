"""Fit the ranking of retrieved structures, and write it into the package.

    OMP_NUM_THREADS=1 python scripts/train_ranking.py recipes/networks/retrieval-known.toml [--steps N] [--out FILE]

Of the library "known" the fit never sees the crystals of MP-20's validation and test splits, those like them, and
those of the formulas that `retrieval.held_out` keeps for validation and tests; that of "mp-20:train" sees only the
crystals of this split, and is validated on formulas of the split "val".
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from nucleate.library.library import Library, load_library
from nucleate.retrieval.held_out import held_out_formulas
from nucleate.retrieval.ranking import FOLDER
from nucleate.train.retrieval_ranking import fit_ranking, load_ranking_recipe, save_ranking

VALIDATION = 1500  # formulas
LARGEST = 52  # atoms in the cells of crystals that the fit is validated with


def libraries(name: str) -> tuple[Library, np.ndarray, Library, np.ndarray]:
    """The library that the fit sees and the formulas left out in turn; the library and formulas of the validation."""
    whole = load_library()
    numbers = whole.table.formula_numbers
    if name == "mp-20:train":
        train, both = whole.only("mp-20:train"), whole.only("mp-20:train,val")
        own = np.unique(numbers[train.seen(np.arange(len(numbers)))])
        others = np.setdiff1d(numbers[both.seen(np.arange(len(numbers)))], own)
        return train, own, both, _some(others)
    kept = {part: held_out_formulas(whole.table, part) for part in ("validation", "test")}
    rows = np.flatnonzero(np.isin(numbers, np.concatenate(list(kept.values()))))
    seen = load_library(hide=["mp-20:val,test"]).without(rows.tolist(), "formulas kept for validation and tests")
    own = np.unique(numbers[seen.seen(np.arange(len(numbers)))])
    test = np.flatnonzero(np.isin(numbers, kept["test"]))
    large = np.flatnonzero(np.isin(numbers, kept["validation"]) & (whole.table.num_atoms > LARGEST))
    validation = load_library(hide=["mp-20:val,test"]).without([*test.tolist(), *large.tolist()], "formulas of tests")
    return seen, own, validation, _some(kept["validation"])


def _some(formulas: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).permutation(formulas)[:VALIDATION]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--steps", type=int, default=0, help="In place of those of the recipe.")
    parser.add_argument("--out", type=Path, help="Default: into the package.")
    args = parser.parse_args()
    recipe = load_ranking_recipe(args.recipe)
    if args.steps:
        recipe = recipe.changed(train=recipe.train.changed(steps=args.steps))
    library, formulas, held_out, asked = libraries(recipe.library)
    network, facts = fit_ranking(
        recipe, library, formulas, (held_out, asked), lambda line: print(json.dumps(line), flush=True)
    )
    path = args.out or FOLDER / f"ranking-{recipe.name}.safetensors"
    save_ranking(path, network, {"recipe": json.dumps(recipe.model_dump()), "facts": json.dumps(facts)})
    print(f"{path.name}: {path.stat().st_size:,} bytes, {facts}")


if __name__ == "__main__":
    main()
