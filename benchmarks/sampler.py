"""Match rate of mp20-csp on validation crystals, and validity of what it draws, against sampler and steps.

    NUCLEATE_DATA=FOLDER python benchmarks/sampler.py [--n 256] [--samplers ...] [--steps 50,20,10] [--out FILE.csv]

One prediction for each target; every row has the same targets and seeds. "ancestral" keeps the corrector and the noise
of the model's recipe, so its steps cost more than one network call. Valid: no distance below 0.5 angstrom and a volume
of at least 0.1 cubic angstrom. Intervals are at 95 %.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import io
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.config import CHOICES
from nucleate.evaluate.csp import load_targets, prediction_seed, write_whole
from nucleate.evaluate.match import evaluate_csp
from nucleate.evaluate.statistics import rate
from nucleate.evaluate.validity import structural_validity
from nucleate.generators import Condition, load_generator

if TYPE_CHECKING:
    from nucleate.evaluate.statistics import Rate
    from nucleate.generators.diffusion import DiffusionGenerator

SAMPLERS = CHOICES["sample.sampler"]
STEPS = (1000, 250, 100, 50, 20, 10)
Row = dict[str, Any]


def measure(generator: DiffusionGenerator, targets: Sequence[tuple[str, Any]], sampler: str, steps: int) -> Row:
    """Predict each target once and judge the predictions; network calls are counted, for one batch."""
    generator.settings = dataclasses.replace(generator.settings, sampler=sampler, steps=steps)
    conditions = [Condition(composition={str(k): int(v) for k, v in t.composition.items()}) for _, t in targets]
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    hook = generator.model.register_forward_hook(count)
    began = time.perf_counter()
    made = generator.generate(conditions, [prediction_seed(2, name, 0) for name, _ in targets])
    spent = time.perf_counter() - began
    hook.remove()
    groups = [(name, target, [s]) for (name, target), s in zip(targets, made, strict=True)]
    score = evaluate_csp(groups, across=False).score("unfiltered", 1)
    match, valid = score.match_rate, rate(sum(map(structural_validity, made)), len(made))
    return {
        "sampler": sampler,
        "steps": steps,
        "network calls": calls // math.ceil(len(targets) / generator.batch_size),
        **percent("match", match),
        "RMSE": f"{score.rmse.value:.3f}" if score.rmse.value is not None else "",
        **percent("valid", valid),
        "seconds": f"{spent:.1f}",
    }


def percent(name: str, value: Rate) -> Row:
    """A rate and the ends of its interval as three columns."""
    ends = {f"{name} %": value.hits / value.total, f"{name} low": value.low, f"{name} high": value.high}
    return {k: f"{100 * v:.1f}" for k, v in ends.items()}


def main() -> None:
    """Print the table row by row, and write it where --out says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=256, help="validation crystals")
    parser.add_argument("--samplers", default=",".join(SAMPLERS), help="separated by commas")
    parser.add_argument("--steps", default=",".join(map(str, STEPS)), help="separated by commas")
    parser.add_argument("--out", type=Path, help="also write the table as CSV")
    args = parser.parse_args()
    samplers, steps = args.samplers.split(","), [int(s) for s in args.steps.split(",")]
    if unknown := set(samplers) - set(SAMPLERS):
        parser.error(f"unknown sampler {min(unknown)}; known: {', '.join(SAMPLERS)}")
    targets = load_targets("mp-20:val", args.n, seed=2)
    generator = load_generator("mp20-csp")
    rows: list[Row] = []
    for n in steps:
        for sampler in samplers:
            rows.append(measure(generator, targets, sampler, n))
            if len(rows) == 1:
                print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
            print("| " + " | ".join(map(str, rows[-1].values())) + " |", flush=True)
            if args.out is not None:
                text = io.StringIO()
                writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
                write_whole(args.out, text.getvalue())


if __name__ == "__main__":
    main()
