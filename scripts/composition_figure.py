"""The figure of docs/compositions.md: how far drawn formulas are from known ones, and the energies of their crystals.

    python scripts/composition_figure.py OUT.png --formulas NAME=FILE ... --runs NAME=RUN ...

Left: element mover's distance to the nearest training formula of recipes/diffusion-bert.toml (its held-out ones beside
them). Right: formation energies of the converged relaxations of runs of `nucleate design`; a run named "MODEL, way" has
the colour of the MODEL on the left; its second run is dashed. Compare figure 2 of Dong et al. (arXiv 2310.00475).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from nucleate.chem.distance import nearest_distances
from nucleate.evaluate.formulas import formula_key, read_formulas
from nucleate.pipeline.candidate import PASS
from nucleate.pipeline.rank import verdict
from nucleate.tasks.design import load_run

RECIPE = Path(__file__).parent.parent / "recipes" / "diffusion-bert.toml"
SHOWN = 2000  # formulas of each source, the first ones
COLOURS = ("#3b6fb6", "#d1495b", "#5b8c5a", "#8d6a9f")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--formulas", nargs="+", required=True)
    parser.add_argument("--runs", nargs="*", default=[])
    args = parser.parse_args()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    known = [dict(k) for t in read_formulas(RECIPE).texts if (k := formula_key(t))]
    sources = [*(pair.partition("=")[::2] for pair in args.formulas), ("held-out formulas", f"{RECIPE}:held")]
    bins = np.linspace(0, 3, 61)
    colours = dict(zip((name for name, _ in sources), COLOURS, strict=False))
    for name, source in sources:
        keys = [k for t in read_formulas(source).texts[:SHOWN] if (k := formula_key(t))]
        distance = nearest_distances([dict(k) for k in keys], known)
        distance = distance[np.isfinite(distance)]
        print(f"{name}: {len(distance)} formulas, median distance {np.median(distance):.3f}")
        left.hist(np.minimum(distance, 3), bins, histtype="step", density=True, label=name, color=colours[name], lw=1.6)
    left.set(xlabel="element mover's distance to the nearest training formula", ylabel="density", xlim=(0, 3))
    drawn: list[str] = []
    for pair in args.runs:
        name, _, run = pair.partition("=")
        model = name.partition(",")[0]
        line = {"color": colours.get(model, "#555555"), "ls": "--" if model in drawn else "-"}
        drawn.append(model)
        relaxed = [c for c in load_run(run).all if not c.failure and verdict(c, "relaxed") == PASS]
        energies = [c.energies["e_form"].value for c in relaxed if "e_form" in c.energies]
        share = np.mean(np.array(energies) < 0)
        print(f"{name}: {len(energies)} crystals, {share:.1%} with e_form < 0, median {np.median(energies):.3f}")
        right.hist(energies, np.linspace(-4, 1, 26), histtype="step", density=True, label=name, lw=1.6, **line)
    right.axvline(0, color="#999999", lw=0.8)
    right.set(xlabel="formation energy by CHGNet (eV/atom)", ylabel="density")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    figure.savefig(args.out, dpi=160)


if __name__ == "__main__":
    main()
