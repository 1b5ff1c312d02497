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
from nucleate.library.table import LibraryTable
from nucleate.retrieval.held_out import SPLITS, held_out_formulas, library_for_fits
from nucleate.retrieval.ranking import FOLDER
from nucleate.train.retrieval_ranking import fit_ranking, load_ranking_recipe, save_ranking

VALIDATION = 1500  # formulas
LARGEST = 52  # atoms in the cells of crystals that the fit is validated with


def libraries(name: str) -> tuple[Library, np.ndarray, Library, np.ndarray]:
    """The library that the fit sees and the rows asked for in turn; the library and rows of the validation."""
    whole = load_library()
    table = whole.table
    if name == "mp-20:train":
        train, both = (whole.only(f"mp-20:{splits}") for splits in ("train", "train,val"))
        return train, _rows(train), both, _some(table, np.setdiff1d(_rows(both), _rows(train)))
    seen = library_for_fits()
    kept = {part: np.isin(table.formula_numbers, held_out_formulas(table, part)) for part in ("validation", "test")}
    tests = np.flatnonzero(kept["test"])
    validation = load_library(hide=[SPLITS]).without(tests.tolist(), "formulas kept for tests")
    asked = np.flatnonzero(kept["validation"] & (table.num_atoms <= LARGEST))
    return seen, _rows(seen), validation, _some(table, validation.seen(asked))


def _rows(library: Library) -> np.ndarray:
    return library.seen(np.arange(len(library.table)))


def _some(table: LibraryTable, rows: np.ndarray) -> np.ndarray:
    """The crystals of some formulas, by chance."""
    numbers = np.unique(table.formula_numbers[rows])
    chosen = np.random.default_rng(0).permutation(numbers)[:VALIDATION]
    return rows[np.isin(table.formula_numbers[rows], chosen)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--steps", type=int, default=0, help="In place of those of the recipe.")
    parser.add_argument("--out", type=Path, help="Default: into the package.")
    args = parser.parse_args()
    recipe = load_ranking_recipe(args.recipe)
    if args.steps:
        recipe = recipe.changed(train=recipe.train.changed(steps=args.steps))
    library, rows, held_out, asked = libraries(recipe.library)
    network, facts = fit_ranking(
        recipe, library, rows, (held_out, asked), lambda line: print(json.dumps(line), flush=True)
    )
    path = args.out or FOLDER / f"ranking-{recipe.name}.safetensors"
    save_ranking(path, network, {"recipe": json.dumps(recipe.model_dump()), "facts": json.dumps(facts)})
    print(f"{path.name}: {path.stat().st_size:,} bytes, {facts}")


if __name__ == "__main__":
    main()
