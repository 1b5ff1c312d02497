"""Crystals from databases of ASE, read from their columns.

ASE's own reader imports and constructs the classes that a file names. Here only numbers, positions, cell, periodicity
and scalar properties are read, so that a file cannot run any code.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nucleate.chem.elements import SYMBOLS
from nucleate.crystal.convert import require_volume
from nucleate.errors import NucleateError
from nucleate.io.database import connect
from nucleate.io.parse import ParsedCrystal, bare_structure, scalars
from nucleate.io.rows import Rows, read_json_text, take_name

COLUMNS = "id, numbers, positions, cell, pbc, constraints, key_value_pairs, data, energy, free_energy"


def read_db(path: Path) -> Rows:
    """The crystals of an ASE database (SQLite); the number of a row is its id."""
    try:
        with closing(connect(path)) as db:
            for number, *values in db.execute(f"SELECT {COLUMNS} FROM systems ORDER BY id"):
                *geometry, pairs, data, energy, free_energy = values
                own = {k: v for k, v in (("energy", energy), ("free_energy", free_energy)) if v is not None}
                ours = _mapping(data).get("nucleate")
                info = scalars({**own, **_mapping(pairs), **(ours if isinstance(ours, Mapping) else {})})
                yield number, take_name(info, f"{path.stem}-{number}"), info, partial(_from_blobs, *geometry)
    except sqlite3.Error as error:
        raise NucleateError(f"not an ASE database ({error})") from None


def _mapping(value: Any) -> Mapping[str, Any]:
    """The dictionary in a column, which is JSON or ASE's binary form (with its JSON part at the end)."""
    if isinstance(value, bytes):
        start = int.from_bytes(value[:8], "little")
        value = value[start:].decode("utf-8", errors="replace") if 0 < start <= len(value) else ""
    try:
        found = read_json_text(value) if isinstance(value, str) else {}
    except NucleateError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _from_blobs(numbers: Any, positions: Any, cell: Any, pbc: Any, constraints: Any) -> ParsedCrystal:
    flags = np.array([bool(int(pbc) & (1 << i)) for i in range(3)]) if isinstance(pbc, int) else np.array([])
    if isinstance(constraints, str):
        try:
            constraints = read_json_text(constraints)
        except NucleateError:
            constraints = None
    arrays = (_blob(numbers, "<i4", "numbers"), _blob(positions, "<f8", "positions"), _blob(cell, "<f8", "cell"))
    return parsed_from_ase(*arrays, flags, constraints)


def _blob(value: Any, kind: str, what: str) -> np.ndarray:
    if not isinstance(value, bytes) or len(value) % np.dtype(kind).itemsize:
        raise NucleateError(f"the column '{what}' is damaged")
    return np.frombuffer(value, dtype=kind)


def parsed_from_ase(numbers: Any, positions: Any, cell: Any, pbc: Any, constraints: Any = None) -> ParsedCrystal:
    """A crystal from flat arrays: atomic numbers (n,), positions (3n,) and cell vectors (9,) in angstrom, pbc (3,).

    constraints: as ASE writes them; only FixAtoms is used. Raises NucleateError if the arrays are no crystal.
    """
    if len(numbers) == 0:
        raise NucleateError("no atoms")
    if len(positions) != 3 * len(numbers):
        raise NucleateError(f"{len(positions)} coordinates for {len(numbers)} atoms")
    if len(cell) != 9 or not np.isfinite(cell).all() or not np.isfinite(positions).all():
        raise NucleateError("the cell or a coordinate is not a finite number")
    matrix = np.array(cell, dtype=float).reshape(3, 3)
    require_volume(matrix)
    if len(pbc) != 3 or not all(pbc):
        raise NucleateError(f"periodic in {int(sum(map(bool, pbc)))} of 3 directions")
    bad = next((int(z) for z in numbers if not 1 <= z <= len(SYMBOLS) or z != int(z)), None)
    if bad is not None:
        raise NucleateError("an atom is X, which is not an element" if bad == 0 else f"no element has the number {bad}")
    frac = np.array(positions, dtype=float).reshape(-1, 3) @ np.linalg.inv(matrix)
    made = bare_structure(matrix, [SYMBOLS[int(z) - 1] for z in numbers], frac)
    fixed, remarks = _fixed(constraints, len(numbers))
    return dataclasses.replace(made, remarks=(*made.remarks, *remarks), fixed=fixed)


def _fixed(constraints: Any, count: int) -> tuple[tuple[int, ...], list[str]]:
    fixed: set[int] = set()
    others: set[str] = set()
    for item in constraints if isinstance(constraints, Sequence) and not isinstance(constraints, str) else ():
        name = item.get("name") if isinstance(item, Mapping) else None
        kwargs = item.get("kwargs") if isinstance(item, Mapping) else None
        indices = kwargs.get("indices") if isinstance(kwargs, Mapping) else None
        if isinstance(indices, Mapping) and isinstance(written := indices.get("__ndarray__"), Sequence):
            indices = written[-1]
        whole = isinstance(indices, list) and all(isinstance(i, int) and -count <= i < count for i in indices)
        if name == "FixAtoms" and whole and isinstance(indices, list):
            fixed |= {i % count for i in indices}
        else:
            others.add(str(name)[:30])
    remarks = [f"constraints of ASE that are not kept: {', '.join(sorted(others))}"] if others else []
    return tuple(sorted(fixed)), remarks
