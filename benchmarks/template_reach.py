"""How far a template may be from the formula: the share of first predictions that match, on validation crystals.

    OMP_NUM_THREADS=1 python benchmarks/template_reach.py [--n 9047] [--near 800] [--out reach.jsonl]

Targets are n crystals of mp-20:val, templates those of mp-20:train with other formulas; the best one of each target is
tried. For the first --near targets it is tried again with all templates nearer than a floor taken away. That gives far
templates of many targets, but of common structure types, which many templates hit by chance: an upper bound for
formulas that have no near relative. `generators/reach.py` holds the limits that were read from these tables.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path

import numpy as np

from nucleate.chem.distance import cumulative_profiles, profile_distances
from nucleate.evaluate.csp import load_targets
from nucleate.evaluate.matching.match import MatchSettings, match_pair
from nucleate.evaluate.measures.statistics import rate
from nucleate.generators.reach import far_reason
from nucleate.generators.substitute import assign_elements, volume_ratio, with_elements_replaced, with_volume_scaled
from nucleate.generators.template_library import TemplateLibrary, count_ratio, dataset_templates
from nucleate.train.similarity import load_similarity

FLOORS = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)  # distances below which templates are taken away
CEILINGS = (1.0, 0.9, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)  # similarities above which they are
EDGES = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 102)
SIMILARITIES = (1.0, 0.9, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.0)


def rows_of(library: TemplateLibrary, n: int, near: int, seed: int) -> list[dict]:
    """One record for each target and template that is the best of those that are left."""
    model = load_similarity()
    out = []
    for place, (name, target) in enumerate(load_targets("mp-20:val", n, seed)):
        counts = target.composition.reduced_composition.get_el_amt_dict()
        query = tuple(sorted((s, int(k)) for s, k in counts.items()))
        every = library.of_ratio(count_ratio(query))
        rows = np.array([r for r in every.tolist() if library.formulas[r] != query], dtype=np.int64)
        if not len(rows) or model.unknown(counts):
            continue
        emd = profile_distances(cumulative_profiles([counts]), library.profiles(rows))[0]
        alike = model.similarities([counts], [dict(library.formulas[r]) for r in rows])[0]
        chosen: dict[int, set[str]] = {}
        for floor in FLOORS[: len(FLOORS) if place < near else 1]:
            left = np.where(emd >= floor, emd, np.inf)
            if np.isfinite(left.min()):
                chosen.setdefault(int(np.argmin(left)), set()).add("emd" if floor else "emd, all")
        for ceiling in CEILINGS[: len(CEILINGS) if place < near else 1]:
            left = np.where(alike <= ceiling, alike, -np.inf)
            if np.isfinite(left.max()):
                chosen.setdefault(int(np.argmax(left)), set()).add("metric" if ceiling < 1 else "metric, all")
        for i, ways in chosen.items():
            row = int(rows[i])
            substitution = assign_elements(library.formulas[row], query)
            structure = with_elements_replaced(library.structure(row), substitution)
            volume = volume_ratio(library.formulas[row], substitution, library.atomic_volumes)
            try:
                match = (
                    match_pair(with_volume_scaled(structure, volume or 1.0), target, MatchSettings(), False).rms
                    is not None
                )
            except Exception:  # a pair on which the matcher fails does not match
                match = False
            out.append({
                "target": name, "formula": target.composition.reduced_formula, "elements": len(counts),
                "template": library.ids[row], "ways": sorted(ways), "distance": float(emd[i]),
                "similarity": float(alike[i]), "volume": volume, "match": match, "known": len(rows),
                "substitution": substitution, "group": library.prototype(row).space_group,
            })  # fmt: skip
    return out


def table(records: list[dict], key: str, way: str, edges: tuple[float, ...]) -> None:
    """Match rates in bins of the distance or similarity, in all and by the number of elements."""
    print(f"\n| {key}, {way} | predictions | match, % | 2 elements | 3 | 4 and more |\n|---|---|---|---|---|---|")
    wanted = [r for r in records if any(w.startswith(way) for w in r["ways"])]
    for a, b in pairwise(edges):
        low, high = min(a, b), max(a, b)
        members = [r for r in wanted if low <= r[key] < high or r[key] == high == 1.0]
        cells = []
        for sizes in (range(1, 99), (1, 2), (3,), range(4, 99)):
            some = [r["match"] for r in members if r["elements"] in sizes]
            cells.append(f"{rate(sum(some), len(some)).percent} of {len(some)}" if some else "-")
        print(f"| {low:g} to {high:g} | {len(members)} | {' | '.join(cells)} |", flush=True)


def rules(records: list[dict]) -> None:
    """Match rates of the best templates, grouped by whether `generators.reach.far_reason` calls them too far."""
    print("\n| best template by | says | predictions | match, % |\n|---|---|---|---|")
    for way in ("emd", "metric"):
        found: dict[str, list[bool]] = {}
        for r in records:
            if f"{way}, all" in r["ways"]:
                similarity = r["similarity"] if way == "metric" else None
                why = far_reason(r["distance"], similarity, r["substitution"], r["volume"] or 1.0)
                found.setdefault(_kind(why), []).append(r["match"])
        for kind, some in sorted(found.items()):
            print(f"| {way} | {kind} | {len(some)} | {rate(sum(some), len(some)).percent} |")


def _kind(why: str) -> str:
    words = {
        "similarity": "not similar",
        "in the place": "2 to 5 steps, metal for nonmetal",
        "volume": "2 to 5 steps, volume",
    }
    if not why:
        return "near"
    return next((name for part, name in words.items() if part in why), "5 steps or more")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=9047)
    parser.add_argument("--near", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="File that keeps the records; if it exists, they are read from it.")
    args = parser.parse_args()
    if args.out is not None and args.out.exists():
        records = [json.loads(line) for line in args.out.read_text().splitlines()]
    else:
        records = rows_of(dataset_templates("mp-20:train"), args.n, args.near, args.seed)
        if args.out is not None:
            args.out.write_text("".join(json.dumps(r) + "\n" for r in records))
    rules(records)
    for key, way, edges in (
        ("distance", "emd, all", EDGES),
        ("distance", "emd", EDGES),
        ("similarity", "metric, all", SIMILARITIES),
        ("similarity", "metric", SIMILARITIES),
    ):
        table(records, key, way, edges)


if __name__ == "__main__":
    main()
