"""How much the energy falls with more formulas, and with more structures of each formula.

The comparison is Table 2 of GenMS (Yang et al. 2024, arXiv 2409.06762), for the families of its Table 1.

    OMP_NUM_THREADS=1 python benchmarks/branching.py --out RUNS [--formulas 16] [--structures-each 8] [--new]

One breadth-first tree search for each family, formulas of the lexicon and structures by --structures, relaxed. A
smaller search is a part of it: the first H formulas by R_hi and the first L structures of each. The table gives for
every part: the lowest formation energy and the lowest energy above the hull among crystals that match the family after
relaxation, by the paper's matcher; how many match; and a proportional part of the seconds. RUNS keeps the runs, so that
an interrupted call can be repeated to continue.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from words import made, matches

from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.rank import verdict
from nucleate.settings import DesignSettings


def parts(n: int) -> list[int]:
    """1, 4, 16, ... up to n."""
    return [k for k in (1, 2, 4, 8, 16, 32, 64) if k <= n]


def grid(family: str, candidates: list[Candidate], formulas: int, each: int, seconds: float) -> list[str]:
    """A row for each H and L."""
    branches: dict[str, list[Candidate]] = {}
    for c in sorted(candidates, key=lambda c: (c.id.count("-"), len(c.id), c.id)):
        if c.formula_score and not str(c.failure or "").startswith("width: "):
            branches.setdefault(c.formula, []).append(c)
    ordered = sorted(branches.values(), key=lambda some: -some[0].formula_score.value)
    total = sum(len(b) for b in ordered)
    relaxed = [
        c for c in candidates if c.failure is None and verdict(c, "relaxed") == "pass" and "hull" not in c.checks
    ]
    fit = {c.id for c in relaxed if matches(c.structure, family)}
    out = []
    for h in parts(formulas):
        for k in parts(each):
            chosen = [c for branch in ordered[:h] for c in branch[:k]]
            good = [c for c in chosen if c.id in fit]
            forms = [c.energies["e_form"].value for c in good]
            above = [c.energies["e_above_hull"].value for c in good]
            cells = [family, str(h), str(k), f"{len(good)} of {len(chosen)}"]
            cells += [f"{min(forms):.3f}" if forms else "", f"{min(above):+.3f}" if above else ""]
            out.append(f"| {' | '.join([*cells, f'{seconds * len(chosen) / total:.0f}'])} |")
    return out


def main() -> None:
    """Print the table family by family."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--formulas", type=int, default=16)
    parser.add_argument("--structures-each", type=int, default=8)
    parser.add_argument("--families", default="perovskite,spinel")
    parser.add_argument("--structures", default="mp20-csp")
    parser.add_argument("--new", action="store_true", help="only formulas that are not known")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    settings = DesignSettings.of(
        second="none",
        structures=args.structures,
        search="breadth-first",
        formulas=args.formulas,
        width=args.formulas,
        structures_each=args.structures_each,
    )
    print("| family | H | L | match | lowest e_form, eV/atom | lowest e_above_hull, eV/atom | seconds |")
    print("|---|---|---|---|---|---|---|")
    for family in args.families.split(","):
        text = f"a {'new ' if args.new else ''}{family}, 5 candidates"
        run = made(text, args.out / f"{'new-' if args.new else ''}{family}-{args.structures}", settings, args.workers)
        rows = grid(family, run.all, args.formulas, args.structures_each, sum(run.seconds.values()))
        print("\n".join(rows), flush=True)


if __name__ == "__main__":
    main()
