"""How often the right structure is among the first that `orderings.propose` gives for a formula.

    OMP_NUM_THREADS=1 python benchmarks/orderings.py [--n 200] [--seed 1] [--max-atoms 100] [--out orderings.jsonl]

Targets are n crystals of the library, drawn at random by the seed among those that are orderings of known disordered
phases: `Library.novelty` calls them "ordering of" when all crystals of their formula are hidden. The proposer has
the same view, in which no crystal of the formula is. A proposal is right if pymatgen's StructureMatcher says so (ltol
0.3, stol 0.5, angle_tol 10), which ignores volumes. Rates are over all targets; a formula without proposals is a miss.
Beside it stand templates of the formula's own ratio (`generators.template`, ranked by the element mover's distance),
20 structure types, with the same crystals hidden; "the first n of each" counts twice as many structures. Times are CPU
seconds of one core for 20 proposals, without those of the first formula.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.chem.alike import shared_sites
from nucleate.evaluate.matching.match import MatchSettings, match_pair
from nucleate.evaluate.measures.statistics import rate
from nucleate.generators.known_templates import KnownTemplates
from nucleate.generators.template import TemplateGenerator
from nucleate.library.entries import KnownEntry
from nucleate.library.filters import rows_of_formula
from nucleate.library.library import Library, load_library
from nucleate.library.novelty import ORDERING
from nucleate.orderings.propose import propose_orderings

if TYPE_CHECKING:
    from pymatgen.core import Structure

FIRST = (1, 5, 20)
ATOMS = ((1, 8), (9, 16), (17, 32), (33, 100))


def targets(library: Library, n: int, seed: int, max_atoms: int) -> Iterator[tuple[KnownEntry, Library]]:
    """n orderings, each with the library without its formula."""
    found = 0
    for row in np.random.default_rng(seed).permutation(len(library.table)).tolist():
        entry = KnownEntry(library.table, row)
        if not 2 <= entry.num_atoms <= max_atoms or not _has_simpler_formula(library, entry.composition):
            continue
        view = library.hidden(formulas=[entry.composition])
        if view.novelty(entry.structure).word == ORDERING:
            yield entry, view
            found += 1
            if found == n:
                return


def _has_simpler_formula(library: Library, composition: dict[str, int]) -> bool:
    """Whether a formula is known with one name for elements that are alike. An ordering has one; to ask is quick."""
    for groups in shared_sites(composition):
        for names in product(*map(sorted, groups)):
            counts = dict(composition)
            for group, name in zip(groups, names, strict=True):
                total = sum(counts.pop(element) for element in group)
                counts[name] = total
            if len(rows_of_formula(library.table, counts)):
                return True
    return False


def place_of(target: Structure, proposals: Sequence[Structure]) -> int | None:
    """The place (from 0) of the first proposal that matches; None if there is none."""
    settings = MatchSettings(ltol=0.3, stol=0.5, angle_tol=10.0)
    for place, structure in enumerate(proposals):
        if match_pair(structure, target, settings, own=False).rms is not None:
            return place
    return None


def measured(entry: KnownEntry, view: Library) -> dict[str, Any]:
    """A record of one target."""
    target, composition = entry.structure, entry.composition
    began = time.process_time()
    found = propose_orderings(view, composition, max(FIRST))
    seconds = time.process_time() - began
    place = place_of(target, [one.structure for one in found])
    templates = TemplateGenerator(KnownTemplates(view)).predict_many([composition], max(FIRST))[0].predictions
    return {
        "id": entry.id,
        "formula": entry.formula,
        "atoms": entry.num_atoms,
        "space_group": entry.space_group,
        "proposals": len(found),
        "seconds": round(seconds, 3),
        "place": place,
        "right": None if place is None else {"parent": found[place].parent, "index": found[place].index},
        "template": place_of(target, [one.structure for one in templates]),
    }


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print the table."""

    def line(name: str, some: Sequence[dict[str, Any]], key: str) -> None:
        cells = []
        for first in FIRST:
            hits = sum(r[key] is not None and r[key] < first for r in some)
            found = rate(hits, len(some))
            cells.append(f"{100 * hits / len(some):5.1f} % [{100 * found.low:.1f}, {100 * found.high:.1f}]")
        print(f"{name:34s} {len(some):4d}  " + "  ".join(cells))

    print(f"{'':34s} {'n':>4s}  " + "  ".join(f"first {first:<14d}" for first in FIRST))
    line("orderings", rows, "place")
    line("templates of the same ratio", rows, "template")
    both = [min((r[k] for k in ("place", "template") if r[k] is not None), default=None) for r in rows]
    line("the first n of each", [r | {"both": place} for r, place in zip(rows, both, strict=True)], "both")
    if missed := [r for r in rows if r["template"] is None]:
        line("orderings, where 20 templates miss", missed, "place")
    for low, high in ATOMS:
        if some := [r for r in rows if low <= r["atoms"] <= high]:
            line(f"orderings, {low} to {high} atoms", some, "place")
    seconds = np.array([r["seconds"] for r in rows[1:] or rows])
    print(
        f"CPU seconds a formula: median {np.median(seconds):.2f}, mean {seconds.mean():.2f}, "
        f"90 % below {np.quantile(seconds, 0.9):.2f}, most {seconds.max():.2f}"
    )
    print(f"{sum(not r['proposals'] for r in rows)} formulas without proposals")
    indices = Counter(r["right"]["index"] for r in rows if r["right"])
    print("index of what is right: " + ", ".join(f"{k}: {n}" for k, n in sorted(indices.items())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-atoms", type=int, default=100)
    parser.add_argument("--out", type=Path, help="a file with a record of each target; those in it are not done again")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    done = {}
    if options.out is not None and options.out.exists():
        done = {r["id"]: r for r in map(json.loads, options.out.read_text().splitlines())}
    rows = []
    for entry, view in targets(load_library(), options.n, options.seed, options.max_atoms):
        row = done.get(entry.id) or measured(entry, view)
        rows.append(row)
        if options.out is not None and entry.id not in done:
            with options.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
    show(rows)


if __name__ == "__main__":
    main()
