"""Match rate of mp20-csp on validation crystals against the settings of the sampler.

    NUCLEATE_DATA=FOLDER python benchmarks/sampler.py [--n 256]

Prints one row per setting: ancestral steps, corrector moves, Langevin step at the smallest noise, noise scale.
"""

from __future__ import annotations

import argparse
import dataclasses
import time

from nucleate.config import SampleConfig
from nucleate.evaluate.csp import load_targets, prediction_seed
from nucleate.evaluate.match import evaluate_csp
from nucleate.generators import Condition, load_generator

SETTINGS = (
    SampleConfig(100, 1, 1e-5, 0.5),
    SampleConfig(200, 0, 1e-5, 0.5),
    SampleConfig(100, 1, 1e-5, 1.0),
    SampleConfig(100, 1, 1e-5, 0.3),
    SampleConfig(100, 1, 2e-5, 0.5),
    SampleConfig(50, 1, 1e-5, 0.5),
    SampleConfig(25, 1, 1e-5, 0.5),
)


def main() -> None:
    """Predict each target once per setting and judge the predictions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=256, help="validation crystals")
    args = parser.parse_args()
    targets = load_targets("mp-20:val", args.n, seed=2)
    conditions = [Condition(composition={str(k): int(v) for k, v in t.composition.items()}) for _, t in targets]
    seeds = [prediction_seed(2, name, 0) for name, _ in targets]
    generator = load_generator("mp20-csp")
    print("| steps | corrector moves | corrector step | noise | match % | RMSE | seconds |")
    print("|---|---|---|---|---|---|---|")
    for setting in SETTINGS:
        generator.settings = dataclasses.replace(generator.settings, **dataclasses.asdict(setting))
        began = time.perf_counter()
        made = generator.generate(conditions, seeds)
        spent = time.perf_counter() - began
        groups = [(name, target, [s]) for (name, target), s in zip(targets, made, strict=True)]
        score = evaluate_csp(groups).score("unfiltered", 1)
        rate, rmse = score.match_rate, score.rmse.value or 0.0
        match = f"{100 * rate.hits / rate.total:.1f} ({100 * rate.low:.1f}-{100 * rate.high:.1f})"
        values = (setting.steps, setting.corrector_steps, f"{setting.corrector_size:.0e}", setting.noise)
        row = (*values, match, f"{rmse:.3f}", f"{spent:.0f}")
        print("| " + " | ".join(map(str, row)) + " |", flush=True)


if __name__ == "__main__":
    main()
