"""One generator for each file format: rows in order, each a `Named` or a `Problem`."""

from __future__ import annotations

import csv
import itertools
import warnings
from collections.abc import Callable, Container, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.io.cif import read_cif, structure_from_cif
from nucleate.io.extxyz import read_extxyz
from nucleate.io.parse import (
    Parsed,
    bare,
    parse_dict,
    scalars,
    structure_from_atoms,
    structure_from_columns,
)
from nucleate.io.poscar import structure_from_poscar
from nucleate.io.read import Named, Problem
from nucleate.io.rows import Row, Rows, read_json_text, read_text

if TYPE_CHECKING:
    from pymatgen.core import Structure

NAME_KEYS = ("material_id", "name", "id")


def reader(path: Path) -> Callable[[Path], Rows] | None:
    """The reader of a file, by its ending or name; None for an unknown one."""
    if path.name.upper().startswith(("POSCAR", "CONTCAR")) and path.suffix.lower() not in READERS:
        return read_poscar
    return READERS.get(path.suffix.lower())


def read_file(path: Path, passed_over: Container[int | None] = ()) -> Iterator[Named | Problem]:
    """All rows of one file but those passed over; whatever goes wrong is a `Problem`."""
    from nucleate.crystal.convert import require_crystal

    read = reader(path)
    assert read is not None  # the caller has asked
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
                    warnings.simplefilter("ignore")  # pymatgen's remarks on how it rounds
                    made = make()
                parsed = bare(made if isinstance(made, Parsed) else Parsed(made))
                require_crystal(parsed.structure)
            except Exception as error:  # a parser meets anything in a broken file, and may raise anything
                yield Problem(str(path), row, _reason(error))
                continue
            yield Named(name, parsed.structure, info, str(path), row, parsed.remarks, parsed.fixed)
    except Exception as error:
        yield Problem(str(path), None, _reason(error))
        return
    if count == 0:
        yield Problem(str(path), None, "empty")


def _reason(error: Exception) -> str:
    """One line; the kind of the error too where the parser was taken by surprise."""
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, NucleateError) else f"not readable ({type(error).__name__}: {text})"


def _name(info: dict[str, Any], default: str) -> str:
    return next((str(info.pop(k)) for k in NAME_KEYS if info.get(k) not in (None, "")), default)


def read_poscar(path: Path) -> Rows:
    """VASP's format, with the names of the elements."""
    own = path.name.upper() in ("POSCAR", "CONTCAR")  # such a file is known by its folder
    name = path.resolve().parent.name if own else path.stem if path.suffix.lower() in READERS else path.name
    yield None, name, {}, lambda: structure_from_poscar(read_text(path))


def read_csv(path: Path) -> Rows:
    """A column `cif`, or the only one that holds CIFs, or `structure` (pymatgen's JSON); the others are properties."""
    limit = csv.field_size_limit(2**31 - 1)  # a CIF may be longer than the default 128 kB
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            yield from _csv_rows(path, csv.reader(file, strict=True))
    finally:
        csv.field_size_limit(limit)


def _csv_rows(path: Path, rows: Any) -> Rows:
    header: list[str] = next(rows, [])
    column: str | None = next((c for c in ("cif", "structure") if c in header), None)
    if column is None and (first := next(rows, None)) is not None:
        rows = itertools.chain([first], rows)
        cifs = [c for c, text in zip(header, first, strict=False) if "_cell_length_a" in text]
        column = cifs[0] if len(cifs) == 1 else None
    if column is None:
        shown = ", ".join(c for c in header if c)[:200]
        raise NucleateError(f"no column 'cif' or 'structure'; the columns are: {shown}")
    row, lost = 0, False
    while True:
        try:
            fields = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            row += 1
            yield Problem(str(path), row, f"not CSV ({error})")
            lost = True  # until the next line that looks like a row again
            continue
        if not fields or (lost and len(fields) != len(header)):
            continue
        lost = False
        row += 1
        if len(fields) != len(header):
            yield Problem(str(path), row, f"{len(fields)} columns instead of {len(header)}")
            continue
        info: dict[str, Any] = {k: v for k, v in zip(header, fields, strict=True) if k}
        text = info.pop(column)
        name = _name(info, f"{path.stem}-{row}")
        yield row, name, {k: _number(v) for k, v in info.items() if v != ""}, partial(_from_text, column, text)


def _from_text(column: str, text: str) -> Structure | Parsed:
    if not text.strip():
        raise NucleateError("no structure")
    return parse_dict(read_json_text(text)) if column == "structure" else structure_from_cif(text)


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _record(path: Path, row: int, values: Any, single: bool = False) -> Row:
    """A structure dictionary, or a record (a candidate, say) that has one under 'structure'."""
    default = path.stem if single else f"{path.stem}-{row}"
    if isinstance(values, Mapping) and "structure" in values:
        info = scalars({k: v for k, v in values.items() if not k.startswith("@")})
        energies = values.get("energies")
        if isinstance(energies, Mapping):  # a candidate record
            info |= scalars({k: e.get("value") for k, e in energies.items() if isinstance(e, Mapping)})
        if values["structure"] is None:
            reason = f"no structure ({values.get('failure') or 'not generated'})"
            return row, _name(info, default), info, partial(_refuse, reason)
        return row, _name(info, default), info, partial(parse_dict, values["structure"])
    info = scalars(values.get("properties") or {}) if isinstance(values, Mapping) else {}
    return None if single else row, _name(info, default), info, partial(parse_dict, values)


def _refuse(reason: str) -> Structure:
    raise NucleateError(reason)


def read_json(path: Path) -> Rows:
    """A structure, a record with a structure, or a list of them."""
    values = read_json_text(read_text(path))
    single = not isinstance(values, list)
    for i, value in enumerate([values] if single else values):
        yield _record(path, i + 1, value, single)


def read_jsonl(path: Path) -> Rows:
    """One structure or record a line."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for i, line in enumerate(file):
            if not line.strip():
                continue
            try:
                yield _record(path, i + 1, read_json_text(line))
            except NucleateError as error:
                yield Problem(str(path), i + 1, str(error))


def read_db(path: Path) -> Rows:
    """An ASE database; the row is its id."""
    import sqlite3

    import ase.db

    try:
        for row in ase.db.connect(str(path), type="db").select():
            stored = row.data.get("nucleate", {})
            plain = {k: row.get(k) for k in ("energy", "free_energy") if row.get(k) is not None}
            info = scalars({**plain, **row.key_value_pairs, **stored})
            name = _name(info, f"{path.stem}-{row.id}")
            yield row.id, name, info, partial(structure_from_atoms, row.toatoms())
    except sqlite3.DatabaseError as error:
        raise NucleateError(f"not an ASE database ({error})") from None


def read_parquet(path: Path) -> Rows:
    """Columns atomic_numbers, frac_coords (flat), lengths, angles, and any scalar ones."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pa.ArrowException as error:
        raise NucleateError(f"not parquet ({str(error).splitlines()[0]})") from None
    geometry = ("atomic_numbers", "frac_coords", "lengths", "angles")
    missing = [c for c in geometry if c not in file.schema_arrow.names]
    if missing:
        raise NucleateError(f"no column '{missing[0]}'; the columns are: {', '.join(file.schema_arrow.names)[:200]}")
    row = 0
    for batch in file.iter_batches(1000):
        for values in batch.to_pylist():
            row += 1
            cell = {k: values.pop(k) for k in geometry}
            info = scalars(values)
            yield row, _name(info, f"{path.stem}-{row}"), info, partial(structure_from_columns, **cell)


READERS: dict[str, Callable[[Path], Rows]] = {
    ".cif": read_cif,
    ".extxyz": read_extxyz,
    ".xyz": read_extxyz,
    ".vasp": read_poscar,
    ".poscar": read_poscar,
    ".contcar": read_poscar,
    ".csv": read_csv,
    ".json": read_json,
    ".jsonl": read_jsonl,
    ".db": read_db,
    ".parquet": read_parquet,
}
