"""Write src/nucleate/library/known.parquet: every known crystal in its canonical form, small enough for the wheel.

    NUCLEATE_DATA=FOLDER python scripts/build_library.py --cache FOLDER [--workers N]
    NUCLEATE_DATA=FOLDER python scripts/build_library.py --cache FOLDER --check
    NUCLEATE_DATA=FOLDER python scripts/build_library.py --cache FOLDER --ties

The crystals are those of mp_2025.parquet (Materials Project, CC-BY 4.0) of up to 200 atoms in the primitive cell, and
those of oqmd_icsd_all.parquet (OQMD, CC-BY 4.0) that are not among them (`library_oqmd`).
Canonical forms take about 20 minutes of one core, crystals of the OQMD that match others and those of MP-20 that do 10
each, energies of crystals that tie 40 (`library_ties`); all are kept in the folder of --cache, so that a stopped build
goes on where it was. The result does not depend on the number of workers.

--check compares the crystals of the library with those of the sources, all of them, and prints what differs and why
(about 30 minutes of one core, kept in the same folder). --ties computes only the energies of crystals that tie, for the
library as it is, and writes it again.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import library_oqmd as oqmd
import library_ties as ties
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nucleate.crystal.canonical import CanonicalCrystal
from nucleate.crystal.columns import arrays_of_row, structure_of_row
from nucleate.crystal.wyckoff import get_space_group
from nucleate.errors import NucleateError
from nucleate.files import replacing
from nucleate.library.entries import KnownEntry
from nucleate.library.faithful import faithful_form
from nucleate.library.filters import rows_of_formula
from nucleate.library.library import FILE, load_library
from nucleate.library.matching import matching_rows
from nucleate.library.packing import UnpackedCrystal, packed, write_library
from nucleate.library.schema import SOURCES, SPLITS
from nucleate.parallel import map_jobs

MP = "mp_2025.parquet"
SHARD = 4000  # crystals in a file of the cache
MAX_ATOMS = 200  # in the primitive cell
GEOMETRY = ["material_id", "atomic_numbers", "frac_coords", "lengths", "angles"]
FACTS = {
    "e_above_hull": "e_above_hull",
    "e_form": "formation_energy_per_atom",
    "band_gap": "band_gap",
    "experimental": "icsd_experimental",
    "split": "mp20_split",
}
METADATA = {
    "name": "Materials Project 2025, and what the ICSD part of the OQMD adds",
    "licence": "CC-BY 4.0",
    "attribution": "crystals of the Materials Project (materialsproject.org), CC-BY 4.0; "
    "A. Jain et al., APL Materials 1, 011002 (2013)",
    "attribution of oqmd": oqmd.ATTRIBUTION,
}


def write_forms(source: Path, start: int, target: Path) -> int:
    """Write the forms of the rows from `start` to a file; gives how many could not be read."""
    table = pq.read_table(source, columns=GEOMETRY)
    rows, failed = [], 0
    for row in table.slice(start, SHARD).to_pylist():
        try:
            lattice, frac, numbers = arrays_of_row(row)
            form = faithful_form(lattice, frac.astype(float), np.array(numbers))
        except (NucleateError, ValueError, np.linalg.LinAlgError) as error:
            rows.append({"material_id": row["material_id"], "fault": " ".join(str(error).split()) or repr(error)})
            failed += 1
            continue
        near = form.near
        rows.append(
            {
                "material_id": row["material_id"],
                "fault": "",
                **columns_of(form.exact),
                "label": form.exact.anonymous_prototype,
                "near_label": near.anonymous_prototype,
                "near_space_group": near.space_group,
                "reason": form.reason,
            }
        )
    with replacing(target) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), temporary, compression="zstd")
    return failed


SCHEMA = pa.schema(
    [
        ("material_id", pa.string()),
        ("fault", pa.string()),
        ("space_group", pa.uint8()),
        ("cell", pa.list_(pa.float64())),
        ("elements", pa.list_(pa.uint8())),
        ("places", pa.list_(pa.uint8())),
        ("parameters", pa.list_(pa.float64())),
        ("num_atoms", pa.int32()),
        ("symprec", pa.float64()),
        ("moved", pa.float64()),
        ("strain", pa.float64()),
        ("label", pa.string()),
        ("near_label", pa.string()),
        ("near_space_group", pa.uint8()),
        ("reason", pa.string()),
    ]
)


def columns_of(form: CanonicalCrystal) -> dict[str, object]:
    """The columns of SCHEMA that describe the geometry."""
    table = get_space_group(form.space_group)
    return {
        "space_group": form.space_group,
        "cell": list(form.unit.cell),
        "elements": [s.atomic_number for s in form.orbits],
        "places": [table.index(s.letter) for s in form.orbits],
        "parameters": [v for s in form.orbits for v in s.parameters],
        "num_atoms": form.num_atoms,
        "symprec": form.symprec,
        "moved": form.moved,
        "strain": form.strain,
    }


def forms(source: Path, cache: Path, workers: int) -> list[Path]:
    """The files of canonical forms, after those that are missing have been written."""
    shards = shards_of(source, "forms", cache)
    jobs = [(source, start, path) for start, path in shards.items() if not path.is_file()]
    finish(f"canonical forms of {source.name}", write_forms, jobs, workers)
    return list(shards.values())


def shards_of(source: Path, what: str, cache: Path) -> dict[int, Path]:
    """The first row of each part of a source, and the file of the cache that says something of this part."""
    starts = range(0, pq.ParquetFile(source).metadata.num_rows, SHARD)
    return {start: cache / f"{source.stem}-{what}-{start:06d}.parquet" for start in starts}


def finish(what: str, function: Any, jobs: Sequence[tuple], workers: int) -> None:
    """Do the jobs, each of which writes a file; ends the script where one fails."""
    print(f"{what}: {len(jobs)} files to be written", flush=True)
    for done, outcome in enumerate(map_jobs(function, jobs, workers=workers), 1):
        if outcome.reason:
            raise SystemExit(f"{jobs[outcome.index][-1]}: {outcome.reason}")
        print(f"  {done} of {len(jobs)}", flush=True)


def unpacked(source: Path, shards: Sequence[Path], columns: Mapping[str, str]) -> dict[str, UnpackedCrystal]:
    """The crystals of a source by their ids, from the canonical forms and from other columns of the source.

    columns: name in the library -> name in the source.
    """
    table = pq.read_table(source, columns=["material_id", *columns.values()])
    facts = {row["material_id"]: row for row in table.to_pylist()}
    out: dict[str, UnpackedCrystal] = {}
    left_out: Counter[str] = Counter()
    for path in shards:
        for row in pq.read_table(path).to_pylist():
            if row["fault"] or row["num_atoms"] > MAX_ATOMS:
                left_out[row["fault"] or f"more than {MAX_ATOMS} atoms"] += 1
                continue
            prefix, _, number = row["material_id"].partition("-")
            more = {name: facts[row["material_id"]][column] for name, column in columns.items()}
            form = (tuple(row[name]) for name in ("cell", "elements", "places", "parameters"))
            near = row["near_space_group"], row["near_label"], row["reason"]
            crystal = UnpackedCrystal(prefix, int(number), row["space_group"], *form, *near, more=more)
            out[row["material_id"]] = crystal
    print(f"{source.name}: {len(out):,} crystals; left out: {dict(left_out) or 'none'}", flush=True)
    return out


def added(source: Path, crystals: Sequence[UnpackedCrystal], cache: Path, workers: int) -> list[UnpackedCrystal]:
    """The crystals of the OQMD that are not among those of the Materials Project."""
    theirs = unpacked(source, forms(source, cache, workers), {})
    known, shards = cache / "mp.parquet", shards_of(source, "matches", cache)
    jobs = [(source, known, start, SHARD, path) for start, path in shards.items() if not path.is_file()]
    if jobs:
        write_library(known, packed(crystals), METADATA)
    finish(f"what of {source.name} is known", oqmd.write_matches, jobs, workers)
    taken = oqmd.chosen(source, theirs.keys(), list(shards.values()))
    return [crystal for id, crystal in theirs.items() if id in taken]


def likes(draft: Path, folder: Path, cache: Path, workers: int) -> np.ndarray:
    """Of each row of the draft the splits of MP-20 of which another crystal has the same formula and structure."""
    jobs = [(draft, folder / f"mp_20_{split}.parquet", split, cache / f"like-{split}.parquet") for split in SPLITS]
    finish("crystals that match MP-20", write_likes, [job for job in jobs if not job[-1].is_file()], workers)
    table = load_library(draft).table
    out = np.zeros(len(table), dtype=np.uint8)
    for bit, split in enumerate(SPLITS):
        found = pq.read_table(cache / f"like-{split}.parquet").column("material_id").to_pylist()
        rows = table.ids.rows
        for text in found:
            source, _, number = text.partition("-")
            out[rows(SOURCES.index(source) << 32 | int(number))] |= 1 << bit
    return out


def write_likes(draft: Path, data: Path, split: str, target: Path) -> None:
    """Write the ids of all crystals that match one of a split of MP-20, but for those that are in it themselves.

    A crystal of MP-20 is taken from the library where it is there by its id, else from MP-20's own table.
    """
    table = load_library(draft).table
    found: set[int] = set()
    own = {int(r) for r in np.flatnonzero(table.split == SPLITS.index(split))}
    names = {KnownEntry(table, row).id: row for row in own}
    for row in pq.read_table(data, columns=GEOMETRY).to_pylist():
        if row["material_id"] in names:
            entry = KnownEntry(table, names[row["material_id"]])
            if len(rows_of_formula(table, entry.composition)) > 1:
                found.update(matching_rows(table, entry.structure))
        elif row["frac_coords"] is not None and len(row["frac_coords"]):
            found.update(matching_rows(table, structure_of_row(row)))
    ids = sorted(KnownEntry(table, row).id for row in found - own)
    with replacing(target) as temporary:
        pq.write_table(pa.table({"material_id": pa.array(ids, pa.string())}), temporary)


def write_checks(file: Path, source: Path, start: int, target: Path) -> None:
    """Write how the crystals of the library differ from those of the rows from `start`: `CHECKED`."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    library = load_library(file)
    tight: dict[str, Any] = {"ltol": 0.01, "stol": 0.05, "angle_tol": 1, "scale": False}
    near, near_primitive = StructureMatcher(**tight, primitive_cell=False), StructureMatcher(**tight)
    near_repeated = StructureMatcher(**tight, primitive_cell=False, attempt_supercell=True)
    rows = []
    for row in pq.read_table(source, columns=GEOMETRY).slice(start, SHARD).to_pylist():
        if row["material_id"] not in library:
            continue
        entry = library[row["material_id"]]
        given, kept = structure_of_row(row), entry.structure
        found = (near if len(given) == len(kept) else near_primitive).get_rms_dist(given, kept)
        if found is None:  # the matcher may not see that the given cell repeats the kept one
            found = near_repeated.get_rms_dist(given, kept)
        away = found[1] * (kept.volume / len(kept)) ** (1 / 3) if found else float("nan")
        same = found is not None or StructureMatcher().fit(given, kept)
        stretch = abs(kept.volume / len(kept) / (given.volume / len(given)) - 1)
        rows.append({"material_id": entry.id, "same": same, "away": away, "stretch": stretch, "reason": entry.reason})
    with replacing(target) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=CHECKED), temporary, compression="zstd")


CHECKED = pa.schema(
    [
        ("material_id", pa.string()),
        ("same", pa.bool_()),  # by StructureMatcher at its usual tolerances
        ("away", pa.float64()),  # angstrom, of the farthest atom; nan where the two do not match closely
        ("stretch", pa.float64()),  # relative change of the volume
        ("reason", pa.string()),
    ]
)


def check(file: Path, source: Path, cache: Path, workers: int) -> None:
    """Compare all crystals of a source that the library has with the source and print a table."""
    shards = shards_of(source, "check", cache)
    jobs = [(file, source, start, path) for start, path in shards.items() if not path.is_file()]
    finish(f"comparisons with {source.name}", write_checks, jobs, workers)
    every = [row for path in shards.values() for row in pq.read_table(path).to_pylist()]
    rows = list({row["material_id"]: row for row in every}.values())
    good = [row for row in rows if row["same"] and row["away"] <= 0.01]
    print(f"{len(rows):,} crystals; {sum(row['same'] for row in rows):,} match (StructureMatcher)")
    print(f"{len(good):,} ({len(good) / len(rows):.3%}) match and have all atoms within 0.01 angstrom")
    away = np.sort([row["away"] for row in good])
    print("farthest atom, angstrom: median {:.5f}, 99 % {:.5f}".format(*np.quantile(away, (0.5, 0.99))))
    print(f"largest change of a volume: {max(row['stretch'] for row in rows):.2%}")
    print(f"{sum(bool(row['reason']) for row in rows):,} are kept with less symmetry than within 0.1 angstrom")
    for row in rows:
        if not row["same"] or not row["away"] <= 0.01:
            print(f"  {row['material_id']}: match {row['same']}, farthest atom {row['away']:.4f}; {row['reason']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--ties", action="store_true")
    parser.add_argument("--out", type=Path, default=FILE)
    args = parser.parse_args()
    folder = Path(os.environ["NUCLEATE_DATA"])
    mp, others = folder / MP, folder / oqmd.SOURCE
    if args.check:
        for source in (mp, others):
            check(args.out, source, args.cache, args.workers)
        return
    draft = args.cache / "draft.parquet"
    if args.ties:
        table = pq.read_table(args.out)
    else:
        crystals = list(unpacked(mp, forms(mp, args.cache, args.workers), FACTS).values())
        table = packed([*crystals, *added(others, crystals, args.cache, args.workers)])
        write_library(draft, table, METADATA)
        like = likes(draft, folder, args.cache, args.workers)
        table = with_column(table, "like", pa.array(like, pa.uint8(), mask=like == 0))
    write_library(draft, table, METADATA)
    jobs = ties.jobs(draft, args.cache)
    finish("energies of crystals that tie", ties.write_energies, [j for j in jobs if not j[-1].is_file()], args.workers)
    table = with_column(table, "e_tie", ties.tie_column(draft, [path for *_, path in jobs]))
    write_library(args.out, table, METADATA)
    size = args.out.stat().st_size
    print(f"{args.out}: {len(table):,} crystals, {size:,} bytes, {8 * size / len(table):.0f} bits a crystal")
    for name, own in columns(args.out).items():
        print(f"  {name:<16} {own:>10,} bytes")


def with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """The table with other values in a column."""
    return table.set_column(table.schema.get_field_index(name), name, values)


def columns(path: Path) -> dict[str, int]:
    """Bytes of each column of a parquet file."""
    out: dict[str, int] = defaultdict(int)
    metadata = pq.ParquetFile(path).metadata
    for i in range(metadata.num_row_groups):
        for k in range(metadata.num_columns):
            column = metadata.row_group(i).column(k)
            out[column.path_in_schema.split(".")[0]] += column.total_compressed_size
    return dict(out)


if __name__ == "__main__":
    main()
