"""Relaxation compared with ASE's serial FIRE with a cell filter and the potential's own calculator, on one core.

    python benchmarks/relax.py [--n 200] [--potential chgnet] [--pool 1,8] [--weights mp20-dng] [--rows FILE.jsonl]
    python benchmarks/relax.py --memory

Crystals are what the model generates (seeds 0 to n-1), with what `nucleate check` calls impossible left out; all rows
relax the same ones to the same limits (fmax 0.05 eV/angstrom, stress 0.003 eV/cubic angstrom, 500 steps). The ways take
turns on blocks of 20 crystals, so that a change of the machine's load meets them all; seconds are of CPU time. same:
both converged, to energies within 1 meV/atom; lower, higher: to another minimum, below or above the rival's. --rows
stores the results of each block, so that the same call continues from there; --summary shows the stored results.

--memory: peak memory against the size of the pool, each in a process of its own, with copies of one 20-atom crystal.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from ase import Atoms
from pymatgen.core import Structure

from nucleate.crystal.verdicts import geometry_verdicts
from nucleate.generators import Condition, load_generator
from nucleate.pipeline.candidate import Candidate
from nucleate.potentials.registry import get_potential
from nucleate.relaxation.pool import RelaxSettings, relax_candidates

FMAX, SMAX, STEPS = 0.05, 0.003, 500
BLOCK = 20
RIVAL = "ASE, FIRE"
POOLS = (1, 2, 4, 8, 16)  # of --memory
Outcome = Sequence[Any]  # evaluations, eV/atom (NaN: failed), converged


def own_calculator(potential: str) -> Any:
    """The ASE calculator of the potential's own package."""
    if potential == "chgnet":
        from chgnet.model.dynamics import CHGNetCalculator

        return CHGNetCalculator(use_device="cpu")
    from sevenn.calculator import SevenNetCalculator

    return SevenNetCalculator("7net-0", device="cpu")


def ase_fire(structure: Structure, calculator: Any, fmax: float, smax: float, steps: int) -> tuple[Outcome, Atoms]:
    """ASE's relaxation of one crystal: its outcome and last frame."""
    from ase.filters import FrechetCellFilter
    from ase.optimize import FIRE

    atoms = Atoms(structure.atomic_numbers, cell=structure.lattice.matrix, positions=structure.cart_coords, pbc=True)
    atoms.calc = calculator
    optimiser, done = FIRE(FrechetCellFilter(atoms), logfile=None), False
    try:
        for _ in optimiser.irun(fmax=0.0, steps=steps):
            forces, stress = atoms.get_forces(), atoms.get_stress()
            done = (forces**2).sum(1).max() ** 0.5 <= fmax and abs(stress).max() <= smax
            if done:
                break
        return (optimiser.nsteps + 1, float(atoms.get_potential_energy()) / len(atoms), bool(done)), atoms
    except Exception:  # a blow-up
        return (optimiser.nsteps + 1, math.nan, False), atoms


def ours(structures: Iterable[Structure], settings: RelaxSettings, pool: int) -> list[tuple[Outcome, Structure]]:
    """The same by nucleate, of many."""
    candidates = [Candidate(f"{k:05d}", structure=s) for k, s in enumerate(structures)]
    out = []
    for c in sorted(relax_candidates(candidates, settings, pool), key=lambda c: c.id):
        assert c.structure is not None
        record = c.relaxation
        energy = c.energies["energy"].value if "energy" in c.energies else math.nan
        out.append(((record.steps + 1, energy, record.converged), c.structure))
    return out


def generated(weights: str, n: int) -> list[Structure]:
    made = load_generator(weights, device="cpu").generate([Condition()] * n, list(range(n)))
    return [s for s in made if geometry_verdicts(s)[1] is None]


def table(results: dict[str, list[Outcome]], seconds: dict[str, float]) -> str:
    """One row for each way, over the crystals that all have done."""
    n = min(map(len, results.values()))
    base = next(iter(results))
    heads = ("way", "s/crystal", "ratio", "evaluations", "converged", "failed", "same", "lower", "higher")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for way, found in results.items():
        found = found[:n]
        gaps = [b[1] - a[1] for a, b in zip(results[base], found, strict=False) if a[2] and b[2]]
        counts = [sum(x[2] for x in found), sum(math.isnan(x[1]) for x in found)]
        counts += [sum(abs(g) <= 1e-3 for g in gaps), sum(g < -1e-3 for g in gaps), sum(g > 1e-3 for g in gaps)]
        mean, ratio = sum(x[0] for x in found) / n, seconds[base] / seconds[way]
        cells = [way, f"{seconds[way] / n:.2f}", f"{ratio:.1f}", f"{mean:.1f}", *map(str, counts)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def speed(args: argparse.Namespace) -> None:
    structures = generated(args.weights, args.n)
    get_potential(args.potential).load()
    calculator = own_calculator(args.potential) if args.rival else None
    ways: dict[str, Any] = {RIVAL: None} if args.rival else {}
    ways |= {f"nucleate, bfgs, pool {k}": ("bfgs", int(k)) for k in args.pool.split(",")}
    ways |= {"nucleate, fire, pool 1": ("fire", 1)} if args.fire else {}
    done: dict[str, dict[str, Any]] = {}
    if args.rows and args.rows.exists():
        done = {row["key"]: row for row in map(json.loads, args.rows.read_text().splitlines())}
    results: dict[str, list[Outcome]] = {way: [] for way in ways}
    seconds, measured = dict.fromkeys(ways, 0.0), list[Structure]()
    for start in range(0, len(structures), BLOCK):
        block = structures[start : start + BLOCK]
        for way, settings in ways.items():
            key = f"{args.potential}, {args.weights}, {way}: {start} to {start + len(block)}"
            if key not in done:
                if args.summary:
                    break
                began = time.process_time()
                if settings is None:
                    found = [ase_fire(s, calculator, FMAX, SMAX, STEPS)[0] for s in block]
                else:
                    limits = RelaxSettings(FMAX, SMAX, STEPS, optimiser=settings[0], potential=args.potential)
                    found = [outcome for outcome, _ in ours(block, limits, settings[1])]
                done[key] = {"key": key, "seconds": time.process_time() - began, "outcomes": found}
                if args.rows:
                    with args.rows.open("a") as file:
                        file.write(json.dumps(done[key]) + "\n")
        else:
            for way in ways:
                row = done[f"{args.potential}, {args.weights}, {way}: {start} to {start + len(block)}"]
                results[way] += row["outcomes"]
                seconds[way] += row["seconds"]
            measured += block
    if not measured:
        raise SystemExit("no block is measured yet")
    print(f"{len(measured)} crystals, {sum(map(len, measured)) / len(measured):.1f} atoms each, {args.potential}")
    print(table(results, seconds))


def memory(args: argparse.Namespace) -> None:
    """MiB against the pool; `--one POOL` is the process that measures one of them."""
    if args.one:
        (crystal,) = [s for s in generated(args.weights, 64) if len(s) == 20][:1]
        limits = RelaxSettings(FMAX, SMAX, 5, potential=args.potential)
        ours([crystal], limits, 1)
        ours([crystal] * args.one, limits, args.one)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    command = [sys.executable, __file__, "--memory", "--potential", args.potential, "--weights", args.weights, "--one"]
    print("| pool | peak memory, MiB | more than pool 1, each further crystal, MiB |\n|---|---|---|")
    peaks = {k: float(subprocess.check_output([*command, str(k)], text=True)) for k in POOLS}
    for k, peak in peaks.items():
        print(f"| {k} | {peak:.0f} | {f'{(peak - peaks[1]) / (k - 1):.1f}' if k > 1 else '-'} |")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200, help="crystals")
    parser.add_argument("--potential", default="chgnet", choices=("chgnet", "sevennet"))
    parser.add_argument("--pool", default="1,8", help="sizes of the pool, with commas")
    parser.add_argument("--weights", default="mp20-dng")
    parser.add_argument("--rival", action=argparse.BooleanOptionalAction, default=True, help="relax with ASE as well")
    parser.add_argument("--fire", action=argparse.BooleanOptionalAction, default=True, help="our FIRE as well")
    parser.add_argument("--rows", type=Path, help="keep each block's outcome here, and go on from there")
    parser.add_argument("--summary", action="store_true", help="measure nothing more")
    parser.add_argument("--memory", action="store_true", help="measure memory instead")
    parser.add_argument("--one", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    (memory if args.memory or args.one else speed)(args)


if __name__ == "__main__":
    main()
