"""Relaxation against its rival, ASE's serial FIRE with a cell filter and the potential's own calculator, on one core.

    python benchmarks/relax.py [--n 200] [--potential chgnet] [--pool 1] [--weights mp20-dng] [--out FILE.csv]

Crystals are what the model generates (seeds 0 to n-1), with what `nucleate check` calls impossible left out; all rows
relax the same ones to the same limits (fmax 0.05 eV/angstrom, stress 0.003 eV/cubic angstrom, 500 steps). Seconds are
of CPU time. same: both converged, to energies within 1 meV/atom; lower, higher: to another minimum, below or above the
rival's.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from ase import Atoms
from pymatgen.core import Structure

from nucleate.generators import Condition, load_generator
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.check import check_geometry
from nucleate.pipeline.potential import get_potential
from nucleate.pipeline.relax import RelaxSettings, relax_all

FMAX, SMAX, STEPS = 0.05, 0.003, 500
Outcome = tuple[int, float, bool]  # evaluations, eV/atom (NaN: failed), converged


def own_calculator(potential: str) -> Any:
    """The ASE calculator of the potential's own package."""
    if potential == "chgnet":
        from chgnet.model.dynamics import CHGNetCalculator

        return CHGNetCalculator(use_device="cpu")
    from sevenn.calculator import SevenNetCalculator

    return SevenNetCalculator("7net-0", device="cpu")


def rival(structures: Iterable[Structure], calculator: Any) -> list[Outcome]:
    """ASE, one crystal after the other."""
    from ase.filters import FrechetCellFilter
    from ase.optimize import FIRE

    out = []
    for s in structures:
        atoms = Atoms(s.atomic_numbers, cell=s.lattice.matrix, scaled_positions=s.frac_coords, pbc=True)
        atoms.calc = calculator
        optimiser, done = FIRE(FrechetCellFilter(atoms), logfile=None), False
        try:
            for _ in optimiser.irun(fmax=0.0, steps=STEPS):
                forces, stress = atoms.get_forces(), atoms.get_stress()
                done = (forces**2).sum(1).max() ** 0.5 <= FMAX and abs(stress).max() <= SMAX
                if done:
                    break
            out.append((optimiser.nsteps + 1, atoms.get_potential_energy() / len(atoms), bool(done)))
        except Exception:  # a blow-up
            out.append((optimiser.nsteps + 1, math.nan, False))
    return out


def ours(structures: Iterable[Structure], potential: str, optimiser: str, pool: int) -> list[Outcome]:
    settings = RelaxSettings(FMAX, SMAX, STEPS, optimiser=optimiser, potential=potential)
    candidates = [Candidate(f"{k:05d}", structure=s) for k, s in enumerate(structures)]
    out = []
    for c in sorted(relax_all(candidates, settings, pool), key=lambda c: c.id):
        record = c.provenance["relax"]
        energy = c.energies["energy"].value if "energy" in c.energies else math.nan
        out.append((record["steps"] + 1, energy, bool(record.get("converged"))))
    return out


def main() -> None:
    """Print the table row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200, help="crystals")
    parser.add_argument("--potential", default="chgnet", choices=("chgnet", "sevennet"))
    parser.add_argument("--pool", default="1,8", help="sizes of the pool, with commas")
    parser.add_argument("--weights", default="mp20-dng")
    parser.add_argument("--rival", action=argparse.BooleanOptionalAction, default=True, help="relax with ASE as well")
    parser.add_argument("--out", type=Path, help="write each crystal's outcome as CSV")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    made = load_generator(args.weights, device="cpu").generate([Condition()] * args.n, list(range(args.n)))
    structures = [s for s in made if check_geometry(s)[1] is None]
    get_potential(args.potential).load()
    ways = {f"nucleate, bfgs, pool {k}": ("bfgs", k) for k in map(int, args.pool.split(","))}
    ways["nucleate, fire, pool 1"] = ("fire", 1)
    results: dict[str, list[Outcome]] = {}
    first = 0.0
    print(f"{len(structures)} crystals, {sum(map(len, structures)) / len(structures):.1f} atoms each")
    heads = ("way", "s/crystal", "ratio", "evaluations", "converged", "failed", "same", "lower", "higher")
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for way in [*(["ASE, FIRE"] if args.rival else []), *ways]:
        began = time.process_time()
        if way == "ASE, FIRE":
            found = rival(structures, own_calculator(args.potential))
        else:
            found = ours(structures, args.potential, *ways[way])
        spent = (time.process_time() - began) / len(structures)
        first = first or spent
        results[way] = found
        base = next(iter(results.values()))
        gaps = [b[1] - a[1] for a, b in zip(base, found, strict=True) if a[2] and b[2]]
        counts = [sum(x[2] for x in found), sum(math.isnan(x[1]) for x in found)]
        counts += [sum(abs(g) <= 1e-3 for g in gaps), sum(g < -1e-3 for g in gaps), sum(g > 1e-3 for g in gaps)]
        mean = sum(x[0] for x in found) / len(found)
        cells = [way, f"{spent:.2f}", f"{first / spent:.1f}", f"{mean:.1f}", *map(str, counts)]
        print("| " + " | ".join(cells) + " |", flush=True)
    if args.out:
        with args.out.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["crystal", "formula", "atoms", *(f"{w}: {x}" for w in results for x in ("calls", "eV"))])
            for k, s in enumerate(structures):
                row = [x for found in results.values() for x in found[k][:2]]
                writer.writerow([k, s.composition.reduced_formula, len(s), *row])


if __name__ == "__main__":
    main()
