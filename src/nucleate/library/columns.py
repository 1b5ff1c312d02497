"""Columns of the parquet file of a library as arrays."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.library.schema import GEOMETRY

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


def open_file(path: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path, pre_buffer=False)


@lru_cache(maxsize=16)
def read_row_group(path: Path, group: int) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """The values of the columns of the geometry, and where those of each row begin."""
    import pyarrow as pa

    table = open_file(path).read_row_group(group, list(GEOMETRY), use_threads=False)
    out = {}
    for name in GEOMETRY:
        array = as_one(table[name])
        if name == "model":
            out[name] = as_array(array), np.arange(len(array) + 1)
        else:
            out[name] = as_array(array.values), as_array(array.offsets)
    pa.default_memory_pool().release_unused()
    return out


def read_lists(path: Path, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """The values of a column of lists in all rows, and where those of each row begin."""
    array = as_one(open_file(path).read([name], use_threads=False)[name])
    return as_array(array.values), as_array(array.offsets)


def as_one(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def as_array(array: pa.Array) -> NDArray[Any]:
    """The numbers of an array as they are in memory, whatever stands for nulls. (pyarrow's own way loads pandas.)"""
    kind = np.dtype(str(array.type))
    return np.frombuffer(array.buffers()[1], dtype=kind)[array.offset : array.offset + len(array)]


def as_numbers(column: pa.ChunkedArray, dtype: Any, missing: float = 0) -> NDArray[Any]:
    """A column as an array, with `missing` for null."""
    array = as_one(column)
    values = as_array(array).astype(dtype)
    valid = array.buffers()[0]
    if valid is not None and array.null_count:
        bits = np.unpackbits(np.frombuffer(valid, dtype=np.uint8), bitorder="little")
        values[bits[array.offset : array.offset + len(array)] == 0] = missing
    return values


def as_energies(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """From thousandths; nan for null."""
    return (as_numbers(column, np.float32, np.nan) / 1000).astype(np.float32)


def as_padded(column: pa.ChunkedArray) -> NDArray[np.uint8]:
    """Lists of small numbers as the rows of an array, zero beyond their ends."""
    array = as_one(column)
    starts = as_array(array.offsets)
    sizes = np.diff(starts)
    out = np.zeros((len(array), max(1, int(sizes.max(initial=0)))), dtype=np.uint8)
    out[np.arange(out.shape[1]) < sizes[:, None]] = as_array(array.values)[starts[0] : starts[-1]]
    return out
