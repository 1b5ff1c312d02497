"""What rows of an ASE database hold beside atoms, row by row, so that a broken row does not take the others with it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from nucleate.errors import NucleateError

# of an ASE database, in which `sqlite_sequence` is SQLite's own
TABLES = {"systems", "species", "keys", "text_key_values", "number_key_values", "information", "sqlite_sequence"}


def stored_data(path: str | Path) -> Iterator[tuple[int, str, Any]]:
    """(row, text of the key candidate_id or "", what is stored as `data`) in order of rows; NucleateError in place of
    data that cannot be decoded.

    Raises sqlite3.DatabaseError for what is no ASE database. What a killed writer left in its journal is rolled back.
    """
    if is_unborn(path):
        return
    with closing(connect(path)) as connection:
        names = dict(connection.execute("SELECT id, value FROM text_key_values WHERE key = 'candidate_id'").fetchall())
        for row, data in connection.execute("SELECT id, data FROM systems ORDER BY id").fetchall():
            yield row, str(names.get(row, "")), _decoded(data)


def is_unborn(path: str | Path) -> bool:
    """Whether the process that made this database has not come, or never came, to the end of making its tables."""
    with closing(connect(path)) as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return found < TABLES


def connect(path: str | Path) -> sqlite3.Connection:
    """To read from; may write, since what a killed writer left in its journal has to be rolled back first."""
    return sqlite3.connect(Path(path).resolve().as_uri() + "?mode=rw", uri=True, timeout=60)


def _decoded(data: Any) -> Any:
    from ase.db.core import bytes_to_object

    try:
        return bytes_to_object(data) if isinstance(data, bytes) else json.loads(data)
    except Exception as error:  # of damaged bytes, anything
        return NucleateError(f"the data of the row are damaged ({type(error).__name__})")
