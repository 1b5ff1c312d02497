"""The readers of all file formats, by ending, and what they have in common."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Container, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from nucleate.crystal.columns import GEOMETRY
from nucleate.errors import NucleateError
from nucleate.io.archive import ARCHIVE, archive_members
from nucleate.io.ase_rows import read_db
from nucleate.io.castep import read_cell, read_res
from nucleate.io.cif import read_cif
from nucleate.io.csvs import read_csv
from nucleate.io.extxyz import read_extxyz
from nucleate.io.jsons import read_json, read_jsonl
from nucleate.io.packed import PACKED, unpacked
from nucleate.io.parse import ParsedCrystal, scalars, structure_from_columns, without_extras
from nucleate.io.poscar import structure_from_poscar
from nucleate.io.remarks import remarks_on
from nucleate.io.results import Named, Problem
from nucleate.io.rows import Rows, read_text, take_name


def reader_of(path: Path) -> Callable[[Path], Rows] | None:
    """The reader of a file, packed or not, by its ending or name; None if the format is unknown."""
    if path.suffix.lower() in PACKED:
        path = path.with_suffix("")
    if path.name.upper().startswith(("POSCAR", "CONTCAR")) and path.suffix.lower() not in READERS:
        return read_poscar
    return READERS.get(path.suffix.lower())


def read_file(path: Path, passed_over: Container[int | None] = ()) -> Iterator[Named | Problem]:
    """Every row of one file except those in `passed_over`; whatever goes wrong is a `Problem`.

    The rows of an archive are counted through all its files.
    """
    row = 0
    for part in plain_files(path):
        if isinstance(part, Problem):
            yield part
            continue
        where, file = part
        for item in _read(file, passed_over):
            if path.suffix.lower() == ARCHIVE and isinstance(item, Named):
                row += 1
                yield dataclasses.replace(item, file=where, row=row)
            else:
                yield dataclasses.replace(item, file=where)


def plain_files(path: Path) -> Iterator[tuple[str, Path] | Problem]:
    """The files that a path holds, as (what messages call it, where it can be read): itself, or those packed in it.

    What is unpacked is there until the next one is asked for. What cannot be unpacked is a `Problem`.
    """
    suffix = path.suffix.lower()
    if suffix == ARCHIVE:
        for member in archive_members(path, lambda inner: reader_of(inner) is not None):
            if isinstance(member, Problem):
                yield member
                continue
            for part in plain_files(member.copy):
                yield (
                    dataclasses.replace(part, file=member.where)
                    if isinstance(part, Problem)
                    else (member.where, part[1])
                )
    elif suffix in PACKED:
        try:
            with unpacked(path) as inner:
                yield str(path), inner
        except NucleateError as error:
            yield Problem(str(path), None, str(error))
    else:
        yield str(path), path


def _read(path: Path, passed_over: Container[int | None]) -> Iterator[Named | Problem]:
    from nucleate.crystal.convert import require_cell

    read = reader_of(path)
    assert read is not None  # the caller has checked it
    count = 0
    try:
        for item in read(path):
            count += 1
            if (item.row if isinstance(item, Problem) else item[0]) in passed_over:
                continue
            if isinstance(item, Problem):
                yield item
                continue
            row, name, info, make = item
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # pymatgen warns of rounding
                    made = make()
                parsed = without_extras(made if isinstance(made, ParsedCrystal) else ParsedCrystal(made))
                require_cell(parsed.structure)
                odd = remarks_on(parsed.structure)
            except Exception as error:  # a broken file can cause any exception in a parser
                yield Problem(str(path), row, _reason(error))
                continue
            good, remarks = _finite(info)
            yield Named(name, parsed.structure, good, str(path), row, (*parsed.remarks, *odd, *remarks), parsed.fixed)
    except Exception as error:
        yield Problem(str(path), None, _reason(error))
        return
    if count == 0:
        yield Problem(str(path), None, "empty")


def _finite(info: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The properties without numbers that are not finite, and remarks on infinite ones. NaN stands for a missing value
    and gets no remark."""
    bad = [k for k, v in info.items() if isinstance(v, float) and not math.isfinite(v)]
    remarks = [f"{k} is not a finite number and is left out" for k in bad if not math.isnan(info[k])]
    return {k: v for k, v in info.items() if k not in bad}, remarks


def _reason(error: Exception) -> str:
    """The reason why a row cannot be read, in one line. Messages of other libraries are replaced, because they do not
    help whoever wrote the file."""
    if isinstance(error, NucleateError):
        return " ".join(str(error).split())[:300]
    if isinstance(error, MemoryError):
        return "not readable (larger than the memory)"
    if isinstance(error, OSError):
        return f"not readable ({error.strerror or 'the file cannot be opened'})"
    return "not readable (what it holds is no crystal, in a way that was not foreseen)"


def read_poscar(path: Path) -> Rows:
    """The crystal of a file in VASP's format. If the file is called POSCAR or CONTCAR, the crystal gets the name of its
    folder."""
    own = path.name.upper() in ("POSCAR", "CONTCAR")
    name = path.resolve().parent.name if own else path.stem if path.suffix.lower() in READERS else path.name
    yield None, name, {}, lambda: structure_from_poscar(read_text(path))


def read_parquet(path: Path) -> Rows:
    """The crystals of a parquet file with the columns atomic_numbers, frac_coords (3n numbers), lengths, angles, and
    any scalar ones."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pa.ArrowException as error:
        raise NucleateError(f"not parquet ({str(error).splitlines()[0]})") from None
    missing = [c for c in GEOMETRY if c not in file.schema_arrow.names]
    if missing:
        raise NucleateError(f"no column '{missing[0]}'; the columns are: {', '.join(file.schema_arrow.names)[:200]}")
    row = 0
    for batch in file.iter_batches(1000):
        for values in batch.to_pylist():
            row += 1
            cell = {k: values.pop(k) for k in GEOMETRY}
            info = scalars(values)
            yield row, take_name(info, f"{path.stem}-{row}"), info, partial(structure_from_columns, **cell)


READERS: dict[str, Callable[[Path], Rows]] = {
    ".cif": read_cif,
    ".mcif": read_cif,
    ".extxyz": read_extxyz,
    ".xyz": read_extxyz,
    ".vasp": read_poscar,
    ".poscar": read_poscar,
    ".contcar": read_poscar,
    ".res": read_res,
    ".cell": read_cell,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".json": read_json,
    ".jsonl": read_jsonl,
    ".db": read_db,
    ".parquet": read_parquet,
}
