"""The best of N samples compared with a single one, composition by composition.

The comparison is that of section 3.2 and figure 4 of GenMS (Yang et al. 2024, arXiv 2409.06762).

    OMP_NUM_THREADS=1 python benchmarks/best_of.py run --out FILE.jsonl [--method transformer] [--n 200] [--samples 11]
    python benchmarks/best_of.py table --out FILE.jsonl
    python benchmarks/best_of.py table --rows docs/random-search.parquet --method transformer

The compositions are those of random_search.py, held out of training. The single sample is the first; the best of N is
the lowest of the N others, so that by chance alone it would be lower in N of N + 1 cases if all energies were
different. run: energies of structures as generated, as in the paper, by one potential (single points). --rows: of
relaxed structures, from what random_search.py kept, where many samples are one crystal. A sample without energy counts
as higher than any.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
from random_search import blank, choose
from random_search_rows import read

from nucleate.evaluate.measures.statistics import rate
from nucleate.relaxation.pool import single_point
from nucleate.settings import PredictSettings
from nucleate.tasks.predict import METHODS, structure_stage

EQUAL = 1e-3  # eV/atom
Energies = list[float]  # of the samples of one composition, eV/atom; infinite where there is none


def generated(args: argparse.Namespace) -> list[Energies]:
    """The energies in the file; `run` adds those that it lacks."""
    lines = args.out.read_text(encoding="utf-8").splitlines() if args.out.is_file() else []
    have = {row["target"]: row for row in map(json.loads, lines)}
    if args.what == "run":
        stage = structure_stage(PredictSettings(args.method, samples=args.samples, seed=args.seed))
        for target in choose(args.n, args.seed):
            if target[0] in have:
                continue
            began = time.process_time()
            made = list(stage(blank(target, args.samples, args.seed)))
            energies = [_energy(c.structure, args.potential) for c in made]
            row = {"target": target[0], "method": args.method, "energies": energies}
            row["seconds"] = round(time.process_time() - began, 2)
            have[target[0]] = row
            with args.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
    return [[math.inf if e is None else e for e in row["energies"]] for row in have.values()]


def _energy(structure: object, potential: str) -> float | None:
    try:
        value = single_point([structure], potential=potential)[0] if structure is not None else math.nan
    except Exception:  # for an impossible cell, a potential raises exceptions of many kinds
        value = math.nan
    return value if math.isfinite(value) else None


def relaxed(args: argparse.Namespace) -> list[Energies]:
    out: dict[str, dict[int, float]] = {}
    for row in read(args.rows):
        if row.method == args.method:
            good = row.energy is not None and not row.deep
            out.setdefault(row.target, {})[row.rank] = row.energy if good else math.inf
    return [[ranks[k] for k in sorted(ranks)] for ranks in out.values()]


def line(some: list[Energies], n: int) -> str:
    """The best of n samples compared with a single one, as a line of the table."""
    single = np.array([e[0] for e in some])
    best = np.array([min(e[1 : n + 1]) for e in some])
    with np.errstate(invalid="ignore"):
        gain = np.where(np.isinf(single) & np.isinf(best), 0.0, best - single)
    finite = gain[np.isfinite(gain)]
    shares = (gain < 0, gain < -EQUAL, gain > EQUAL)
    cells = [str(n), *(rate(int(hits.sum()), len(some)).percent for hits in shares)]
    cells += [f"{100 * n / (n + 1):.1f}", f"{np.median(finite):.3f}", f"{np.mean(finite):.3f}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--out", type=Path, help="file of energies, JSON lines")
    parser.add_argument("--rows", type=Path, help="rows of random_search.py")
    parser.add_argument("--method", default="transformer", choices=[m for m, v in METHODS.items() if v.weights])
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--samples", type=int, default=11)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--potential", default="chgnet")
    args = parser.parse_args()
    if (args.out is None) == (args.rows is None) or (args.what == "run" and args.out is None):
        raise SystemExit("give either --out FILE.jsonl (run and table) or --rows FILE.parquet (table)")
    some = generated(args) if args.out is not None else relaxed(args)
    if not some:
        raise SystemExit(f"no samples by {args.method} there")
    print(f"{len(some)} compositions; median and mean in eV/atom\n")
    print("| N | lower % | by over 1 meV/atom % | higher by that % | by chance % | median | mean |")
    print("|---|---|---|---|---|---|---|")
    for n in (1, 2, 5, 10):
        if n < min(map(len, some)):
            print(line(some, n))


if __name__ == "__main__":
    main()
