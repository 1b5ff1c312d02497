"""Tables of crystals, which are parquet files with one row for each crystal: where they are, and how they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.crystal.columns import GEOMETRY
from nucleate.data.catalog import CATALOG, SPLITS, home, parse_name, stem
from nucleate.data.rows import usable_rows
from nucleate.errors import NucleateError
from nucleate.io import Problem, Remark

if TYPE_CHECKING:
    import pyarrow as pa

BASE = ("material_id", "formula", "nsites", *GEOMETRY)

# For splits of which only a part may be there: the file with that part, and a note for the user
STAND_INS = {("perov-5", "train"): ("perov_5_train_dev1024", "the first 1,024 rows alone (perov_5_train_dev1024)")}


@dataclass(frozen=True)
class Summary:
    """What became of the rows of one split.

    rows: the number of all rows. usable: the number of those that can be used. left_out: reason -> number of others.
    atoms: the smallest and the largest number of atoms in a cell. notes: for the user. problems: rows that could not be
    read. remarks: on crystals that should be looked at.
    """

    name: str
    split: str
    file: str
    rows: int
    usable: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    atoms: tuple[int, int] = (0, 0)
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def __str__(self) -> str:
        text = f"{self.name}:{self.split}: {self.usable:,} of {self.rows:,} crystals"
        if self.usable:
            text += f", {self.atoms[0]} to {self.atoms[1]} atoms"
        if self.left_out:
            text += "; left out: " + ", ".join(f"{n:,} {why}" for why, n in self.left_out.items())
        return "; ".join((text, *self.notes))


def require_dataset(name: str) -> None:
    """Raise NucleateError where there is no data set, split of one or parquet file of that name, or of those that
    "+" joins; reads nothing."""
    for part in map(str.strip, name.split("+")):
        table_file(part, None if part.endswith(".parquet") or ":" in part else "train")


def table_file(name: str, split: str | None = None) -> tuple[Path, tuple[str, ...]]:
    """The parquet file of a split, and notes for the user.

    name: a dataset, or a parquet file, by its path or by its name in the folder of the datasets. Raises NucleateError,
    with the command that gets the dataset, if it is not there.
    """
    if name.endswith(".parquet"):
        found = next((p for p in (Path(name), home() / name) if p.is_file()), None)
        if found is None:
            raise NucleateError(f"no file {name}, neither here nor in {home()}")
        return found, ()
    name, split = parse_name(name, split)
    file = home() / f"{stem(name, split)}.parquet"
    if file.is_file():
        return file, ()
    if (name, split) in STAND_INS:
        other, note = STAND_INS[name, split]
        if (home() / f"{other}.parquet").is_file():
            return home() / f"{other}.parquet", (note,)
    if name in CATALOG:
        raise NucleateError(f"{name} is not here; run: nucleate data get {name}")
    known = sorted({*CATALOG, *own_names()})
    if name in known:
        raise NucleateError(f"the dataset '{name}' has no split '{split}': there is no {file}")
    raise NucleateError(f"no dataset '{name}'; known are {', '.join(known)}; add yours with: nucleate data add")


def own_names() -> list[str]:
    """The names of the datasets that are there but not in the catalogue; `nucleate data add` makes such ones."""
    known = {n.replace("-", "_") for n in CATALOG}
    found = {p: p.name.removesuffix("_train.parquet") for p in home().glob("*_train.parquet")}
    return sorted(n for p, n in found.items() if n not in known and _holds_crystals(p))


def _holds_crystals(file: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return set(GEOMETRY) <= set(pq.read_schema(file).names)
    except (pa.ArrowException, OSError):
        return True  # a damaged file is listed, so that the user sees it


def load_table(name: str, split: str | None = None) -> pa.Table:
    """All rows of a split, given as ("mp-20", "test") or "mp-20:test". `rows.usable_rows` selects those that can be
    used."""
    return read_table(table_file(name, split)[0])


def read_table(file: Path, columns: list[str] | None = None) -> pa.Table:
    """The table in a parquet file, or some of its columns. Raises NucleateError if the file is damaged, has changed
    since it was written, or lacks a column."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    _require_unchanged(file)
    try:
        table = pq.ParquetFile(file).read(columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise NucleateError(f"{file} is damaged ({str(error).splitlines()[0]}); remove it and get it again") from None
    missing = [c for c in (columns or GEOMETRY) if c not in table.column_names]
    if missing:
        raise NucleateError(f"{file} has no column '{missing[0]}'; it has {', '.join(table.column_names)}")
    for column in () if columns else GEOMETRY:
        kind = table.schema.field(column).type
        listed = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        if not (listed and (pa.types.is_integer(kind.value_type) or pa.types.is_floating(kind.value_type))):
            raise NucleateError(f"{file}: column '{column}' is of type {kind}; it must hold lists of numbers")
    return table


def checksum_file(file: Path) -> Path:
    """The file with the checksum of a table, in the format of `sha256sum`. Tables from other sources have none."""
    return file.with_name(f"{file.name}.sha256")


def _require_unchanged(file: Path) -> None:
    sums = checksum_file(file)
    try:
        wanted, status = sums.read_text(encoding="utf-8").split()[0], file.stat()
    except (OSError, ValueError, IndexError):
        return
    if wanted != _remembered_sha256(str(file), status.st_size, status.st_mtime_ns):
        raise NucleateError(
            f"{file} is not the table that was written here (sha256 differs): damaged or replaced; get or add it "
            f"again, or remove {sums.name} if the new file is intended"
        )


@lru_cache(maxsize=64)
def _remembered_sha256(file: str, size: int, time: int) -> str:
    """The hash of a file with this size and time of change. It is remembered, so that a process reads a large file only
    once."""
    return sha256_of(Path(file))


def sha256_of(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def problems_file(file: Path) -> Path:
    """The file that lists the rows of a table that could not be read."""
    return file.with_name(f"{file.stem}_problems.txt")


def table_summary(
    name: str, split: str, file: Path, table: pa.Table, notes: tuple[str, ...] = (), problems: Iterable[Problem] = ()
) -> Summary:
    """The summary of a table that has just been read or made. Rows that could not be read (`problems`) are counted as
    well."""
    remarks = tuple(p for p in problems if isinstance(p, Remark))
    problems = tuple(p for p in problems if not isinstance(p, Remark))
    rows = usable_rows(table)
    left_out = dict(rows.left_out)
    if problems:
        left_out["not readable"] = len(problems)
    atoms = (int(rows.sizes.min()), int(rows.sizes.max())) if len(rows.sizes) else (0, 0)
    return Summary(
        name,
        split,
        str(file),
        table.num_rows + len(problems),
        len(rows.index),
        left_out,
        notes,
        atoms,
        problems,
        remarks,
    )


def overview() -> list[Summary | str]:
    """A summary of every dataset and split that is there; for others the line that says how to get them."""
    out: list[Summary | str] = []
    for name in [*CATALOG, *own_names()]:
        for split in SPLITS:
            try:
                file, notes = table_file(name, split)
                out.append(table_summary(name, split, file, read_table(file), notes))
            except NucleateError as error:
                out.append(f"{name}:{split}: {error}")
    return out
