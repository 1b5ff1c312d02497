"""How often drawn formulas meet a wish: that they contain an element, are metals, or are not known.

The comparison is Table 3 of GenMS (Yang et al. 2024, arXiv 2409.06762).

    OMP_NUM_THREADS=1 python benchmarks/wishes.py [--n 250] [--generator diffusion-bert-all]

n formulas are drawn for each wish, and as many without one. The table gives the share that meets the wish, among all
drawn formulas and among those that are kept (readable, as asked for, charges and electronegativities balanced, each
once).
"""

from __future__ import annotations

import argparse

from nucleate.engine.local import Serial
from nucleate.evaluate.measures.statistics import rate
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.run import NoStore, run_stages
from nucleate.request.parse import parse_request
from nucleate.settings import DesignSettings
from nucleate.stages.realise import ComposeStage
from nucleate.stages.request_check import composition_requirements
from nucleate.tasks.blueprint import blueprint

ELEMENTS = "Li", "Ti", "Co", "Ga", "Sr", "Sn", "Pd", "Ba", "S", "I"
WISHES = {
    "element in it": [f"a crystal containing {e}" for e in ELEMENTS],
    "metal": ["a metal"],
    "not known": ["a new oxide"],
    "oxide": ["an oxide"],
    "chalcogenide without lead": ["a chalcogenide without lead"],
}


def drawn(text: str, n: int, settings: DesignSettings) -> tuple[list[Candidate], list[Candidate]]:
    """All formulas as drawn, and those of them that are kept."""
    request = parse_request(f"{text}, {n} candidates")
    plan = blueprint(request, settings, as_generated=True)
    compose = [s for s in plan.proposals if isinstance(s, ComposeStage)]
    first = run_stages(plan.blanks, compose, Serial(), NoStore())
    last = run_stages(first, plan.proposals, Serial(), NoStore())
    return first, [c for c in last if c.failure is None]


def holds(c: Candidate, text: str) -> bool:
    """Whether all that the wish says holds of a formula."""
    return bool(c.composition) and all(true for _, true in composition_requirements(parse_request(text), c.composition))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=250)
    parser.add_argument("--generator", default="diffusion-bert-all")
    args = parser.parse_args()
    settings = DesignSettings.of(oversample=1, generator=args.generator, structures="mp20-csp")
    without, _ = drawn("anything", args.n, settings)
    print("| wish | asked for % | of the kept % | kept | not asked for % |\n|---|---|---|---|---|")
    for name, texts in WISHES.items():
        first, kept = [], []
        for text in texts:
            some, good = drawn(text, args.n // len(texts), settings)
            first += [(c, text) for c in some]
            kept += [(c, text) for c in good]
        asked, good, other = (
            rate(sum(holds(c, text) for c, text in some), len(some)).percent
            for some in (first, kept, [(c, text) for text in texts for c in without])
        )
        cells = [name, asked, good, f"{len(kept)} of {len(first)}", other]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
