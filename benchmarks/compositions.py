"""Composition language models: network calls, the word-frequency ablation, speed, and how well a wish is obeyed.

    python benchmarks/compositions.py steps [--weights diffusion-bert] [--n 1000]
    python benchmarks/compositions.py frequency --out RUNS [--steps 1500] [--n 1000]
    python benchmarks/compositions.py speed [--n 2000]
    python benchmarks/compositions.py wishes [--weights diffusion-bert] [--n 1000] [--guidance 2] [--others FILE]

steps: the same weights by each sampler; calls are network calls for each formula, in the mean.
frequency: a small Diffusion-BERT (96 wide, 3 layers) trained for so many steps at each word frequency of Dong et al.,
Table 3, and at 0 (no schedule by words) and -0.3 (common words masked first). RUNS keeps the trained models.
speed: formulas drawn, checked and matched to templates each second, one core.
wishes: formulas drawn for a given energy above the hull. The table has the energies above the hull of those that are
known: in the recipe's dataset (by their lowest crystal, training and held-out formulas apart), and otherwise in another
source with formation energies (--others), above its own hull. Only distinct formulas count. The first row has all known
formulas. CN + EB of training formulas is that of formulas within 0.025 eV/atom of the wish.
Everything is measured on formulas as drawn, with 95 % intervals (Wilson); training formulas are those of the recipe.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import binom

from nucleate.chem.checks import smact_verdict
from nucleate.chem.composition import Formula
from nucleate.chem.elements import element_symbol
from nucleate.chem.formula import parse_formula, parse_strict
from nucleate.data.tables import read_table, table_file
from nucleate.errors import NucleateError
from nucleate.evaluate.formulas import formula_key, key_text
from nucleate.evaluate.measures.statistics import rate
from nucleate.generators import Condition, load_formula_generator
from nucleate.generators.formulas import FormulaGenerator
from nucleate.hull.distances import distance_to_hull
from nucleate.hull.reference import Entry, ReferenceSet
from nucleate.pipeline.candidate import Energy
from nucleate.systems import Recipe, formulas, load_recipe, prepare_for
from nucleate.systems.formulas import ONE_BY_ONE
from nucleate.train.loop import WEIGHTS, Trainer

RECIPES = Path(__file__).parent.parent / "recipes"
ANYTHING = Condition()
FORMATION = "formation_enthalpy_per_atom"  # the column of other sources, eV/atom
LIKE = 0.025  # eV/atom around a wish: it is compared with the training formulas in this range
ABOVE_HULL = (None, 0.0, 0.05, 0.1, 0.3)  # eV/atom, wished for; None: no wish
FREQUENCIES = (0.1, 0.3, 0.5, 1.0, 0.0, -0.3)
GRIDS = {
    "diffusion-bert": ("ancestral", (8, 16, 32, 64, 256)),
    "diffusion-lm": ("ancestral", (25, 50, 100)),
}


def measured(texts: list[str]) -> list[str]:
    """Formulas, distinct ones and those that pass CN and EB (smact14), of all texts, with intervals."""
    keys = [formula_key(t) for t in texts]
    whole = [k for k in keys if k is not None]
    counts = (len(whole), len(set(whole)), sum(passes(k) for k in whole))
    return [rate(c, len(texts)).percent for c in counts]


def passes(key: Formula) -> bool:
    """Whether a formula is neutral and balanced with SMACT's smact14 states."""
    return smact_verdict(dict(key), "smact14").verdict == "pass"


def drawn(generator: FormulaGenerator, n: int, condition: Condition = ANYTHING) -> tuple[list[str], float, float]:
    """n formulas, their seconds, and network calls for each (rows of a batch count one each)."""
    calls = 0

    def count(module: Any, args: tuple[Any, ...]) -> None:
        nonlocal calls
        calls += len(args[1])

    handle = generator.model.register_forward_pre_hook(count)
    began = time.perf_counter()
    texts = generator.generate([condition] * n, list(range(n)))
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
    embedding = ONE_BY_ONE not in plain.sampler.names(plain.info.recipe)
    sampler, grid = GRIDS["diffusion-lm" if embedding else "diffusion-bert"]
    runs: list[tuple[str, int]] = [] if embedding else [("one-by-one", 0)]
    runs += [(sampler, k) for k in grid]
    for name, k in runs:
        texts, seconds, calls = drawn(load_formula_generator(weights, sampler=name, steps=k or None), n)
        row(name, k or "-", f"{calls:.1f}", *measured(texts), f"{1000 * seconds / n:.1f}")


def frequency(out: Path, budget: int, n: int) -> None:
    """Short training at each word frequency."""
    recipe = load_recipe(RECIPES / "diffusion-bert.toml")
    data, summary = prepare_for(recipe)
    print(summary)
    row("word frequency", "loss", "formulas, %", "distinct, %", "CN + EB, %", "training, s")
    row(*["---"] * 6)
    for value in FREQUENCIES:
        own = recipe.changed(
            diffusion={"word_frequency": value},
            network={"dim": 96, "layers": 3, "heads": 3},
            train={"steps": budget, "batch_size": 256, "log_every": budget},
        )
        folder = out / f"frequency{value:+g}"
        trainer = Trainer(own, data, folder, "cpu")
        losses: list[float] = []
        trainer.run(on_log=lambda line, losses=losses: losses.append(line["loss"]))
        texts, _, _ = drawn(load_formula_generator(folder / WEIGHTS), n)
        row(f"{value:g}", f"{losses[-1]:.3f}" if losses else "-", *measured(texts), f"{trainer.seconds:.0f}")


def speed(n: int, weights: tuple[str, ...]) -> None:
    """Seconds of each step: drawing formulas, checking them, and finding templates."""
    from nucleate.generators.template import TemplateGenerator
    from nucleate.generators.template_library import dataset_templates

    row("step", "formulas", "seconds", "each second")
    row(*["---"] * 4)
    texts: list[str] = []
    for name in weights:
        made, seconds, calls = drawn(load_formula_generator(name), n)
        row(f"drawn by {name} ({calls:.0f} network calls each)", n, f"{seconds:.1f}", f"{n / seconds:.0f}")
        texts = texts or made
    formulas = [parse_formula(t) for t in texts if _is_formula(t)]
    began = time.perf_counter()
    passed = [f for f in formulas if smact_verdict(f, "smact14").verdict == "pass"]
    seconds = time.perf_counter() - began
    row("checked: CN and EB, smact14", len(formulas), f"{seconds:.2f}", f"{len(formulas) / seconds:.0f}")
    library = dataset_templates("mp-20:train")
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


def wishes(weights: str, n: int, guidance: float | None, others: str) -> None:
    """Print the energies above the hull that were asked for and those of the formulas drawn."""
    generator = load_formula_generator(weights, guidance_scale=guidance)
    recipe = generator.info.recipe
    seen, held = (lowest(recipe, held_out) for held_out in (False, True))
    reference = formation(others) if others else None
    lines = [("all that is known", *spread(list(seen.values())), *spread(list(held.values())), "-", "-")]
    row("wished for", "formulas, %", "distinct, %", "CN + EB, %", "CN + EB of the training's, %", "novel, %", "ms each")
    row(*["---"] * 7)
    for wish in ABOVE_HULL:
        name = "nothing" if wish is None else f"{wish:g}"
        texts, seconds, _ = drawn(generator, n, Condition(properties={} if wish is None else {"e_above_hull": wish}))
        keys = {k for t in texts if (k := formula_key(t))}
        such = [k for k, e in seen.items() if wish is None or abs(e - wish) <= LIKE]
        theirs = rate(sum(passes(k) for k in such), len(such)).percent
        row(name, *measured(texts), theirs, rate(len(keys - set(seen)), n).percent, f"{1000 * seconds / n:.1f}")
        cells = [c for known in (seen, held) for c in spread([known[k] for k in keys & set(known)])]
        lines.append((name, *cells, *spread(above(reference, keys - set(seen) - set(held)) if reference else [])))
    print()
    heads = ("of training", "e_above_hull", "held out", "e_above_hull", "of neither", "e_above_hull, other source")
    row("wished for", *heads)
    row(*["---"] * 7)
    for line in lines:
        row(*line)


def lowest(recipe: Recipe, held_out: bool) -> dict[Formula, float]:
    """Formula -> its lowest crystal's energy above the hull, eV/atom, of the recipe's data set where it has one."""
    batch, _ = formulas.held_out(recipe) if held_out else prepare_for(recipe)
    keys = [Formula.of(Counter(element_symbol(z) for z in row if z)) for row in batch.atomic_numbers.tolist()]
    energies = batch.properties["e_above_hull"].tolist()
    return {k: e for k, e in zip(keys, energies, strict=True) if np.isfinite(e)}


def formation(others: str) -> ReferenceSet:
    """Formulas with formation energies of another source as a reference set; its elements lie at zero."""
    table = read_table(table_file(others)[0], ["formula", FORMATION])
    entries = [
        Entry(key_text(key), energy, 0, "", np.nan, 0)
        for text, energy in zip(*(table.column(c).to_pylist() for c in ("formula", FORMATION)), strict=True)
        if (key := formula_key(text)) and energy is not None and np.isfinite(energy)
    ]
    elements = {s for e in entries for s in parse_strict(e.formula)}
    return ReferenceSet.from_entries(others, others, [*entries, *(Entry(e, 0.0, 0, "", np.nan, 0) for e in elements)])


def above(reference: ReferenceSet, keys: Iterable[Formula]) -> list[float]:
    """Energies above the set's hull, eV/atom, of those of the formulas that it has."""
    found = []
    for key in sorted(keys):
        if rows := reference.of_formula(dict(key)):
            energy = Energy(float(min(reference.energies[rows])), reference.method)
            found.append(distance_to_hull(dict(key), energy, reference)[0])
    return found


def spread(values: list[float]) -> tuple[str, str]:
    """How many values, their median with a 95 % interval (from order statistics), and the range of the middle half."""
    if not values:
        return "0", "-"
    ordered, m = np.maximum(np.sort(values), 0), len(values)
    low, high = (min(int(binom.ppf(q, m, 0.5)), m - 1) for q in (0.025, 0.975))
    first, middle, third = np.percentile(ordered, [25, 50, 75])
    return f"{m:,}", f"{middle:.3f} ({ordered[low]:.3f}-{ordered[high]:.3f}); half {first:.3f}-{third:.3f}"


def _is_formula(text: str) -> bool:
    try:
        return bool(parse_strict(text))
    except NucleateError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("steps", "frequency", "speed", "wishes"))
    parser.add_argument("--weights", default="", help="shipped name or file; speed: several, separated by commas")
    parser.add_argument("--n", type=int, default=1000, help="formulas drawn for each row")
    parser.add_argument("--guidance", type=float, help="guidance towards the wishes; default: the recipe's")
    parser.add_argument("--others", default="", help="wishes: other known formulas, parquet")
    parser.add_argument("--steps", type=int, default=1500, help="training steps of the ablation")
    parser.add_argument("--out", type=Path, default=Path("runs/frequency"), help="where the ablation keeps its weights")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.what == "steps":
        steps(args.weights or "diffusion-bert", args.n)
    elif args.what == "frequency":
        frequency(args.out, args.steps, args.n)
    elif args.what == "wishes":
        wishes(args.weights or "diffusion-bert", args.n, args.guidance, args.others)
    else:
        speed(args.n, tuple((args.weights or "diffusion-bert,diffusion-lm").split(",")))


if __name__ == "__main__":
    main()
