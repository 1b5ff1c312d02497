"""One generator for each file format: rows in order, each a `Named` or a `Problem`."""

from __future__ import annotations

import csv
import json
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.io.read import Named, Problem

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

Row = tuple[int | None, str, dict[str, Any], "Callable[[], Structure]"]  # row, name, info, how to make the structure
Rows = Iterator[Row | Problem]

NAME_KEYS = ("material_id", "name", "id")


def reader(path: Path) -> Callable[[Path], Rows] | None:
    """The reader of a file, by its ending or name; None for an unknown one."""
    if path.name.upper().startswith(("POSCAR", "CONTCAR")) and path.suffix.lower() not in READERS:
        return read_poscar
    return READERS.get(path.suffix.lower())


def read_file(path: Path) -> Iterator[Named | Problem]:
    """All rows of one file; whatever goes wrong is a `Problem`."""
    from nucleate.crystal.convert import require_crystal

    read = reader(path)
    assert read is not None  # the caller has asked
    count = 0
    try:
        for item in read(path):
            count += 1
            if isinstance(item, Problem):
                yield item
                continue
            row, name, info, make = item
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # pymatgen's remarks on how it rounds
                    structure = make()
                require_crystal(structure)
            except Exception as error:  # a parser meets anything in a broken file, and may raise anything
                yield Problem(str(path), row, _reason(error))
                continue
            yield Named(name, structure, info, str(path), row)
    except Exception as error:
        yield Problem(str(path), None, _reason(error))
        return
    if count == 0:
        yield Problem(str(path), None, "empty")


def _reason(error: Exception) -> str:
    """One line; the kind of the error too where the parser was taken by surprise."""
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, NucleateError) else f"not readable ({type(error).__name__}: {text})"


def _text(path: Path) -> str:
    # names of authors in old files are often Latin-1: what is not UTF-8 does not hinder
    return path.read_text(encoding="utf-8-sig", errors="replace")


def scalars(values: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that are plain scalars (numpy's included), as Python values."""
    out = {}
    for key, value in values.items():
        value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
        if isinstance(value, bool | int | float | str) and value != "":
            out[str(key)] = value
    return out


def _name(info: dict[str, Any], default: str) -> str:
    return next((str(info.pop(k)) for k in NAME_KEYS if info.get(k) not in (None, "")), default)


def read_cif(path: Path) -> Rows:
    """One crystal for each data block with a cell; blocks of remarks alone are passed over."""
    blocks = re.split(r"^\s*data_", "\n" + _text(path), flags=re.MULTILINE | re.IGNORECASE)[1:]
    if not blocks:
        raise NucleateError("not a CIF file (no data_ block)")
    crystals = [b for b in blocks if "_cell_length_a" in b or "_atom_site" in b] or blocks[:1]
    headers = [b.split(maxsplit=1)[0] if b.strip() else "" for b in crystals]
    distinct = len(set(headers)) == len(headers)
    for i, (header, block) in enumerate(zip(headers, crystals, strict=True)):
        single = len(crystals) == 1
        name = path.stem if single else f"{path.stem}-{header if distinct else i + 1}"
        yield None if single else i + 1, name, {}, lambda b=block: structure_from_cif("data_" + b)


def structure_from_cif(text: str) -> Structure:
    """The one structure of a CIF text."""
    from pymatgen.io.cif import CifParser

    found = CifParser.from_str(text, check_cif=False).parse_structures(primitive=False, on_error="raise")
    if not found:
        raise NucleateError("the CIF holds no structure")
    return found[0]


def read_extxyz(path: Path) -> Rows:
    """Frame by frame, so that a broken frame does not take the next ones with it."""
    import ase.io

    lines = _text(path).splitlines()
    start, row = 0, 0
    while start < len(lines):
        if not lines[start].strip():
            start += 1
            continue
        row += 1
        try:
            size = int(lines[start])
        except ValueError:
            yield Problem(str(path), row, f"a number of atoms should stand here, not {lines[start][:40]!r}; stopped")
            return
        frame, start = lines[start : start + size + 2], start + size + 2
        if len(frame) < size + 2:
            yield Problem(str(path), row, f"cut short: {max(len(frame) - 2, 0)} of {size} atoms")
            return
        try:
            atoms = ase.io.read(StringIO("\n".join(frame) + "\n"), format="extxyz")
        except Exception as error:
            yield Problem(str(path), row, _reason(error))
            continue
        results = atoms.calc.results if atoms.calc is not None else {}
        info = scalars({**results, **atoms.info}) | _raw_names(frame[1])
        yield row, _name(info, f"{path.stem}-{row}"), info, lambda a=atoms: structure_from_atoms(a)


def _raw_names(comment: str) -> dict[str, str]:
    """The names as they are written: ASE would make the number 7 of "007"."""
    found = {k: re.search(rf'(?:^|\s){k}=(?:"([^"]*)"|(\S+))', comment) for k in NAME_KEYS}
    return {k: m[1] or m[2] or "" for k, m in found.items() if m}


def structure_from_atoms(atoms: Atoms) -> Structure:
    """A bare structure (species and sites alone); raises NucleateError without a cell or periodicity."""
    from pymatgen.core import Lattice, Structure

    from nucleate.crystal.convert import SMALLEST_VOLUME

    if not atoms.cell.any():
        raise NucleateError("no cell")
    if not abs(atoms.cell.volume) >= SMALLEST_VOLUME:  # also when it is not a number
        raise NucleateError(f"the cell has no volume ({atoms.cell.volume:.3g} cubic angstrom)")
    if not atoms.pbc.all():
        raise NucleateError(f"periodic in {int(atoms.pbc.sum())} of 3 directions")
    if (atoms.numbers < 1).any():
        raise NucleateError("an atom is X, which is not an element")
    return Structure(Lattice(atoms.cell.array), atoms.numbers, atoms.get_scaled_positions(wrap=False))


def read_poscar(path: Path) -> Rows:
    """VASP's format, with the names of the elements."""
    own = path.name.upper() in ("POSCAR", "CONTCAR")  # such a file is known by its folder
    yield None, path.resolve().parent.name if own else path.stem, {}, lambda: _poscar(_text(path))


def _poscar(text: str) -> Structure:
    from pymatgen.io.vasp import Poscar

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        structure = Poscar.from_str(text, read_velocities=False).structure
    if any("false names" in str(w.message) for w in caught):
        raise NucleateError("no element names (VASP 4); write them on the line before the numbers of atoms")
    return structure


def read_csv(path: Path) -> Rows:
    """A column `cif`, or `structure` with pymatgen's JSON; a name column; further columns are properties."""
    limit = csv.field_size_limit(2**31 - 1)  # a CIF may be longer than the default 128 kB
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            yield from _csv_rows(path, csv.reader(file, strict=True))
    finally:
        csv.field_size_limit(limit)


def _csv_rows(path: Path, rows: Any) -> Rows:
    header = next(rows, [])
    column = next((c for c in ("cif", "structure") if c in header), None)
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
        yield row, name, {k: _number(v) for k, v in info.items() if v != ""}, lambda t=text: _from_text(column, t)


def _from_text(kind: str, text: str) -> Structure:
    if not text.strip():
        raise NucleateError("no structure")
    return structure_from_cif(text) if kind == "cif" else structure_from_dict(json.loads(text))


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def structure_from_dict(values: Any) -> Structure:
    """From pymatgen's dictionary of a structure; raises NucleateError for any other value."""
    from pymatgen.core import Structure

    if not isinstance(values, Mapping) or "lattice" not in values or "sites" not in values:
        raise NucleateError("not a structure (a dictionary with 'lattice' and 'sites' as pymatgen writes it)")
    return Structure.from_dict(dict(values))


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
            return row, _name(info, default), info, lambda: _refuse(reason)
        return row, _name(info, default), info, lambda: structure_from_dict(values["structure"])
    info = scalars(values.get("properties") or {}) if isinstance(values, Mapping) else {}
    return None if single else row, _name(info, default), info, lambda: structure_from_dict(values)


def _refuse(reason: str) -> Structure:
    raise NucleateError(reason)


def read_json(path: Path) -> Rows:
    """A structure, a record with a structure, or a list of them."""
    try:
        values = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise NucleateError(f"not JSON ({error})") from None
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
                yield _record(path, i + 1, json.loads(line))
            except json.JSONDecodeError as error:
                yield Problem(str(path), i + 1, f"not JSON ({error.msg} at character {error.pos + 1})")


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
            yield row.id, name, info, lambda r=row: structure_from_atoms(r.toatoms())
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
            yield row, _name(info, f"{path.stem}-{row}"), info, lambda c=cell: structure_from_columns(**c)


def structure_from_columns(atomic_numbers: Any, frac_coords: Any, lengths: Any, angles: Any) -> Structure:
    """A structure from the columns of our parquet files: numbers (n,), coordinates (3 n,), angstrom, degrees."""
    from pymatgen.core import Lattice, Structure

    for name, value in (("coordinates", frac_coords), ("atomic numbers", atomic_numbers), ("cell", lengths), ("cell", angles)):
        if value is None or len(value) == 0:
            raise NucleateError(f"no {name}")
    if len(frac_coords) != 3 * len(atomic_numbers):
        raise NucleateError(f"{len(frac_coords)} coordinates for {len(atomic_numbers)} atoms")
    if not all(math.isfinite(v) for v in (*frac_coords, *lengths, *angles)):
        raise NucleateError("the cell or a coordinate is not a finite number")
    sites = [frac_coords[i : i + 3] for i in range(0, len(frac_coords), 3)]
    return Structure(Lattice.from_parameters(*lengths, *angles), atomic_numbers, sites)


READERS: dict[str, Callable[[Path], Rows]] = {
    ".cif": read_cif,
    ".extxyz": read_extxyz,
    ".xyz": read_extxyz,
    ".vasp": read_poscar,
    ".poscar": read_poscar,
    ".csv": read_csv,
    ".json": read_json,
    ".jsonl": read_jsonl,
    ".db": read_db,
    ".parquet": read_parquet,
}
