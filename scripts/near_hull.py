"""Fit the probability that a crystal lies near the hull by DFT to its energy above the hull by CHGNet.

    OMP_NUM_THREADS=1 python scripts/near_hull.py FOLDER --n 240       # again to go on after a kill

Of the formulas that `retrieval.held_out` keeps for validation and for tests, crystals of up to 20 atoms are drawn, one
of each formula. Each is relaxed by CHGNet and put above the hull of the shipped reference without the crystals of its
own formula, as a crystal of a formula that nobody has seen would be; a line of FOLDER/PART.jsonl has what came of one.
Near is what the Materials Project has within `pipeline.near_hull.NEAR`. The weights of `pipeline.near_hull` are those
that the script prints.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from nucleate.api.given import crystals
from nucleate.chem.composition import Formula
from nucleate.hull.load import load_reference
from nucleate.hull.reference import ReferenceSet
from nucleate.library.entries import KnownEntry
from nucleate.library.library import load_library
from nucleate.pipeline.candidate import PASS
from nucleate.pipeline.near_hull import NEAR, terms_of
from nucleate.retrieval.held_out import Part, held_out_formulas
from nucleate.settings import RelaxSettings
from nucleate.stages.hull import HullStage
from nucleate.stages.relax import RelaxStage

LARGEST = 20  # atoms
BINS = 10
SEED = 5
BATCH = 16
PARTS: tuple[Part, ...] = ("validation", "test")


def drawn(part: Part, n: int) -> list[KnownEntry]:
    """One crystal of each of n formulas of a part."""
    table = load_library().table
    wanted = np.isin(table.formula_numbers, held_out_formulas(table, part)) & (table.num_elements > 1)
    wanted &= (table.num_atoms <= LARGEST) & ~np.isnan(table.e_above_hull)
    rows = np.random.default_rng(SEED).permutation(np.flatnonzero(wanted))
    _, firsts = np.unique(table.formula_numbers[rows], return_index=True)
    return [KnownEntry(table, int(row)) for row in rows[np.sort(firsts)][:n]]


def without_formula(reference: ReferenceSet, composition: dict[str, int]) -> ReferenceSet:
    """The reference without the crystals of a composition; only of its chemical system, for others do not count."""
    own = Formula.of(composition)
    rows = reference.of_system(own.counts)
    kept = [reference[i] for i in rows if reference.keys[i] != own]
    return ReferenceSet.from_entries(reference.name, reference.method, kept)


def collect(folder: Path, n: int) -> None:
    """Relax what has not been relaxed yet."""
    folder.mkdir(parents=True, exist_ok=True)
    reference, relax = load_reference("chgnet-mp"), RelaxStage(RelaxSettings())
    for start in range(0, n, BATCH):
        for part in PARTS:
            path = folder / f"{part}.jsonl"
            done = {json.loads(line)["id"] for line in path.read_text().splitlines()} if path.is_file() else set()
            entries = [e for e in drawn(part, n)[start : start + BATCH] if e.id not in done]
            if not entries:
                continue
            given, _ = crystals([e.structure for e in entries])
            named = {candidate.id: entry for candidate, entry in zip(given, entries, strict=True)}
            found = list(relax(given))
            with path.open("a") as file:
                for candidate in found:
                    entry = named[candidate.id]
                    (placed,) = HullStage(without_formula(reference, entry.composition))([candidate])
                    height = placed.energies.get("e_above_hull")
                    line = {
                        "id": entry.id,
                        "elements": len(entry.elements),
                        "given": entry.e_above_hull,
                        "height": height.value if height else None,
                        "relaxed": placed.checks["relaxed"].verdict if "relaxed" in placed.checks else "",
                    }
                    file.write(json.dumps(line) + "\n")
            print(f"{part}: {start + len(entries)} of {n}", flush=True)


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Energies above the hull by CHGNet, and whether the crystals are near it by the data."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    known = [line for line in lines if line["height"] is not None and line["relaxed"] == PASS]
    return np.array([k["height"] for k in known]), np.array([k["given"] <= NEAR for k in known])


def fitted(heights: np.ndarray, near: np.ndarray) -> np.ndarray:
    """The weights of logistic regression."""
    from scipy.optimize import minimize

    terms = terms_of(heights)

    def loss(weights: np.ndarray) -> float:
        return float(np.mean(np.logaddexp(0, -(2 * near - 1) * (terms @ weights))) + 1e-4 * (weights**2).sum())

    return np.asarray(minimize(loss, np.zeros(terms.shape[1])).x)


def report(weights: np.ndarray, heights: np.ndarray, near: np.ndarray) -> None:
    """How the probabilities stand to what is near the hull."""
    said = 1 / (1 + np.exp(-terms_of(heights) @ weights))
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    error = sum(abs(said[bins == i].sum() - near[bins == i].sum()) for i in range(BINS)) / len(said)
    print(f"{len(said)} crystals for tests, {100 * near.mean():.1f} % near the hull, calibration error {error:.3f}")
    print("| crystals | mean probability | near the hull |\n|---|---|---|")
    for i in range(BINS):
        if (own := bins == i).any():
            print(f"| {own.sum()} | {said[own].mean():.2f} | {near[own].mean():.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int, default=240, help="Crystals of each part.")
    args = parser.parse_args()
    collect(args.folder, args.n)
    (heights, near), test = (read(args.folder / f"{part}.jsonl") for part in PARTS)
    weights = fitted(heights, near)
    print(f"{len(near)} crystals for the fit; weights {[round(float(w), 3) for w in weights]}")
    report(weights, *test)


if __name__ == "__main__":
    main()
