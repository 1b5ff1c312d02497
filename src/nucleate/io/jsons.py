"""Crystals from JSON files: dictionaries of pymatgen, records that contain one, and ASE's databases in JSON.

The decoders of pymatgen and ASE import and construct the classes that a file names. Here nothing is constructed by
name, so that a file cannot run any code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import NucleateError
from nucleate.io.ase_rows import parsed_from_ase
from nucleate.io.parse import parse_dict, scalars
from nucleate.io.results import Problem
from nucleate.io.rows import Row, Rows, open_text, read_json_text, read_text, take_name

if TYPE_CHECKING:
    from pymatgen.core import Structure


def read_json(path: Path) -> Rows:
    """The crystals of a JSON file with a structure, a record with a structure, a list of these, or a database of
    ASE."""
    values = read_json_text(read_text(path))
    if isinstance(values, Mapping) and isinstance(ids := values.get("ids"), Sequence) and not isinstance(ids, str):
        yield from _ase_rows(path, values, ids)
        return
    single = not isinstance(values, list)
    for i, value in enumerate([values] if single else values):
        yield _record(path, i + 1, value, single)


def read_jsonl(path: Path) -> Rows:
    """The crystals of a file with one structure or record in each line."""
    with open_text(path) as file:
        for i, line in enumerate(file):
            if not line.strip():
                continue
            try:
                yield _record(path, i + 1, read_json_text(line))
            except NucleateError as error:
                yield Problem(str(path), i + 1, str(error))


def _record(path: Path, row: int, values: Any, single: bool = False) -> Row:
    """A row from the dictionary of a structure, or from a record (such as a candidate) with a structure under the key
    'structure'."""
    default = path.stem if single else f"{path.stem}-{row}"
    at = None if single else row
    if isinstance(values, Mapping) and "structure" in values:
        info = scalars({k: v for k, v in values.items() if not k.startswith("@")})
        energies = values.get("energies")
        if isinstance(energies, Mapping):  # a candidate record
            info |= scalars({k: e.get("value") for k, e in energies.items() if isinstance(e, Mapping)})
        if values["structure"] is None:
            reason = f"no structure ({values.get('failure') or 'not generated'})"
            return row, take_name(info, default), info, partial(_refuse, reason)
        return row, take_name(info, default), info, partial(parse_dict, values["structure"])
    if isinstance(values, Mapping) and "numbers" in values and "positions" in values:
        return at, default, {}, partial(_from_ase, values)
    properties = values.get("properties") if isinstance(values, Mapping) else None
    info = scalars(properties) if isinstance(properties, Mapping) else {}
    return at, take_name(info, default), info, partial(parse_dict, values)


def _refuse(reason: str) -> Structure:
    raise NucleateError(reason)


def _ase_rows(path: Path, values: Mapping[str, Any], ids: Sequence[Any]) -> Iterator[Row]:
    """The rows of an ASE database in JSON, which has a dictionary for each id."""
    for number in ids:
        row = values.get(str(number))
        if not isinstance(row, Mapping):
            yield None, str(number), {}, partial(_refuse, f"there is no entry of the id {number!r}")
            continue
        pairs = row.get("key_value_pairs")
        own = {k: row[k] for k in ("energy", "free_energy") if k in row}
        info = scalars({**own, **(pairs if isinstance(pairs, Mapping) else {})})
        at = number if isinstance(number, int) else None
        yield at, take_name(info, f"{path.stem}-{number}"), info, partial(_from_ase, row)


def _from_ase(row: Mapping[str, Any]) -> Any:
    cell = row.get("cell")
    if isinstance(cell, Mapping) and cell.get("__ase_objtype__") == "cell":
        cell = cell.get("array")
    numbers, positions = _array(row.get("numbers"), "numbers"), _array(row.get("positions"), "positions")
    return parsed_from_ase(
        numbers, positions, _array(cell, "cell"), _array(row.get("pbc"), "pbc"), row.get("constraints")
    )


def _array(value: Any, what: str) -> np.ndarray:
    """A flat array of the numbers of an array in JSON, which ASE writes as shape, type and values, or as nested
    lists."""
    if isinstance(value, Mapping) and "__ndarray__" in value:
        written = value["__ndarray__"]
        value = written[2] if isinstance(written, Sequence) and len(written) == 3 else None
    flat: list[float] = []
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, bool | int | float):
            flat.append(float(min(max(item, -1e300), 1e300)))
        elif isinstance(item, Sequence) and not isinstance(item, str):
            stack.extend(reversed(item))
        else:
            raise NucleateError(f"'{what}' must hold numbers alone")
    return np.array(flat)
