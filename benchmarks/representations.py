"""Ablations of UniMat's networks and of the compact representation at equal training, on Perov-5.

    NUCLEATE_DATA=FOLDER python benchmarks/representations.py --out RUNS [--steps 1500] [--n 1000] [--rows ROW ...]

Each row is the recipe perov5-unimat, perov5-unimat-dense or perov5-compact with what its name says changed, trained for
the same number of steps of 128 crystals with a learning rate that falls to its end, and judged on n crystals by the
protocol cdvae-2022 against the test split. Seconds are of one core, of this run: compare rows of one table.
RUNS keeps what was trained and drawn, so that an interrupted call can be repeated to continue.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from nucleate.evaluate.dng import evaluate_dng
from nucleate.evaluate.inputs import CrystalSet, Item, read_crystals
from nucleate.evaluate.measurements import DngSettings
from nucleate.generators import Condition, load_generator
from nucleate.systems import Recipe, load_recipe, prepare_for
from nucleate.train.loop import WEIGHTS, Trainer

RECIPES = Path(__file__).parent.parent / "recipes"
PERCENT = {
    "valid_structure": "struct. valid %",
    "valid_composition": "comp. valid %",
    "cov_recall": "COV-R %",
    "cov_precision": "COV-P %",
}
DISTANCES = {"w_density": "density W", "w_elements": "# elements W"}
Changes = dict[str, dict[str, Any]]
ROWS: dict[str, tuple[str, Changes]] = {
    **{f"sparse-{d}": ("perov5-unimat", {"network": {"dim": d}}) for d in (32, 64, 96, 192)},
    "sparse-96, all slots seen": ("perov5-unimat", {"network": {"seen": 168}}),
    **{
        f"dense-{w[0]}": ("perov5-unimat-dense", {"network": {"widths": w}, "train": {"batch_size": 128}})
        for w in ((16, 24, 32), (32, 48, 64))
    },
    **{
        f"compact-{w[0]}": ("perov5-compact", {"network": {"widths": w}})
        for w in ((32, 48, 56), (64, 80, 112), (96, 128, 160), (192, 256, 320))
    },
    "compact-96, one width": ("perov5-compact", {"network": {"widths": (96,), "layers": 5}}),
    "compact-96, Pettifor scale": ("perov5-compact", {"codec": {"species_scale": "pettifor"}}),
    "compact-96, log-metric": ("perov5-compact", {"codec": {"lattice": "log-metric"}}),
}


def changed(recipe: Recipe, changes: Changes, steps: int) -> Recipe:
    """The recipe with some values replaced, for so many steps."""
    return recipe.changed(**changes).changed(train={"steps": steps, "start_from": ""})


def row(name: str, steps: int, n: int, folder: Path) -> str:
    """Train, draw and judge one row of the table."""
    base, changes = ROWS[name]
    recipe = changed(load_recipe(RECIPES / f"{base}.toml"), changes, steps)
    trainer = Trainer(recipe, prepare_for(recipe)[0], folder, "cpu")
    trainer.run()
    generator = load_generator(folder / WEIGHTS, device="cpu")
    began = time.perf_counter()
    made = generator.generate([Condition()] * n, list(range(n)))
    spent = time.perf_counter() - began
    crystals = CrystalSet(name, tuple(Item(str(i), s if len(s) else None, "no atoms") for i, s in enumerate(made)))
    settings = DngSettings(("cdvae-2022",), "perov-5:train", energies=False)
    report = evaluate_dng(crystals, read_crystals(["perov-5:test"]), settings, workers=1)
    cells = [name, f"{sum(p.numel() for p in trainer.model.parameters()) / 1e6:.2f}"]
    cells.append(f"{100 * sum(len(s) == 5 for s in made) / n:.1f}")
    cells += [f"{100 * (report[key].value or 0):.1f}" for key in PERCENT]
    cells += ["-" if report[key].value is None else f"{report[key].value:.3f}" for key in DISTANCES]
    return f"| {' | '.join(cells)} | {1000 * trainer.seconds / steps:.0f} | {1000 * spent / n:.0f} |"


def main() -> None:
    """Print the table row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the training runs")
    parser.add_argument("--steps", type=int, default=1500, help="training steps of each row")
    parser.add_argument("--n", type=int, default=1000, help="crystals for each row")
    parser.add_argument(
        "--rows", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW", help=", ".join(ROWS)
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    names = ["network", "parameters (10^6)", "5 atoms %", *PERCENT.values(), *DISTANCES.values()]
    names += ["training ms a step", "sampling ms a crystal"]
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for name in args.rows:
        print(row(name, args.steps, args.n, args.out / name.replace(" ", "-").replace(",", "")), flush=True)


if __name__ == "__main__":
    main()
