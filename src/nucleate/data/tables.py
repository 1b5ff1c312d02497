"""Tables of crystals: parquet with one row each, and which of the rows can be used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.chem.formula import formula_text
from nucleate.crystal.columns import GEOMETRY
from nucleate.data.catalog import CATALOG, SPLITS, home, parse_name, stem
from nucleate.errors import NucleateError
from nucleate.io import Named, Problem, Remark, remarks_of, replacing

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

BASE = ("material_id", "formula", "nsites", *GEOMETRY)

# Where only a part of a split can be had, the file that stands in for it, and what has to be said
STAND_INS = {("perov-5", "train"): ("perov_5_train_dev1024", "the first 1,024 rows alone (perov_5_train_dev1024)")}


@dataclass(frozen=True)
class Summary:
    """What became of the rows of one split.

    rows: of them all. usable: those that are given. left_out: reason -> how many. atoms: smallest and largest number.
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
    """The parquet file of a split, and what has to be said about it.

    `name` may also be a parquet file itself, as a path or in the data folder. Raises NucleateError naming the command
    that gets what is missing.
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
    """Names of the datasets here that are not in the catalogue (those that `nucleate data add` made)."""
    known = {n.replace("-", "_") for n in CATALOG}
    found = {p: p.name.removesuffix("_train.parquet") for p in home().glob("*_train.parquet")}
    return sorted(n for p, n in found.items() if n not in known and _holds_crystals(p))


def _holds_crystals(file: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return set(GEOMETRY) <= set(pq.read_schema(file).names)
    except (pa.ArrowException, OSError):
        return True  # damaged, which is worth to be seen


def load_table(name: str, split: str | None = None) -> pa.Table:
    """All rows of a split as they are, e.g. ("mp-20", "test") or "mp-20:test"; see `usable_rows` for the good ones."""
    return read_table(table_file(name, split)[0])


def read_table(file: Path, columns: list[str] | None = None) -> pa.Table:
    """Read parquet; raises NucleateError for a damaged file, one that is not what was written, or a missing column."""
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


@dataclass(frozen=True)
class Rows:
    """The usable rows of a table as arrays: index and sizes (R,), numbers and frac of all atoms in one piece."""

    index: NDArray[np.int64]
    sizes: NDArray[np.int64]
    numbers: NDArray[np.int64]
    frac: NDArray[np.float64]
    parameters: NDArray[np.float64]  # (R, 6): angstrom, degrees
    left_out: dict[str, int]


def usable_rows(table: pa.Table, max_atoms: int | None = None) -> Rows:
    """Select rows with complete, finite geometry, of at most `max_atoms`, that are in no held-out split.

    The reasons are counted one after the other: each row left out has one.
    """
    n = table.num_rows
    good = np.ones(n, dtype=bool)
    left_out: dict[str, int] = {}

    def keep(condition: NDArray[np.bool_], reason: str) -> None:
        bad = good & ~condition
        if bad.any():
            left_out[reason] = int(bad.sum())
        good[bad] = False

    sizes = _lengths(table, "atomic_numbers")
    complete = np.ones(n, dtype=bool)
    for column in GEOMETRY:
        complete &= _lengths(table, column) > 0
    keep(complete, "without coordinates")
    shaped = (
        (_lengths(table, "frac_coords") == 3 * sizes)
        & (_lengths(table, "lengths") == 3)
        & (_lengths(table, "angles") == 3)
    )
    keep(shaped, "with lists of the wrong length")
    for column, words in (("coords_source", ("cdvae_val", "cdvae_test")), ("mp20_split", ("val", "test"))):
        if column in table.column_names:
            values = table.column(column).to_pylist()
            held = [v is not None and any(w in v for w in words) for v in values]
            keep(~np.array(held, dtype=bool), "known from a val or test split")
    if max_atoms is not None:
        keep(sizes <= max_atoms, f"with more than {max_atoms} atoms")

    index = np.flatnonzero(good)
    part = table.select(list(GEOMETRY)).take(index)
    numbers, frac = _flat(part, "atomic_numbers"), _flat(part, "frac_coords").reshape(-1, 3)
    cell = np.concatenate([_flat(part, c).reshape(-1, 3) for c in ("lengths", "angles")], 1)
    sizes = sizes[index]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    fine = np.isfinite(cell).all(1) & (cell > 0).all(1) & (cell[:, 3:] < 180).all(1)
    if len(index):
        fine &= np.logical_and.reduceat(np.isfinite(frac).all(1), starts)
        fine &= np.logical_and.reduceat((numbers >= 1) & (numbers <= 118), starts)
    mask = np.ones(n, dtype=bool)
    mask[index] = fine
    keep(mask, "with an impossible cell, coordinate or element")
    atoms = np.repeat(fine, sizes)
    return Rows(index[fine], sizes[fine], numbers[atoms].astype(np.int64), frac[atoms], cell[fine], left_out)


def _lengths(table: pa.Table, column: str) -> NDArray[np.int64]:
    import pyarrow.compute as pc

    return pc.fill_null(pc.list_value_length(table.column(column)), 0).to_numpy().astype(np.int64)


def _flat(table: pa.Table, column: str) -> NDArray[np.float64]:
    import pyarrow.compute as pc

    values = pc.list_flatten(table.column(column)).to_numpy()
    return np.asarray(values, dtype=np.float64)


def table_from_items(
    items: Iterable[Named | Problem],
    rename: Mapping[str, str] | None = None,
    drop: Iterable[str] = (),
    progress: Callable[[int], None] | None = None,
) -> tuple[pa.Table, list[Problem]]:
    """Crystals as a table in the schema of every structure file here, scalar properties as further columns.

    Columns: material_id, formula, nsites, atomic_numbers, frac_coords (flat), lengths (angstrom), angles (degrees).
    Properties of more than one type become text. What to look at in a crystal (`Remark`) is among the problems.
    progress(rows done) is called now and then.
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


def write_table(table: pa.Table, file: Path, problems: Sequence[Problem] = ()) -> None:
    """Write parquet at once or not at all; the rows that are not in it are listed beside it ("..._problems.txt")."""
    import pyarrow.parquet as pq

    sums = checksum_file(file)
    sums.unlink(missing_ok=True)  # first: a kill in between leaves a table without a checksum, not with another's
    with replacing(file) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    with replacing(sums) as temporary:
        temporary.write_text(f"{_sha256(file)}  {file.name}\n", encoding="utf-8")
    beside = problems_file(file)
    if lost := [p for p in problems if not isinstance(p, Remark)]:
        with replacing(beside) as temporary:
            temporary.write_text("".join(f"{p}\n" for p in lost), encoding="utf-8")
    else:
        beside.unlink(missing_ok=True)


def checksum_file(file: Path) -> Path:
    """Where the checksum of a table is kept, as `sha256sum` writes it; tables from elsewhere have none."""
    return file.with_name(f"{file.name}.sha256")


def _require_unchanged(file: Path) -> None:
    sums = checksum_file(file)
    try:
        wanted, status = sums.read_text(encoding="utf-8").split()[0], file.stat()
    except (OSError, ValueError, IndexError):
        return
    if wanted != _sha256_of(str(file), status.st_size, status.st_mtime_ns):
        raise NucleateError(
            f"{file} is not the table that was written here (sha256 differs): damaged or replaced; get or add it "
            f"again, or remove {sums.name} if it is meant to be so"
        )


@lru_cache(maxsize=64)
def _sha256_of(file: str, size: int, time: int) -> str:
    """The hash of a file of this size and time of change, kept so that a large file is read once in a process."""
    return _sha256(Path(file))


def _sha256(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def problems_file(file: Path) -> Path:
    """Where the unreadable rows of a table are listed."""
    return file.with_name(f"{file.stem}_problems.txt")


def summarise(
    name: str, split: str, file: Path, table: pa.Table, notes: tuple[str, ...] = (), problems: Iterable[Problem] = ()
) -> Summary:
    """Count the rows of a table that has just been read or made; what could not be read counts as rows too."""
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
    """A summary of every dataset and split here; for those that are not, the line that says how to get them."""
    out: list[Summary | str] = []
    for name in [*CATALOG, *own_names()]:
        for split in SPLITS:
            try:
                file, notes = table_file(name, split)
                out.append(summarise(name, split, file, read_table(file), notes))
            except NucleateError as error:
                out.append(f"{name}:{split}: {error}")
    return out
