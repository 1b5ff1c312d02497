"""Conventional cells relaxed as given and as their primitive cells, on one core.

    NUCLEATE_DATA=FOLDER python benchmarks/relax_primitive.py [--n 20] [--potential chgnet]

Crystals are drawn from MP-20's test split, those whose conventional cell is a multiple of the primitive one with at
most 40 atoms, their volumes 6 % too large. Both ways relax to fmax 0.05 eV/angstrom and stress 0.003 eV/cubic angstrom,
one after the other for each crystal; seconds are of CPU time.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator

import numpy as np
import torch
from pymatgen.core import Lattice, Structure

from nucleate.crystal.columns import arrays_of_row
from nucleate.crystal.symmetry import find_symmetry
from nucleate.data import load_table
from nucleate.pipeline.candidate import Candidate
from nucleate.potentials.registry import get_potential
from nucleate.relaxation.pool import RelaxSettings, relax_candidate


def conventional() -> Iterator[Structure]:
    """The test split in a fixed shuffled order."""
    table = load_table("mp-20", "test")
    for k in np.random.default_rng(0).permutation(table.num_rows):
        (row,) = table.slice(int(k), 1).to_pylist()
        found = find_symmetry(*arrays_of_row(row), 0.01)
        cell = found.std_cell
        if len(found.prim_std_cell.numbers) < len(cell.numbers) <= 40:
            yield Structure(Lattice(np.array(cell.basis) * 1.02), cell.numbers, cell.positions)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=20, help="crystals")
    parser.add_argument("--potential", default="chgnet", choices=("chgnet", "sevennet"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    get_potential(args.potential).load()
    seconds, steps, energies = np.zeros((args.n, 2)), np.zeros((args.n, 2)), np.zeros((args.n, 2))
    atoms = []
    for k, structure in zip(range(args.n), conventional(), strict=False):
        atoms.append(len(structure))
        for way, primitive in enumerate((False, True)):
            settings = RelaxSettings(max_steps=500, potential=args.potential, primitive=primitive)
            began = time.process_time()
            after = relax_candidate(Candidate("a", structure=structure), settings)
            seconds[k, way] = time.process_time() - began
            steps[k, way] = after.relaxation.steps + 1
            energies[k, way] = after.energies["energy"].value if after.failure is None else np.nan
            if after.failure:
                way_name = "primitive" if primitive else "as given"
                print(f"{structure.composition.reduced_formula}, {way_name}: {after.failure}")
    same = int((np.abs(energies[:, 0] - energies[:, 1]) <= 1e-3).sum())
    print(f"{args.n} conventional cells, {np.mean(atoms):.1f} atoms each, {args.potential}")
    print("| way | s/crystal | ratio | evaluations |\n|---|---|---|---|")
    for way, name in enumerate(("as given", "primitive")):
        ratio = seconds[:, 0].sum() / seconds[:, way].sum()
        print(f"| {name} | {seconds[:, way].mean():.2f} | {ratio:.1f} | {steps[:, way].mean():.1f} |")
    print(f"same energy to 1 meV/atom: {same} of {args.n}")


if __name__ == "__main__":
    main()
