"""The `data` of the rows of an ASE database. It is read row by row, so that the others can be read if one is broken."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from nucleate.errors import NucleateError

# The tables of an ASE database; SQLite itself makes `sqlite_sequence`.
TABLES = {"systems", "species", "keys", "text_key_values", "number_key_values", "information", "sqlite_sequence"}


def stored_data(path: str | Path) -> Iterator[tuple[int, str, Any]]:
    """For each row, in order: its number, the value of its key candidate_id (or ""), and its `data`. Data that cannot
    be decoded is replaced by a NucleateError (which is not raised).

    Unfinished changes of a killed process are rolled back. Raises sqlite3.DatabaseError if the file is no ASE database.
    """
    if is_unborn(path):
        return
    with closing(connect(path)) as connection:
        names = dict(connection.execute("SELECT id, value FROM text_key_values WHERE key = 'candidate_id'").fetchall())
        for row, data in connection.execute("SELECT id, data FROM systems ORDER BY id").fetchall():
            yield row, str(names.get(row, "")), _decoded(data)


def is_unborn(path: str | Path) -> bool:
    """Whether a database does not have all its tables, because the process that makes it is not that far or was
    killed."""
    with closing(connect(path)) as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return found < TABLES


def connect(path: str | Path) -> sqlite3.Connection:
    """A connection for reading. It is opened for writing, too, because SQLite may have to roll back unfinished changes
    of a killed process first."""
    return sqlite3.connect(Path(path).resolve().as_uri() + "?mode=rw", uri=True, timeout=60)


def _decoded(data: Any) -> Any:
    from ase.db.core import bytes_to_object

    try:
        return bytes_to_object(data) if isinstance(data, bytes) else json.loads(data)
    except Exception as error:  # damaged bytes can cause any exception
        return NucleateError(f"the data of the row are damaged ({type(error).__name__})")
