"""Which crystals of the library the Materials Project gives the same energy, and which of them is lower by a potential.

`e_above_hull` of the data is often filled in by formula and space group, so that crystals that differ by half an
electronvolt an atom tie. Of each crystal of a tie (one formula, the same `e_above_hull` to a meV/atom) the energy by
CHGNet, as the crystal stands in the library, is computed; the library keeps what it is above the lowest of its tie.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nucleate.errors import NucleateError
from nucleate.files import replacing
from nucleate.library.entries import KnownEntry
from nucleate.library.library import load_library
from nucleate.library.table import LibraryTable
from nucleate.potentials.chgnet import CHGNet

SHARD = 1000  # crystals in a file of the cache
ENERGIES = pa.schema([("material_id", pa.string()), ("energy", pa.float64())])  # eV/atom, nan where CHGNet has none


def tied_rows(table: LibraryTable) -> list[list[int]]:
    """The rows of each tie."""
    ties, given = defaultdict(list), table.e_above_hull - table.raised
    for row in np.flatnonzero(~np.isnan(given)).tolist():
        ties[int(table.formula_numbers[row]), round(1000 * float(given[row]))].append(row)
    return [rows for rows in ties.values() if len(rows) > 1]


def write_energies(library: Path, rows: Sequence[int], target: Path) -> None:
    """Write the energies of some rows of a library: `ENERGIES`."""
    table, potential = load_library(library).table, CHGNet()
    out = []
    for row in rows:
        entry = KnownEntry(table, row)
        try:
            energy = potential.energies([entry.structure])[0]
        except NucleateError:
            energy = float("nan")
        out.append({"material_id": entry.id, "energy": energy})
    with replacing(target) as temporary:
        pq.write_table(pa.Table.from_pylist(out, schema=ENERGIES), temporary)


def jobs(library: Path, cache: Path) -> list[tuple[Path, list[int], Path]]:
    """The arguments of `write_energies` for all crystals that tie, small ones first."""
    table = load_library(library).table
    rows = sorted((r for tie in tied_rows(table) for r in tie), key=lambda r: (int(table.num_atoms[r]), r))
    starts = range(0, len(rows), SHARD)
    return [(library, rows[s : s + SHARD], cache / f"tie-energies-{s:06d}.parquet") for s in starts]


def tie_column(library: Path, files: Sequence[Path]) -> pa.Array:
    """The column `e_tie` of a library, meV/atom, from the files of energies."""
    table = load_library(library).table
    energies: dict[str, float] = {}
    for path in files:
        energies.update((row["material_id"], row["energy"]) for row in pq.read_table(path).to_pylist())
    out = np.full(len(table), np.nan)
    for rows in tied_rows(table):
        own = np.array([energies[KnownEntry(table, row).id] for row in rows])
        if not np.isnan(own).all():
            out[rows] = own - np.nanmin(own)
    known = ~np.isnan(out)
    print(f"{len(energies):,} crystals tie with others; {int(known.sum()):,} have an energy by CHGNet")
    return pa.array(np.round(1000 * np.where(known, out, 0)).astype(np.int32), mask=~known)
