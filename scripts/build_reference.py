"""Compute the reference set that ships with nucleate: CHGNet energies of known, nearly stable crystals.

    NUCLEATE_DATA=FOLDER python scripts/build_reference.py PART.jsonl           # compute; again to go on after a kill
    NUCLEATE_DATA=FOLDER python scripts/build_reference.py PART.jsonl --finish  # make the set of what there is now

The input is `mp_2025.parquet` in the data folder: crystals of the Materials Project (CC-BY 4.0).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from nucleate.errors import NucleateError
from nucleate.pipeline.potential import get_potential
from nucleate.pipeline.reference import DEFAULT, FOLDER
from nucleate.pipeline.reference_build import ENERGIES, build_reference, finalise, selection_rule

METADATA = {
    "source": "Materials Project (materialsproject.org), geometries of its 2025 releases",
    "licence": "CC-BY 4.0",
    "script": "scripts/build_reference.py",
    "missing": "crystals further above the hull, with larger cells, without a known e_above_hull, or with an element "
    "that the potential does not know; against a fuller set a candidate can only lie higher above the hull",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", type=Path)
    parser.add_argument("--out", type=Path, default=FOLDER / f"{DEFAULT}.parquet")
    parser.add_argument("--max-e-hull", type=float, default=0.02)
    parser.add_argument("--max-atoms", type=int, default=40)
    parser.add_argument("--planned", type=int, default=0, help="with --finish: crystals the run was to compute")
    parser.add_argument("--finish", action="store_true")
    args = parser.parse_args()
    try:
        if args.finish:
            metadata = {"selection": selection_rule(args.max_e_hull, args.max_atoms), **ENERGIES, **METADATA}
            done = finalise(args.part, args.out, DEFAULT, get_potential("chgnet").method, args.planned, metadata)
        else:
            import pyarrow.parquet as pq

            table = pq.read_table(Path(os.environ["NUCLEATE_DATA"]) / "mp_2025.parquet")
            start = time.perf_counter()

            def show(done: int, total: int) -> None:
                print(f"{done} of {total}, {time.perf_counter() - start:.0f} s", flush=True)

            limits = {"max_e_hull": args.max_e_hull, "max_atoms": args.max_atoms}
            done = build_reference(
                table, args.out, name=DEFAULT, part=args.part, metadata=METADATA, progress=show, **limits
            )
    except NucleateError as error:
        sys.exit(f"Error: {error}")
    print(f"{args.out}: {done.metadata['contents']}")


if __name__ == "__main__":
    main()
