"""Tables of real crystals in the folder NUCLEATE_DATA."""

import os
from pathlib import Path

import pytest

from nucleate.crystal.columns import structure_of_row


def real_table(name):
    """The parquet file of that name; the test is skipped where there is none."""
    folder = os.environ.get("NUCLEATE_DATA")
    file = Path(folder or "", f"{name}.parquet")
    if not folder or not file.is_file():
        pytest.skip(f"NUCLEATE_DATA has no {name}.parquet")
    return file


def crystal_of(row):
    """The structure of a row of such a table."""
    return structure_of_row(row)
