"""Train the site chooser on the library.

    OMP_NUM_THREADS=1 python scripts/train_chooser.py recipes/networks/site-chooser.toml --out FOLDER [--steps N]

It never sees the crystals of MP-20's validation and test splits, those like them, and those of the formulas that
`retrieval.held_out` keeps for validation and tests. The folder gets weights, a checkpoint and metrics.jsonl; the same
call goes on after an interruption. The decisions of all crystals are computed first, in a minute, and kept there too.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from nucleate.library.library import load_library
from nucleate.retrieval.held_out import held_out_formulas, library_for_fits
from nucleate.train.site_chooser import fit_chooser, load_chooser_recipe
from nucleate.train.site_decisions import SiteDecisions, decisions_of

VALIDATION = 1500  # crystals, one of each formula


def decisions(folder: Path, most_atoms: int) -> tuple[SiteDecisions, SiteDecisions]:
    """Those of the crystals for training and for validation."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "train.npz", folder / "validation.npz"
    if not all(path.exists() for path in paths):
        table = load_library().table
        library = library_for_fits()
        held_out = np.flatnonzero(np.isin(table.formula_numbers, held_out_formulas(table, "validation")))
        rows = np.random.default_rng(0).permutation(held_out)
        _, firsts = np.unique(table.formula_numbers[rows], return_index=True)
        for path, own in zip(paths, (library.seen(np.arange(len(table))), rows[firsts][:VALIDATION]), strict=True):
            decisions_of(table, own, most_atoms).save(path)
    return SiteDecisions.load(paths[0]), SiteDecisions.load(paths[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=0, help="In place of those of the recipe.")
    args = parser.parse_args()
    recipe = load_chooser_recipe(args.recipe)
    if args.steps:
        recipe = recipe.changed(train=recipe.train.changed(steps=args.steps))
    data, held_out = decisions(args.out, recipe.most_atoms)

    def log(line: dict) -> None:
        print(json.dumps(line), flush=True)
        with (args.out / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    fit_chooser(recipe, data, held_out, args.out, log)
    print(f"{args.out / 'weights.safetensors'}: {len(data):,} crystals")


if __name__ == "__main__":
    main()
