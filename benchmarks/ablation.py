"""Ablations at equal training: how a condition enters the network, guidance, the noise on elements, and the backbone.

    NUCLEATE_DATA=FOLDER python benchmarks/ablation.py conditions --out RUNS [--steps 2500] [--n 400]
    NUCLEATE_DATA=FOLDER python benchmarks/ablation.py budget --out RUNS [--n 400]
    NUCLEATE_DATA=FOLDER python benchmarks/ablation.py backbone --out RUNS [--steps 2000] [--n 256]

conditions: Perov-5, asked for the lowest heat of formation of the training data. Each row is a recipe that differs from
perov5-cds in what its name says, and draws elements at temperature 1; SR5, SR10, SR15 are the share of all n crystals
that property-perov5 puts below the published thresholds, unique the share of distinct formulas.
budget: the same rates of the recipe perov5-cds after fewer steps, for each of which the learning rate falls to its end,
and of the shipped weights.
backbone: MP-20, structures for the compositions of validation crystals, one prediction each; each row adds to the one
before it, except the last two, which each add to "distance".
RUNS keeps what was trained, so that an interrupted call can be repeated to continue.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from nucleate.crystal.convert import atom_counts
from nucleate.data import prepare
from nucleate.evaluate.csp import load_targets, prediction_seed
from nucleate.evaluate.matching.match import count_matches
from nucleate.evaluate.measures.statistics import rate
from nucleate.evaluate.measures.success_rate import CDVAE
from nucleate.generators import Condition, load_generator
from nucleate.generators.diffusion import DiffusionGenerator
from nucleate.systems import Recipe, load_recipe
from nucleate.train.loop import WEIGHTS, Trainer
from nucleate.train.property import load_property_network, predict_structures

RECIPES = Path(__file__).parent.parent / "recipes"
GUIDANCE = (0.0, 1.0, 2.0, 4.0)
BUDGETS = (500, 1000, 2000)  # steps
PLAIN: dict[str, Any] = {"conditioning": "cds", "norm": "post", "distance": False, "composition": False}
ADALN = {"conditioning": "adaln", "norm": "pre"}
CONDITIONS: dict[str, dict[str, dict[str, Any]]] = {
    "CDI": {"network": {"conditioning": "cdi"}},
    "CDS": {},
    "adaptive layer norm": {"network": {"conditioning": "adaln"}},
    "CDS, uniform D3PM": {"diffusion": {"species": "uniform"}},
    "CDS, elements not late": {"diffusion": {"species_power": 1.0}},
}
BACKBONES: dict[str, dict[str, dict[str, Any]]] = {
    "the paper's": {"network": PLAIN},
    "pre-norm, adaptive layer norm": {"network": PLAIN | ADALN},
    "distance": {"network": PLAIN | ADALN | {"distance": True}},
    "fused attention": {"network": PLAIN | ADALN | {"distance": True, "attention": "fused"}},
    "self-conditioning": {"network": PLAIN | ADALN | {"distance": True, "self_conditioning": True}},
}


def changed(recipe: Recipe, changes: dict[str, dict[str, Any]], steps: int) -> Recipe:
    """The recipe with some values replaced, for so many steps, without weights to begin with."""
    return recipe.changed(**changes).changed(train={"steps": steps, "start_from": ""})


def trained(recipe: Recipe, folder: Path) -> tuple[DiffusionGenerator, float]:
    """The generator that the recipe gives, and the seconds of its training."""
    data, _ = prepare(recipe.data.dataset, None, recipe.data.max_atoms, None, recipe.properties)
    trainer = Trainer(recipe, data, folder, "cpu")
    trainer.run()
    return load_generator(folder / WEIGHTS, device="cpu"), trainer.seconds


def success(generator: DiffusionGenerator, n: int) -> tuple[list[str], str]:
    """SR5, SR10, SR15 and the share of distinct formulas in percent, of n crystals asked for the lowest value."""
    column, _, limits = CDVAE["perov-5"]
    target = generator.info.conditions[column].low
    made = generator.generate([Condition(properties={column: target})] * n, list(range(n)))
    found, _ = predict_structures(load_property_network("property-perov5"), made)
    rates = [f"{100 * int((found[column] <= limit).sum()) / n:.1f}" for limit in limits]
    return rates, f"{100 * len({s.reduced_formula for s in made}) / n:.0f}"


def conditions(steps: int, n: int, out: Path) -> None:
    """Print the table of ways of conditioning, guidance and noise."""
    base = load_recipe(RECIPES / "perov5-cds.toml")
    base = base.changed(sample={"species_temperature": 1.0})
    print("| way | guidance | SR5 | SR10 | SR15 | unique % | training s |\n|---|---|---|---|---|---|---|")
    for name, changes in CONDITIONS.items():
        generator, seconds = trained(changed(base, changes, steps), out / name.replace(" ", "-"))
        for scale in GUIDANCE if name in ("CDI", "CDS", "adaptive layer norm") else (1.0,):
            generator.guidance_scale = scale
            rates, unique = success(generator, n)
            print(f"| {name} | {scale:g} | {' | '.join(rates)} | {unique} | {seconds:.0f} |", flush=True)


def budget(n: int, out: Path) -> None:
    """Print the table of training lengths."""
    base = load_recipe(RECIPES / "perov5-cds.toml")
    print("| steps | SR5 | SR10 | SR15 | unique % | training s |\n|---|---|---|---|---|---|")
    for steps in (*BUDGETS, base.train.steps):
        if steps < base.train.steps:
            generator, seconds = trained(changed(base, {}, steps), out / str(steps))
        else:
            generator = load_generator(base.name, device="cpu")
            seconds = float(generator.info.training["seconds"])
        rates, unique = success(generator, n)
        print(f"| {steps:,} | {' | '.join(rates)} | {unique} | {seconds:.0f} |", flush=True)


def backbone(steps: int, n: int, out: Path) -> None:
    """Print the table of backbones."""
    base = load_recipe(RECIPES / "mp20-csp.toml")
    targets = load_targets("mp-20:val", n, seed=2)
    wanted = [Condition(composition=atom_counts(t)) for _, t in targets]
    print("| backbone | match % | interval | RMSE | training s | sampling s |\n|---|---|---|---|---|---|")
    for name, changes in BACKBONES.items():
        generator, seconds = trained(changed(base, changes, steps), out / name.replace(" ", "-"))
        began = time.perf_counter()
        made = generator.generate(wanted, [prediction_seed(2, name, 0) for name, _ in targets])
        spent = time.perf_counter() - began
        groups = [(name, target, [s]) for (name, target), s in zip(targets, made, strict=True)]
        score = count_matches(groups, across=False).score("unfiltered", 1)
        match = rate(score.match_rate.hits, score.match_rate.total)
        print(
            f"| {name} | {100 * match.hits / match.total:.1f} | {100 * match.low:.1f}-{100 * match.high:.1f} | "
            f"{score.rmse.value:.3f} | {seconds:.0f} | {spent:.0f} |",
            flush=True,
        )


def main() -> None:
    """Print one of the tables row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=("conditions", "budget", "backbone"))
    parser.add_argument("--out", type=Path, required=True, help="folder for the training runs")
    parser.add_argument("--steps", type=int, help="training steps of each row (2500, -, 2000)")
    parser.add_argument("--n", type=int, help="crystals for each row (400, 400, 256)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.table == "conditions":
        conditions(args.steps or 2500, args.n or 400, args.out / "conditions")
    elif args.table == "budget":
        budget(args.n or 400, args.out / "budget")
    else:
        backbone(args.steps or 2000, args.n or 256, args.out / "backbone")


if __name__ == "__main__":
    main()
