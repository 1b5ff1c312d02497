"""Composition language models: how many network calls they need, the word-frequency ablation, and how fast they are.

    python benchmarks/compositions.py steps [--weights diffusion-bert] [--n 1000]
    python benchmarks/compositions.py frequency --out RUNS [--steps 1500] [--n 1000]
    python benchmarks/compositions.py speed [--n 2000]

steps: the same weights by each sampler; calls are network calls for each formula, in the mean.
frequency: a small Diffusion-BERT (96 wide, 3 layers) trained for so many steps at each word frequency of Dong et al.,
Table 3, and at 0 (no schedule by words) and -0.3 (common words masked first). RUNS keeps what was trained.
speed: formulas drawn, checked and matched to templates each second, one core.
Everything is measured on formulas as drawn, with 95 % intervals (Wilson); training formulas are those of the recipe.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

import torch

from nucleate.chem.checks import balanced
from nucleate.chem.formula import parse, parse_formula
from nucleate.config import load_recipe
from nucleate.data import prepare_formulas
from nucleate.errors import NucleateError
from nucleate.evaluate.formulas import key_of
from nucleate.evaluate.statistics import rate
from nucleate.generators import Condition, load_formula_generator
from nucleate.generators.formulas import FormulaGenerator
from nucleate.train.loop import WEIGHTS, Trainer

RECIPES = Path(__file__).parent.parent / "recipes"
FREQUENCIES = (0.1, 0.3, 0.5, 1.0, 0.0, -0.3)
GRIDS = {
    "diffusion-bert": ("ancestral", (8, 16, 32, 64, 256)),
    "diffusion-lm": ("ancestral", (25, 50, 100)),
}


def measured(texts: list[str]) -> list[str]:
    """Formulas, distinct ones and those that pass CN and EB (smact14), of all texts, with intervals."""
    keys = [key_of(t) for t in texts]
    whole = [k for k in keys if k is not None]
    good = sum(balanced(dict(k), "smact14").verdict == "pass" for k in whole)
    counts = (len(whole), len(set(whole)), good)
    rates = [rate(c, len(texts)) for c in counts]
    return [f"{100 * r.value:.1f} ({100 * r.low:.1f}-{100 * r.high:.1f})" for r in rates]


def drawn(generator: FormulaGenerator, n: int) -> tuple[list[str], float, float]:
    """n formulas, their seconds, and network calls for each (rows of a batch count one each)."""
    calls = 0

    def count(module: Any, args: tuple[Any, ...]) -> None:
        nonlocal calls
        calls += len(args[1])

    handle = generator.model.register_forward_pre_hook(count)
    began = time.perf_counter()
    texts = generator.generate([Condition()] * n, list(range(n)))
    seconds = time.perf_counter() - began
    handle.remove()
    return texts, seconds, calls / n


def row(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def steps(weights: str, n: int) -> None:
    """Each sampler of the weights."""
    row("sampler", "steps", "calls", "formulas, %", "distinct, %", "CN + EB, %", "ms each")
    row(*["---"] * 7)
    plain = load_formula_generator(weights)
    embedding = plain.info.recipe.diffusion.words == "embedding"
    sampler, grid = GRIDS["diffusion-lm" if embedding else "diffusion-bert"]
    runs: list[tuple[str, int]] = [] if embedding else [("one-by-one", 0)]
    runs += [(sampler, k) for k in grid]
    for name, k in runs:
        texts, seconds, calls = drawn(load_formula_generator(weights, sampler=name, steps=k or None), n)
        row(name, k or "-", f"{calls:.1f}", *measured(texts), f"{1000 * seconds / n:.1f}")


def frequency(out: Path, budget: int, n: int) -> None:
    """Short training at each word frequency."""
    recipe = load_recipe(RECIPES / "diffusion-bert.toml")
    data, summary = prepare_formulas(recipe)
    print(summary)
    row("word frequency", "loss", "formulas, %", "distinct, %", "CN + EB, %", "training, s")
    row(*["---"] * 6)
    for value in FREQUENCIES:
        own = dataclasses.replace(
            recipe,
            diffusion=dataclasses.replace(recipe.diffusion, word_frequency=value),
            network=dataclasses.replace(recipe.network, dim=96, layers=3, heads=3),
            train=dataclasses.replace(recipe.train, steps=budget, batch_size=256, log_every=budget),
        )
        folder = out / f"frequency{value:+g}"
        trainer = Trainer(own, data, folder, "cpu")
        losses: list[float] = []
        trainer.run(on_log=lambda line, losses=losses: losses.append(line["loss"]))
        texts, _, _ = drawn(load_formula_generator(folder / WEIGHTS), n)
        row(f"{value:g}", f"{losses[-1]:.3f}" if losses else "-", *measured(texts), f"{trainer.seconds:.0f}")


def speed(n: int, weights: tuple[str, ...]) -> None:
    """Seconds of each step from nothing to a template."""
    from nucleate.generators.template import TemplateGenerator
    from nucleate.generators.template_library import load_library

    row("step", "formulas", "seconds", "each second")
    row(*["---"] * 4)
    texts: list[str] = []
    for name in weights:
        made, seconds, calls = drawn(load_formula_generator(name), n)
        row(f"drawn by {name} ({calls:.0f} network calls each)", n, f"{seconds:.1f}", f"{n / seconds:.0f}")
        texts = texts or made
    formulas = [parse_formula(t) for t in texts if _is_formula(t)]
    began = time.perf_counter()
    passed = [f for f in formulas if balanced(f, "smact14").verdict == "pass"]
    seconds = time.perf_counter() - began
    row("checked: CN and EB, smact14", len(formulas), f"{seconds:.2f}", f"{len(formulas) / seconds:.0f}")
    library = load_library("mp-20:train")
    for rank in ("emd",):
        templates = TemplateGenerator(library, rank)
        some, found = passed[:1000], 0
        began = time.perf_counter()
        for f in some:
            try:
                found += bool(templates.predict(f, k=1))
            except NucleateError:
                continue
        seconds = time.perf_counter() - began
        row(
            f"template by {rank} of {len(library):,} (found: {found})",
            len(some),
            f"{seconds:.1f}",
            f"{len(some) / seconds:.0f}",
        )


def _is_formula(text: str) -> bool:
    try:
        return bool(parse(text))
    except NucleateError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("steps", "frequency", "speed"))
    parser.add_argument("--weights", default="", help="shipped name or file; speed: several, separated by commas")
    parser.add_argument("--n", type=int, default=1000, help="formulas drawn for each row")
    parser.add_argument("--steps", type=int, default=1500, help="training steps of the ablation")
    parser.add_argument("--out", type=Path, default=Path("runs/frequency"), help="where the ablation keeps its weights")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.what == "steps":
        steps(args.weights or "diffusion-bert", args.n)
    elif args.what == "frequency":
        frequency(args.out, args.steps, args.n)
    else:
        speed(args.n, tuple((args.weights or "diffusion-bert,diffusion-lm").split(",")))


if __name__ == "__main__":
    main()
