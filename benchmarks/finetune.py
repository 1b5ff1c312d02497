"""Fine-tuning against training from scratch: 500 crystals, with a property that can be computed exactly.

    NUCLEATE_DATA=FOLDER python benchmarks/finetune.py [--steps 500] [--n 64]

The property is the mass density. The generators are asked for the densities of validation crystals. The table
gives the share of possible geometries (by `nucleate check`), the median error of their density, the rank correlation of
wanted and actual density, and the share of all crystals that are possible and within 20 % of the density asked for.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from nucleate.crystal.batch import CrystalBatch
from nucleate.crystal.convert import structures_from_batch
from nucleate.crystal.geometry import mass_density
from nucleate.crystal.verdicts import geometry_verdicts
from nucleate.data import prepare
from nucleate.generators import Condition, load_generator, read_info
from nucleate.train.finetune import finetune_recipe
from nucleate.train.loop import WEIGHTS, Trainer

BASE, CRYSTALS = "mp20-dng", 500


def with_density(split: str, count: int, seed: int) -> CrystalBatch:
    """Random crystals of MP-20 and their density in g/cm3."""
    batch, _ = prepare("mp-20", split, 20)
    batch = batch[torch.randperm(len(batch), generator=torch.Generator().manual_seed(seed))[:count]]
    values = torch.tensor([mass_density(s) for s in structures_from_batch(batch)], dtype=torch.float32)
    return batch.with_properties({"density": values})


def main() -> None:
    """Train in three ways on the same crystals for the same steps, and ask each model for the same densities."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--n", type=int, default=64, help="crystals to generate from each")
    parser.add_argument("--guidance", type=float, default=2.0)
    args = parser.parse_args()
    data, wanted = with_density("train", CRYSTALS, 0), with_density("val", args.n, 1).properties["density"].tolist()
    tuned, whole = (
        finetune_recipe(read_info(BASE), BASE, "density", "mp-20", steps=args.steps, rank=rank) for rank in (16, 0)
    )
    scratch = whole.changed(train={"start_from": ""})
    heads = ("way", "trained parameters", "s", "possible %", "median error g/cm3", "rank correlation", "hits %")
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for way, recipe in (("from scratch", scratch), (f"{BASE}, all", whole), (f"{BASE}, adapters of rank 16", tuned)):
        with tempfile.TemporaryDirectory() as folder:
            trainer = Trainer(recipe, data, folder)
            began = time.perf_counter()
            trainer.run()
            spent = time.perf_counter() - began
            size = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
            generator = load_generator(Path(folder) / WEIGHTS, guidance_scale=args.guidance)
        conditions = [Condition(properties={"density": v}) for v in wanted]
        made = generator.generate(conditions, list(range(args.n)))
        good = [i for i, s in enumerate(made) if geometry_verdicts(s)[1] is None]
        got = np.array([mass_density(made[i]) for i in good])
        asked = np.array(wanted)[good]
        error, rank = np.median(np.abs(got - asked)), spearmanr(asked, got).statistic
        hits = 100 * float((np.abs(got - asked) < 0.2 * asked).sum()) / args.n
        share = 100 * len(good) / args.n
        print(f"| {way} | {size:,} | {spent:.0f} | {share:.0f} | {error:.2f} | {rank:.2f} | {hits:.0f} |", flush=True)


if __name__ == "__main__":
    main()
