"""The quality of a shipped reference set: how much relaxation lowers its crystals, and how held-out stable crystals
lie.

    NUCLEATE_DATA=FOLDER python scripts/reference_check.py chgnet PART.jsonl [--n 500]
    NUCLEATE_DATA=FOLDER python scripts/reference_check.py sevennet PART.jsonl

After a kill, the same call with the same file continues. First, of `--n` of MP-20's training crystals within 50 meV per
atom of the hull, the energy before and after relaxation. Second, of `--n` of MP-20's test crystals that are stable in
the Materials Project, the energy above a hull without the compounds of the validation and test splits, before and after
relaxation; and above the whole set, of which they are a part.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

from nucleate.chem.formula import parse_formula
from nucleate.crystal.columns import structure_of_row
from nucleate.evaluate.measures.distributions import random_subset
from nucleate.hull.distances import distance_to_hull
from nucleate.hull.load import load_reference
from nucleate.hull.reference import ReferenceSet
from nucleate.hull.scale import to_reference_scale
from nucleate.pipeline.candidate import Candidate, Energy
from nucleate.relaxation.pool import RelaxSettings, relax_candidate, single_point


def rows_of(data: Path, split: str, highest: float) -> list[dict]:
    import pyarrow.parquet as pq

    rows = pq.read_table(data / f"mp_20_{split}.parquet").to_pylist()
    return [r for r in rows if r["frac_coords"] and r["e_above_hull"] is not None and r["e_above_hull"] <= highest]


def measure(rows: list[dict], relaxed: set[str], part: Path, potential: str) -> dict[str, dict]:
    """Energies before and (of `relaxed`) after relaxation by material, eV/atom, kept in the part file as they come."""
    done = {}
    if part.is_file():
        done = {r["id"]: r for r in map(json.loads, part.read_text().splitlines())}
    settings, began = RelaxSettings(potential=potential), time.perf_counter()
    with part.open("a") as file:
        for k, row in enumerate(rows):
            have = done.get(row["material_id"])
            if have and (have["id"] not in relaxed or have["after"] is not None or have["failure"]):
                continue
            structure = structure_of_row(row)
            (before,) = single_point([structure], 1, potential)
            found = {"id": row["material_id"], "before": before, "after": None, "failure": None}
            if found["id"] in relaxed:
                out = relax_candidate(Candidate(found["id"], structure=structure), settings)
                found["failure"] = str(out.failure)
                found["after"] = out.energies["energy"].value if out.failure is None else None
            done[found["id"]] = found
            file.write(json.dumps(found) + "\n")
            file.flush()
            if k % 50 == 0:
                print(f"{k} of {len(rows)}, {time.perf_counter() - began:.0f} s", flush=True)
    return done


def without(reference: ReferenceSet, sources: set[str]) -> ReferenceSet:
    """The set less these compounds; elements stay, since formation energies refer to them."""
    entries = [e for e in reference if e.source not in sources or len(parse_formula(e.formula)) == 1]
    return ReferenceSet.from_entries(
        f"{reference.name} less {len(reference) - len(entries):,}", reference.method, entries
    )


def describe(values: list[float]) -> str:
    """Quantiles of energies in eV/atom, and shares below some limits, as a text in meV/atom."""
    v = 1000 * np.array(values)
    quarters = np.percentile(v, [25, 50, 75, 90])
    within = ", ".join(f"{np.mean(v <= x):.0%} within {x}" for x in (30, 50, 100))
    return (
        f"median {quarters[1]:.1f}, quartiles {quarters[0]:.1f} and {quarters[2]:.1f}, 90 % {quarters[3]:.1f}; {within}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("potential", choices=("chgnet", "sevennet"))
    parser.add_argument("part", type=Path)
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--relax", type=int, default=500, help="crystals of each kind that are relaxed")
    args = parser.parse_args()
    data, reference = Path(os.environ["NUCLEATE_DATA"]), load_reference(f"{args.potential}-mp")
    print(f"{reference.name}: {len(reference):,} crystals, {reference.method}")

    test, near = rows_of(data, "test", 1e-4), rows_of(data, "train", 0.05)
    held = [test[i] for i in random_subset(len(test), args.n, 0)]
    sample = [near[i] for i in random_subset(len(near), args.n, 0)]
    relaxed = {r["material_id"] for r in held[: args.relax] + sample[: args.relax]}
    done = measure(held + sample, relaxed, args.part, args.potential)

    lower = [done[r["material_id"]] for r in sample[: args.relax]]
    kept = [f["before"] - f["after"] for f in lower if f["after"] is not None]
    print(
        f"relaxation lowers known crystals ({len(kept)}, {len(lower) - len(kept)} failed), meV/atom: {describe(kept)}"
    )

    hidden = {r["material_id"] for split in ("val", "test") for r in rows_of(data, split, np.inf)}
    hull = without(reference, hidden)
    for name, against in (("before", hull), ("after", hull), ("after", reference)):
        above, missing = [], 0
        for row in held if name == "before" else held[: args.relax]:
            value, structure = done[row["material_id"]][name], structure_of_row(row)
            if value is None or {str(e) for e in structure.composition} - hull.elements:
                missing += 1
                continue
            energy, _ = to_reference_scale(Energy(value, method_of(args.potential)), structure, against)
            above.append(distance_to_hull(structure.composition, energy, against)[0])
        print(f"{len(above)} held-out stable crystals ({missing} without an answer) {name} relaxation, meV/atom above")
        print(f"  {against.name}: {describe(above)}")


def method_of(potential: str) -> str:
    from nucleate.potentials.registry import get_potential

    return get_potential(potential).method


if __name__ == "__main__":
    main()
