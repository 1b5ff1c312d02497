"""Compute a reference set that ships with nucleate: energies of known, nearly stable crystals by one potential.

    NUCLEATE_DATA=FOLDER python scripts/build_reference.py chgnet PART.jsonl           # again to go on after a kill
    NUCLEATE_DATA=FOLDER python scripts/build_reference.py sevennet PART.jsonl
    NUCLEATE_DATA=FOLDER python scripts/build_reference.py chgnet PART.jsonl --finish  # the set of what there is now

The input is `mp_2025.parquet` in the data folder, crystals of the Materials Project (CC-BY 4.0), and MP-20's training
crystals: of the former the lowest of each formula and space group, of the latter every one near the hull.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from pathlib import Path

from nucleate.errors import NucleateError
from nucleate.hull.build import ENERGIES, assemble_reference, build_reference, corrections_of, selection_rule
from nucleate.hull.known_crystals import KnownCrystal, select_crystals
from nucleate.hull.load import FOLDER
from nucleate.pipeline.method import EnergyMethod
from nucleate.potentials.registry import get_potential

MAX_E_HULL, MAX_ATOMS = 0.05, 40
METADATA = {
    "source": "Materials Project (materialsproject.org), geometries of its 2025 releases and of MP-20's training split",
    "licence": "CC-BY 4.0",
    "script": "scripts/build_reference.py",
    "selection": f"{selection_rule(MAX_E_HULL, MAX_ATOMS)}; of MP-20's training crystals all within that",
    "missing": "crystals further above the hull, with larger cells, without a known e_above_hull, with an element that "
    "the potential does not know, or whose MP2020 correction is not known; against a fuller set a candidate can only "
    "lie higher above the hull",
}


def crystals(data: Path) -> list[KnownCrystal]:
    """What is to be computed, most useful first."""
    import pyarrow.parquet as pq

    chosen = select_crystals(pq.read_table(data / "mp_2025.parquet"), MAX_E_HULL, MAX_ATOMS)
    have = {known.source for known in chosen}
    training = select_crystals(pq.read_table(data / "mp_20_train.parquet"), MAX_E_HULL, MAX_ATOMS, tie=math.inf)
    return chosen + [known for known in training if known.source not in have]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("potential", choices=("chgnet", "sevennet"))
    parser.add_argument("part", type=Path)
    parser.add_argument("--planned", type=int, default=0, help="with --finish: crystals the run was to compute")
    parser.add_argument("--finish", action="store_true")
    args = parser.parse_args()
    name = f"{args.potential}-mp"
    out, data = FOLDER / f"{name}.parquet", Path(os.environ["NUCLEATE_DATA"])
    try:
        if args.finish:
            method = get_potential(args.potential).method
            added = corrections_of(crystals(data)) if EnergyMethod(method).corrected is False else None
            done = assemble_reference(args.part, out, name, method, args.planned, {**ENERGIES, **METADATA}, added)
        else:
            start = time.perf_counter()

            def show(done: int, total: int) -> None:
                print(f"{done} of {total}, {time.perf_counter() - start:.0f} s", flush=True)

            done = build_reference(
                crystals(data),
                out,
                name=name,
                part=args.part,
                potential=args.potential,
                metadata=METADATA,
                progress=show,
            )
    except NucleateError as error:
        sys.exit(f"Error: {error}")
    print(f"{out}: {done.metadata['contents']}")


if __name__ == "__main__":
    main()
