"""Tables of crystals from structures, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.chem.formula import formula_text
from nucleate.data.tables import BASE, checksum_file, problems_file, sha256_of
from nucleate.io import Named, Problem, Remark, remarks_of, replacing

if TYPE_CHECKING:
    import pyarrow as pa


def table_from_items(
    items: Iterable[Named | Problem],
    rename: Mapping[str, str] | None = None,
    drop: Iterable[str] = (),
    progress: Callable[[int], None] | None = None,
) -> tuple[pa.Table, list[Problem]]:
    """A table of the crystals among `items`, and the problems among them, to which the remarks on crystals (`Remark`)
    are added.

    Columns: material_id, formula, nsites, atomic_numbers, frac_coords (3n numbers), lengths (angstrom), angles
    (degrees), and further ones for scalar properties; properties of more than one type become text. rename, drop: as in
    `catalog.Dataset`. progress: called now and then with the number of rows that are done.
    """
    import pyarrow as pa

    from nucleate.crystal.convert import right_handed, species_numbers

    base: dict[str, list[Any]] = {c: [] for c in BASE}
    info: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for i, item in enumerate(items):
        if progress is not None and i % 50 == 0:
            progress(i)
        if isinstance(item, Problem):
            problems.append(item)
            continue
        problems += remarks_of(item)
        s = item.structure
        values = (
            item.name,
            formula_text(s.composition),
            len(s),
            species_numbers(s),
            right_handed(np.array(s.lattice.matrix), np.array(s.frac_coords))[1].ravel(),
            np.array(s.lattice.abc),
            np.array(s.lattice.angles),
        )
        for column, value in zip(BASE, values, strict=True):
            base[column].append(value)
        info.append({(rename or {}).get(k, k): v for k, v in item.info.items() if k not in set(drop)})
    types = [pa.string(), pa.string(), pa.int32(), pa.list_(pa.uint8()), *[pa.list_(pa.float32())] * 3]
    columns = {c: pa.array(base[c], t) for c, t in zip(BASE, types, strict=True)}
    for key in dict.fromkeys(k for row in info for k in row if k not in BASE):
        columns[key] = _column([row.get(key) for row in info])
    return pa.table(columns), problems


def _column(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    kinds = {type(v) for v in values if v is not None}
    if kinds <= {int, float} and kinds != {int}:
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    if len(kinds) == 1:
        return pa.array(values)
    return pa.array([None if v is None else str(v) for v in values], pa.string())


def write_crystal_table(table: pa.Table, file: Path, problems: Sequence[Problem] = ()) -> None:
    """Write a table to a parquet file, completely or not at all. Rows that could not be read (`problems`) are listed in
    a text file in the same folder (`problems_file`), and the checksum is written to another (`checksum_file`)."""
    import pyarrow.parquet as pq

    sums = checksum_file(file)
    # Removed first, because if the process is killed now, the table then has no checksum instead of a wrong one.
    sums.unlink(missing_ok=True)
    with replacing(file) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    with replacing(sums) as temporary:
        temporary.write_text(f"{sha256_of(file)}  {file.name}\n", encoding="utf-8")
    beside = problems_file(file)
    if lost := [p for p in problems if not isinstance(p, Remark)]:
        with replacing(beside) as temporary:
            temporary.write_text("".join(f"{p}\n" for p in lost), encoding="utf-8")
    else:
        beside.unlink(missing_ok=True)
