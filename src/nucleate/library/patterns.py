"""The Wyckoff patterns of known crystals: which crystals share a structure type, and which element is in which slot."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.wyckoff_patterns import WyckoffPattern, automorphisms, pattern_of
from nucleate.errors import NucleateError
from nucleate.library.columns import as_array, as_numbers, as_one, open_file
from nucleate.library.sites import read_sites, written_sites

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from nucleate.library.table import LibraryTable

FILE = Path(__file__).parent / "patterns.parquet"
DIGEST = "crystals"  # key of the metadata: of which library the patterns are


@dataclass(frozen=True, eq=False)
class LibraryPatterns:
    """P patterns of the R crystals of a library.

    pattern: (R,) place of each crystal's pattern. order: (R, K) of each slot the place of its element among those of
    the crystal, 0 beyond the last slot. space_group: (P,). sites: of each pattern its slots, as `sites.written_sites`
    has them. automorphisms: of each pattern (n, S) permutations of its slots, the identity first
    (`crystal.wyckoff_patterns.automorphisms`).
    """

    pattern: NDArray[np.int32]
    order: NDArray[np.uint8]
    space_group: NDArray[np.uint8]
    sites: pa.StringArray
    _exchanged: tuple[NDArray[np.uint8], NDArray[np.int32]]

    def __len__(self) -> int:
        return len(self.space_group)

    def places(self, pattern: int) -> tuple[tuple[int, ...], ...]:
        """Of each slot of a pattern the places of its Wyckoff positions."""
        return read_sites(int(self.space_group[pattern]), self.sites[pattern].as_py())

    def automorphisms(self, pattern: int) -> NDArray[np.int64]:
        """(n, S), the identity first."""
        values, starts = self._exchanged
        slots = len(self.places(pattern))
        others = values[starts[pattern] : starts[pattern + 1]].reshape(-1, slots).astype(np.int64)
        return np.concatenate([np.arange(slots)[None], others])

    @cached_property
    def frequency(self) -> NDArray[np.int64]:
        """(P,) how many crystals have each pattern."""
        return np.bincount(self.pattern, minlength=len(self))


def load_patterns(table: LibraryTable) -> LibraryPatterns:
    """The patterns of the library that comes with nucleate; those of another library are computed, which takes about
    3 seconds for 10,000 crystals. Raises NucleateError where the file of patterns is of another library."""
    from nucleate.library.library import FILE as LIBRARY

    return _read(table) if table.path == LIBRARY else _computed(table)


def digest(table: LibraryTable) -> str:
    """A number that changes with the crystals of a library and their order."""
    columns = (table.source, table.number, table.space_group, table.counts)
    value = 0
    for column in columns:
        value = zlib.crc32(np.ascontiguousarray(column).tobytes(), value)
    return f"{value:08x}"


def pattern_table(table: LibraryTable) -> pa.Table:
    """The patterns of a library as the table of the file: a row a pattern, in the order in which crystals have them."""
    import pyarrow as pa

    texts, places = table.sites_of(np.arange(len(table)))
    kinds, kind = np.unique(
        np.stack([table.space_group.astype(np.int64), places.astype(np.int64)], axis=1), axis=0, return_inverse=True
    )
    found: dict[WyckoffPattern, int] = {}
    own = np.zeros(len(kinds), dtype=np.int32)
    order = np.zeros((len(kinds), table.elements.shape[1]), dtype=np.uint8)
    for i, (number, text) in enumerate(kinds.tolist()):
        known = pattern_of(number, read_sites(number, texts[text]))
        own[i] = found.setdefault(known.pattern, len(found))
        order[i, : len(known.orders[0])] = known.orders[0]
    pattern = own[kind.ravel()]
    by_pattern = np.argsort(pattern, kind="stable")
    sizes = np.bincount(pattern, minlength=len(found))
    used = np.arange(order.shape[1]) < table.num_elements[by_pattern][:, None]
    orders = order[kind.ravel()[by_pattern]][used]
    slots = np.array([len(p.slots) for p in found])
    exchanged = [[i for row in automorphisms(p)[1:] for i in row] for p in found]
    return pa.table(
        {
            "space_group": pa.array([p.space_group for p in found], pa.uint8()),
            "sites": pa.array([_written(p) for p in found], pa.string()),
            "automorphisms": pa.array(exchanged, pa.list_(pa.uint8())),
            "crystals": _lists(by_pattern.astype(np.int32), sizes),
            "orders": _lists(orders, sizes * slots),
        }
    ).replace_schema_metadata({DIGEST: digest(table)})


@cache
def _read(table: LibraryTable) -> LibraryPatterns:
    import pyarrow.parquet as pq

    file = open_file(FILE)
    if (file.schema_arrow.metadata or {}).get(DIGEST.encode()) != digest(table).encode():
        raise NucleateError(f"{FILE.name} is of another library than {table.path.name}: run scripts/build_patterns.py")
    return _of_table(pq.ParquetFile(FILE, pre_buffer=False).read(use_threads=False), table)


@cache
def _computed(table: LibraryTable) -> LibraryPatterns:
    return _of_table(pattern_table(table), table)


def _of_table(data: pa.Table, table: LibraryTable) -> LibraryPatterns:
    crystals, orders = as_one(data["crystals"]), as_one(data["orders"])
    rows, sizes = as_array(crystals.values), np.diff(as_array(crystals.offsets))
    pattern = np.zeros(len(table), dtype=np.int32)
    pattern[rows] = np.repeat(np.arange(len(data), dtype=np.int32), sizes)
    order = np.zeros((len(table), table.elements.shape[1]), dtype=np.uint8)
    used = np.arange(order.shape[1]) < table.num_elements[rows][:, None]
    by_pattern = np.zeros_like(order)
    by_pattern[used] = as_array(orders.values)
    order[rows] = by_pattern
    exchanged = as_one(data["automorphisms"])
    return LibraryPatterns(
        pattern=pattern,
        order=order,
        space_group=as_numbers(data["space_group"], np.uint8),
        sites=as_one(data["sites"]),
        _exchanged=(as_array(exchanged.values), as_array(exchanged.offsets)),
    )


def _written(pattern: WyckoffPattern) -> str:
    elements = [slot for slot, own in enumerate(pattern.slots) for _ in own]
    return written_sites(pattern.space_group, elements, [place for own in pattern.slots for place in own])


def _lists(values: NDArray[np.integer], sizes: NDArray[np.integer]) -> pa.ListArray:
    import pyarrow as pa

    return pa.ListArray.from_arrays(
        pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)), pa.array(values)
    )
