"""Adaptive cells compared with the literature: Table 1 of Sultanov et al. (2023), with its protocol.

    OMP_NUM_THREADS=1 NUCLEATE_DATA=FOLDER python benchmarks/adaptive_table.py [--n 1000] [--weights mp20-sites]
        [--rival mp20-csp] [--known train] [--steps 50] [--sampler ancestral] [--noise 1] [--lattice-noise 1]

MP-20's test split without monoclinic and triclinic crystals (space group 16 or above within 0.1 angstrom). Of n drawn
by --seed, adaptive cells are given the composition of the primitive cell and the space group; with "sites" the number
of sites of each element and the space group, as in the paper, which leaves the composition open. The rival, a model for
given compositions, gets only the composition. "real": n crystals of the training split, also without monoclinic and
triclinic ones. All are judged as they are, unrelaxed, against the whole of that test split by the protocol cdvae-2022;
the network of the Frechet distance is `property-mp20`, so that column compares rows of this table and not with CGCNN's
in the paper. Fingerprints are kept in the user's cache.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, cast

from known import add_known, known_crystals

from nucleate.chem.elements import element_symbol
from nucleate.crystal.asymmetric import AsymmetricUnit, asymmetric_unit, symmetric_batch
from nucleate.crystal.convert import atom_counts, structures_from_batch
from nucleate.crystal.orbits import expand_orbits
from nucleate.data.catalog import user_cache
from nucleate.diffusion.loop import LANGEVIN, SAMPLERS
from nucleate.errors import NucleateError
from nucleate.evaluate.csp import load_targets, prediction_seed
from nucleate.evaluate.dng import evaluate_dng
from nucleate.evaluate.inputs import CrystalSet, Item
from nucleate.evaluate.measurements import DngSettings
from nucleate.generators import Condition, load_generator
from nucleate.generators.adaptive import AdaptiveCells

if TYPE_CHECKING:
    from pymatgen.core import Structure

CACHE = user_cache() / "evaluate"
FIRST_GROUP = 16  # of the orthorhombic family
COLUMNS = {
    "cov_precision": "COV-P %",
    "cov_recall": "COV-R %",
    "frechet_crystalnn": "FD CrystalNN",
    "frechet_network": "FD network",
    "valid_structure": "struct. valid %",
    "cov_precision_joint": "COV-P, joint %",
    "cov_recall_joint": "COV-R, joint %",
}


def eligible(dataset: str) -> list[tuple[str, Structure, AsymmetricUnit]]:
    """The crystals of the families that the paper keeps."""
    out = []
    for name, structure in load_targets(dataset):
        try:
            unit = asymmetric_unit(structure)
        except NucleateError:
            continue
        if unit.space_group >= FIRST_GROUP:
            out.append((name, structure, unit))
    return out


def crystal_set(name: str, structures: list[Structure]) -> CrystalSet:
    return CrystalSet(name, tuple(Item(str(i), s) for i, s in enumerate(structures)), "mp-20")


def wishes(row: str, units: list[AsymmetricUnit]) -> list[Condition]:
    """The conditions made from each crystal."""
    if row == "sites":
        sites = [Counter(element_symbol(s.atomic_number) for s in u.sites) for u in units]
        return [Condition(sites=n, space_group=u.space_group) for n, u in zip(sites, units, strict=True)]
    cells = [atom_counts(c) for c in structures_from_batch(expand_orbits(symmetric_batch(units)).crystals)]
    groups = [u.space_group if row == "composition" else None for u in units]
    return [Condition(composition=c, space_group=g) for c, g in zip(cells, groups, strict=True)]


def shown(key: str, value: float | None) -> str:
    """A distance, or a share in per cent."""
    if value is None:
        return "-"
    return f"{value:.3f}" if key.startswith("frechet") else f"{100 * value:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_known(parser)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--weights", default="mp20-sites")
    parser.add_argument("--rival", default="mp20-csp")
    parser.add_argument("--rows", default="composition,sites,rival,real")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--noise", type=float)
    parser.add_argument("--lattice-noise", type=float)
    parser.add_argument("--sampler", choices=[*SAMPLERS, LANGEVIN])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    test = eligible("mp-20:test")
    reference = crystal_set(f"{len(test):,} test crystals", [s for _, s, _ in test])
    told = random.Random(args.seed).sample(test, min(args.n, len(test)))
    adaptive = cast(AdaptiveCells, load_generator(args.weights)).with_library(known_crystals(args.known))
    asked = {name: getattr(args, name) for name in ("steps", "noise", "lattice_noise", "sampler")}
    adaptive.settings = adaptive.settings.changed(**{k: v for k, v in asked.items() if v is not None})
    print(f"{reference.name}; {adaptive.settings}\n")
    print(f"| | {' | '.join(COLUMNS.values())} | s/structure |\n|---|{'---|' * (len(COLUMNS) + 1)}")
    for row in args.rows.split(","):
        began = time.process_time()
        if row == "real":
            known = eligible("mp-20:train")
            made = [s for _, s, _ in random.Random(args.seed).sample(known, min(args.n, len(known)))]
        else:
            generator = load_generator(args.rival) if row == "rival" else adaptive
            seeds = [prediction_seed(args.seed, name, 0) for name, _, _ in told]
            made = generator.generate(wishes(row, [u for _, _, u in told]), seeds)
        seconds = (time.process_time() - began) / len(made)
        settings = DngSettings(("cdvae-2022",), "mp-20:train", potential="property-mp20", seed=args.seed)
        report = evaluate_dng(crystal_set(row, made), reference, settings, workers=args.workers, cache=CACHE)
        print(f"| {row} | {' | '.join(shown(key, report[key].value) for key in COLUMNS)} | {seconds:.2f} |", flush=True)


if __name__ == "__main__":
    main()
