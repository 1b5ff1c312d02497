"""Whether nucleate's relaxation ends where ASE's serial FIRE does: known crystals, displaced and relaxed back by both.

    NUCLEATE_DATA=FOLDER python benchmarks/relax_minima.py [--n 50] [--potential chgnet] [--rows FILE.jsonl] [--every]

Crystals are evenly spread over MP-20's test split; their atoms are displaced by 0.05 angstrom (normal, each component)
and their cells strained by 2 % (normal, each component), then ASE and nucleate relax them to fmax 0.01 eV/angstrom and
stress 0.0005 eV/cubic angstrom in at most 1000 steps. same energy: within 1 meV/atom; same structure: pymatgen's
StructureMatcher at its defaults. Where the energies differ, ASE continues to a tenth of the limits, which shows whether
it had stopped too early or is in another minimum. Every crystal that is not the same is printed (--every: all). --rows
stores the result of each crystal, so that the same call continues from there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor

sys.path.insert(0, str(Path(__file__).parent))
from relax import ase_fire, ours, own_calculator

from nucleate.crystal.columns import arrays_of_row
from nucleate.data import load_table
from nucleate.potentials.registry import get_potential
from nucleate.relaxation.pool import RelaxSettings

FMAX, SMAX, STEPS = 0.01, 0.0005, 1000
SAME = 1e-3  # eV/atom
RATTLE, STRAIN = 0.05, 0.02  # angstrom, -


def displaced(row: dict, seed: int) -> Structure:
    """A crystal of the table, away from its minimum."""
    rng = np.random.default_rng(seed)
    strain = rng.normal(0.0, STRAIN, (3, 3))
    lattice, frac, numbers = arrays_of_row(row)
    structure = Structure(lattice @ (np.eye(3) + (strain + strain.T) / 2), numbers, frac)
    shifts = rng.normal(0.0, RATTLE, (len(structure), 3))
    return Structure(structure.lattice, structure.species, structure.cart_coords + shifts, coords_are_cartesian=True)


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=50, help="crystals")
    parser.add_argument("--potential", default="chgnet", choices=("chgnet", "sevennet"))
    parser.add_argument(
        "--rows", type=Path, help="file that keeps each crystal's outcome; the same call continues from it"
    )
    parser.add_argument("--every", action="store_true", help="print all crystals")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    table = load_table("mp-20", "test")
    chosen = np.linspace(0, table.num_rows - 1, args.n).astype(int)
    get_potential(args.potential).load()
    calculator = own_calculator(args.potential)
    settings = RelaxSettings(FMAX, SMAX, STEPS, potential=args.potential)
    done = {}
    if args.rows and args.rows.exists():
        done = {row["id"]: row for row in map(json.loads, args.rows.read_text().splitlines())}
    rows = []
    for seed, crystal in enumerate(table.take(chosen).to_pylist()):
        if crystal["material_id"] not in done:
            start = displaced(crystal, seed)
            began = time.process_time()
            theirs, atoms = ase_fire(start, calculator, FMAX, SMAX, STEPS)
            middle = time.process_time()
            ((found, structure),) = ours([start], settings, 1)
            end = time.process_time()
            row = {"id": crystal["material_id"], "formula": start.composition.reduced_formula, "atoms": len(start)}
            row |= {"ase": theirs, "ours": found, "seconds": [middle - began, end - middle]}
            row["same"] = bool(StructureMatcher().fit(AseAtomsAdaptor.get_structure(atoms), structure))
            if abs(found[1] - theirs[1]) > SAME and theirs[2]:
                there = AseAtomsAdaptor.get_structure(atoms)
                row["ase further"], atoms = ase_fire(there, calculator, FMAX / 10, SMAX / 10, STEPS)
                row["same further"] = bool(StructureMatcher().fit(AseAtomsAdaptor.get_structure(atoms), structure))
            done[row["id"]] = row
            if args.rows:
                with args.rows.open("a") as file:
                    file.write(json.dumps(row) + "\n")
        rows.append(done[crystal["material_id"]])

    report(rows, args.potential, args.every)


def report(rows: list[dict], potential: str, every: bool) -> None:
    """Print the counts, and what is not the same."""
    gaps = np.array([1000 * (r["ours"][1] - r["ase"][1]) for r in rows])
    both = np.array([r["ours"][2] and r["ase"][2] for r in rows])
    same = np.array([r["same"] for r in rows])
    seconds = np.sum([r["seconds"] for r in rows], axis=0)
    calls = np.mean([[r["ase"][0], r["ours"][0]] for r in rows], axis=0)
    print(f"{len(rows)} crystals, {np.mean([r['atoms'] for r in rows]):.1f} atoms each, {potential}")
    print(f"converged: ASE {sum(r['ase'][2] for r in rows)}, nucleate {sum(r['ours'][2] for r in rows)}")
    within = both & (np.abs(gaps) <= 1.0)
    print(f"same energy to 1 meV/atom: {within.sum()}; lower {(both & (gaps < -1)).sum()}", end="")
    print(f", higher {(both & (gaps > 1)).sum()}, not converged by both {(~both).sum()}")
    print(f"same structure: {same.sum()}; same energy and structure: {(within & same).sum()}")
    further = [r for r in rows if "ase further" in r]
    close = sum(abs(r["ours"][1] - r["ase further"][1]) <= SAME for r in further)
    print(f"the same energy after ASE has gone on to a tenth of the limits: {close} of {len(further)}")
    print(f"largest difference where the energy is the same: {np.abs(gaps[within]).max():.3f} meV/atom")
    print(f"CPU seconds each: ASE {seconds[0] / len(rows):.2f}, nucleate {seconds[1] / len(rows):.2f}", end="")
    print(f" (ratio {seconds[0] / seconds[1]:.1f}); evaluations: {calls[0]:.0f} and {calls[1]:.0f}")
    for r, gap in zip(rows, gaps, strict=True):
        odd = abs(gap) > 1 or not r["same"] or not (r["ase"][2] and r["ours"][2])
        if odd or every:
            more = ""
            if "ase further" in r:
                more = f"; {1000 * (r['ours'][1] - r['ase further'][1]):+.2f} after {r['ase further'][0]} more of ASE"
            states = [f"{'converged' if r[k][2] else 'stopped'} after {r[k][0]} evaluations" for k in ("ase", "ours")]
            structure = "same structure" if r["same"] else "another structure"
            print(f"  {r['id']} {r['formula']} ({r['atoms']} atoms): {gap:+.2f} meV/atom, {structure}; ", end="")
            print(f"ASE {states[0]}, nucleate {states[1]}{more}")


if __name__ == "__main__":
    main()
