"""A user's own structure files as a dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nucleate.chem.plausible import impossible_formation_energies, is_formation_energy
from nucleate.data.catalog import CATALOG, SPLITS, dataset_lock, home, parse_name, stem, writable
from nucleate.data.tables import Summary, table_summary
from nucleate.data.write import table_from_items, write_crystal_table
from nucleate.errors import NucleateError
from nucleate.io import nothing_read, read_items


def add_files(
    name: str,
    files: Sequence[str | Path],
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[Summary]:
    """Read structure files and folders and store them as the dataset `name`, with random splits train, val and test.

    The splits depend only on the order of the crystals and the seed. Scalar properties become columns. Rows that are no
    crystals are in the `problems` of the first summary. progress: called with the number of rows that are done. Raises
    NucleateError for a name that exists (unless `overwrite`) or belongs to the catalogue, for fractions that do not add
    up to 1, if nothing can be read, and for formation energies that no crystal can have.
    """
    name, _ = parse_name(name)
    folder = home()
    targets = [folder / f"{stem(name, s)}.parquet" for s in SPLITS]
    if any(stem(name, "") == stem(known, "") for known in CATALOG):
        raise NucleateError(f"'{name}' is the name of a public dataset; choose another")
    if not overwrite:
        _require_new(name, targets)
    if len(fractions) != 3 or min(fractions) < 0 or fractions[0] == 0 or abs(sum(fractions) - 1) > 1e-9:
        raise NucleateError(
            f"the fractions of train, val and test must add up to 1, with some to train, not {fractions}"
        )
    if not writable(folder):
        raise NucleateError(f"{folder} is read-only; set NUCLEATE_DATA to a folder that you may write to")
    table, problems = table_from_items(read_items(files), progress=progress)
    if table.num_rows == 0:
        raise nothing_read(files, problems)
    numbers = {c: table.column(c).to_pylist() for c in table.column_names if is_formation_energy(c)}
    values = {c: v for c, v in numbers.items() if all(x is None or isinstance(x, int | float) for x in v)}
    if reason := impossible_formation_energies(values, table.column("material_id").to_pylist()):
        raise NucleateError(reason)
    n = table.num_rows
    order = np.random.default_rng(seed).permutation(n)
    held = [
        int(fractions[i] * n + 1e-9) for i in (1, 2)
    ]  # rounded down, so that the rest belongs to the training split
    borders = np.cumsum([n - sum(held), *held])
    out = []
    with dataset_lock(name):
        if not overwrite:
            _require_new(name, targets)  # again, because another process may have made it in the meantime
        for split, target, rows in zip(SPLITS, targets, np.split(order, borders[:-1]), strict=True):
            rows_of_split = table.take(np.sort(rows))
            bad = problems if split == "train" else []
            write_crystal_table(rows_of_split, target, bad)
            out.append(table_summary(name, split, target, rows_of_split, problems=bad))
    return out


def _require_new(name: str, targets: Sequence[Path]) -> None:
    if any(t.exists() for t in targets):
        raise NucleateError(
            f"there is already a dataset '{name}'; choose another name, or overwrite it with --overwrite"
        )
