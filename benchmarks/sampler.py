"""Match rate of a model on validation crystals, and validity of what it draws, against sampler, noise and steps.

    NUCLEATE_DATA=FOLDER python benchmarks/sampler.py [--n 256] [--samplers ...] [--noise 0,0.5,1] [--steps 50,20,10]
        [--weights mp20-csp] [--out FILE.csv]

One prediction for each target; every row has the same targets and seeds. The corrector is that of the model's recipe:
it costs "ancestral" one more network call for each step, and costs the flows none. Valid: no distance below 0.5
angstrom and a volume of at least 0.1 cubic angstrom. Intervals are at 95 %. The last line names the row with the fewest
network calls whose match rate is within one point of the best. --out writes the table, and a figure of it beside it
(FILE.png).
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.crystal.convert import atom_counts
from nucleate.diffusion.loop import SAMPLERS
from nucleate.evaluate.csp import load_targets, prediction_seed, write_whole
from nucleate.evaluate.matching.match import count_matches
from nucleate.evaluate.measures.statistics import rate
from nucleate.evaluate.measures.validity import structural_validity
from nucleate.generators import Condition, load_generator
from nucleate.io.write import replacing

if TYPE_CHECKING:
    from nucleate.evaluate.measures.statistics import Rate
    from nucleate.generators.diffusion import DiffusionGenerator

STEPS = (1000, 250, 100, 50, 20, 10)
BATCH = 32  # a CPU is fastest with batches in which all crystals are of about one size
COLOURS = {"ancestral": "#0072b2", "ddim": "#e69f00", "second-order": "#009e73"}
MARKERS = {"ancestral": "o", "ddim": "s", "second-order": "D"}
Row = dict[str, Any]


def measure(
    generator: DiffusionGenerator, targets: Sequence[tuple[str, Any]], sampler: str, noise: float, steps: int
) -> Row:
    """Predict each target once and judge the predictions; network calls are counted, for one batch."""
    generator.settings = generator.settings.changed(sampler=sampler, noise=noise, steps=steps)
    conditions = [Condition(composition=atom_counts(t)) for _, t in targets]
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
    score = count_matches(groups, across=False).score("unfiltered", 1)
    match, valid = score.match_rate, rate(sum(map(structural_validity, made)), len(made))
    return {
        "sampler": sampler,
        "noise": f"{noise:g}",
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


def cheapest(rows: Sequence[Row]) -> Row:
    """The row with the fewest network calls among those within one point of the best match rate."""
    best = max(float(r["match %"]) for r in rows)
    near = [r for r in rows if float(r["match %"]) >= best - 1]
    return min(near, key=lambda r: (r["network calls"], -float(r["match %"])))


def draw(rows: Sequence[Row], model: str, n: int, file: Path) -> None:
    """Match rate and validity against network calls, with 95 % intervals: colours are samplers, line styles noise."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import NullLocator

    series = list(dict.fromkeys((r["sampler"], r["noise"]) for r in rows))
    dashes = dict(
        zip(sorted({noise for _, noise in series}, key=float), ["-", "--", ":", "-."] * len(rows), strict=False)
    )
    ticks = spread(sorted({r["network calls"] for r in rows}))
    chosen = cheapest(rows)
    look = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#888888"}
    with pyplot.rc_context(look | {"xtick.major.size": 0, "ytick.major.size": 0, "axes.axisbelow": True}):
        figure, panels = pyplot.subplots(1, 2, figsize=(9.6, 4.6), sharex=True, layout="constrained")
        for panel, name, title in zip(panels, ("match", "valid"), ("Match rate, %", "Valid, %"), strict=True):
            for i, (sampler, noise) in enumerate(series):
                own = [r for r in rows if (r["sampler"], r["noise"]) == (sampler, noise)]
                own.sort(key=lambda r: r["network calls"])
                aside = 1.025 ** (i - (len(series) - 1) / 2)  # so that intervals at equal calls stand side by side
                calls = [aside * r["network calls"] for r in own]
                value, low, high = ([float(r[f"{name} {k}"]) for r in own] for k in ("%", "low", "high"))
                colour, label = COLOURS[sampler], f"{sampler}, noise {noise}"
                panel.vlines(calls, low, high, color=colour, alpha=0.35, linewidth=1.5)
                panel.plot(calls, value, dashes[noise], color=colour, linewidth=1.6)
                panel.plot(calls, value, MARKERS[sampler], color=colour, markersize=6.5, markeredgecolor="white")
                style = {"color": colour, "linestyle": dashes[noise], "marker": MARKERS[sampler]}
                panel.plot([], [], label=label if panel is panels[0] else None, markeredgecolor="white", **style)
                if (sampler, noise) == (chosen["sampler"], chosen["noise"]) and name == "match":
                    at = aside * chosen["network calls"], float(chosen["match %"])
            panel.set_title(title, loc="left", fontweight="bold", fontsize=11)
            panel.set_xscale("log")
            panel.set_xlabel("network calls for a crystal")
            panel.set_xticks(ticks, labels=[f"{v:,}" for v in ticks])
            panel.xaxis.set_minor_locator(NullLocator())
            panel.grid(color="#e8e8e8", linewidth=0.8)
        ring: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": "#222222", "markersize": 14}
        panels[0].plot(*at, "o", label="fewest calls within one point of the best", **ring)
        figure.legend(
            loc="outside lower center", ncols=min(len(series) + 1, 4), frameon=False, fontsize=9, handlelength=3
        )
        said = f"{model}: one prediction for each of {n} validation crystals of MP-20, with 95 % intervals"
        figure.suptitle(said, fontsize=10, color="#444444")
        with replacing(file) as temporary:
            figure.savefig(temporary, dpi=160, format="png")
        pyplot.close(figure)


def spread(ticks: Sequence[int]) -> list[int]:
    """Those ticks of a log axis that leave room for their labels."""
    kept: list[int] = []
    for tick in ticks:
        if not kept or tick > 1.4 * kept[-1]:
            kept.append(tick)
    return kept


def main() -> None:
    """Print the table row by row, and write it where --out says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=256, help="validation crystals")
    parser.add_argument("--samplers", default=",".join(SAMPLERS), help="separated by commas")
    parser.add_argument("--noise", help="separated by commas; default: that of the model's recipe")
    parser.add_argument("--steps", default=",".join(map(str, STEPS)), help="separated by commas")
    parser.add_argument("--out", type=Path, help="also write the table as CSV, and a figure beside it")
    parser.add_argument("--weights", default="mp20-csp", help="shipped model, or file, that takes a composition")
    args = parser.parse_args()
    samplers, steps = args.samplers.split(","), [int(s) for s in args.steps.split(",")]
    if unknown := set(samplers) - set(SAMPLERS):
        parser.error(f"unknown sampler {min(unknown)}; known: {', '.join(SAMPLERS)}")
    targets = load_targets("mp-20:val", args.n, seed=2)
    generator = load_generator(args.weights, batch_size=BATCH)
    noises = [float(v) for v in args.noise.split(",")] if args.noise else [generator.settings.noise]
    rows: list[Row] = []
    for n, sampler, noise in itertools.product(steps, samplers, noises):
        rows.append(measure(generator, targets, sampler, noise, n))
        if len(rows) == 1:
            print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
        print("| " + " | ".join(map(str, rows[-1].values())) + " |", flush=True)
        if args.out is not None:
            text = io.StringIO()
            writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            write_whole(args.out, text.getvalue())
            draw(rows, generator.name, len(targets), args.out.with_suffix(".png"))
    best = cheapest(rows)
    print(f"\n{best['sampler']}, {best['steps']} steps, noise {best['noise']}: {best['network calls']} network calls")


if __name__ == "__main__":
    main()
