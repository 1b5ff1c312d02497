"""A library as it is read from its parquet file: columns of numbers, and the geometry only when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.wyckoff import get_space_group
from nucleate.errors import NucleateError
from nucleate.library.encoding import (
    decoded_alone,
    decoded_by_model,
    decoded_cell,
    first_coordinates,
    steps_of,
)
from nucleate.library.schema import GEOMETRY, SPLITS
from nucleate.library.sites import label_of_sites, read_sites

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]

_KEYS = np.random.default_rng(2026).integers(1, 1 << 63, (2, 256), dtype=np.uint64)  # of elements, and of counts
_KEYS[:, 0] = 0


@dataclass(frozen=True, eq=False, repr=False)
class LibraryTable:
    """R crystals of at most K elements. Of each:

    source (index in `sources`) and number: its id. space_group: of what is kept; near_space_group: within 0.1 angstrom.
    prototype: row -> structure type, where it is not that of its sites (`prototype_of`). reason: row -> why it has less
    symmetry than within 0.1 angstrom, where it has. sites: index in `site_texts`. elements (R, K): atomic numbers in
    canonical order, 0 beyond; counts (R, K): atoms of each in the primitive cell. e_above_hull, e_form in eV/atom,
    band_gap in eV, nan where not known. experimental: 1 made, 0 not, -1 not known. split: index in SPLITS, -1 none.
    like: bits of SPLITS of which another crystal has the same formula and structure. metadata: of the file.
    """

    path: Path
    metadata: dict[str, str]
    sources: tuple[str, ...]
    source: NDArray[np.int8]
    number: NDArray[np.int32]
    space_group: NDArray[np.uint8]
    near_space_group: NDArray[np.uint8]
    prototype: dict[int, str]
    reason: dict[int, str]
    site_texts: pa.StringArray
    sites: NDArray[np.int32]
    elements: NDArray[np.uint8]
    counts: NDArray[np.uint8]
    e_above_hull: NDArray[np.float32]
    e_form: NDArray[np.float32]
    band_gap: NDArray[np.float32]
    experimental: NDArray[np.int8]
    split: NDArray[np.int8]
    like: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.number)

    @classmethod
    def read(cls, path: Path) -> LibraryTable:
        """Read all columns but those of the geometry. Raises NucleateError for what is no library."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        from nucleate.library.schema import schema

        try:
            file = pq.ParquetFile(path, read_dictionary=["source", "sites", "split"])
            table = file.read([name for name in schema().names if name not in GEOMETRY])
        except (OSError, pa.ArrowException) as error:
            raise NucleateError(f"{path} is no library of known crystals: {' '.join(str(error).split())}") from None
        if missing := [name for name in schema().names if name not in file.schema_arrow.names]:
            raise NucleateError(f"{path} is no library of known crystals: it lacks the column '{missing[0]}'")
        metadata = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items() if k != b"ARROW:schema"}
        source, sources = _texts(table["source"])
        sites, site_texts = _texts(table["sites"])
        split, names = _texts(table["split"])
        space_group = _whole(table["space_group"], np.uint8)
        near = _whole(table["near_space_group"], np.uint8, 0)
        return cls(
            path=path,
            metadata=metadata,
            sources=tuple(sources.to_pylist()),
            source=source.astype(np.int8),
            number=_whole(table["number"], np.int32),
            space_group=space_group,
            near_space_group=np.where(near, near, space_group),
            prototype=_present(table["prototype"]),
            reason=_present(table["reason"]),
            site_texts=site_texts,
            sites=sites,
            elements=_padded(table["elements"]),
            counts=_padded(table["counts"]),
            e_above_hull=_energies(table["e_above_hull"]),
            e_form=_energies(table["e_form"]),
            band_gap=_energies(table["band_gap"]),
            experimental=_whole(table["experimental"].cast(pa.int8()), np.int8, -1),
            split=np.array([*map(SPLITS.index, names.to_pylist()), -1], dtype=np.int8)[split],
            like=_whole(table["like"], np.uint8, 0),
        )

    @cached_property
    def num_elements(self) -> NDArray[np.int8]:
        """(R,)"""
        return (self.elements > 0).sum(1).astype(np.int8)

    @cached_property
    def num_atoms(self) -> NDArray[np.int16]:
        """(R,), in the primitive cell."""
        return self.counts.sum(1, dtype=np.int16)

    @cached_property
    def reduced(self) -> NDArray[np.uint8]:
        """(R, K): atoms of each element in a formula unit."""
        divisor = reduce(np.gcd, self.counts.T)
        return self.counts // divisor[:, None]

    def attribution(self, rows: NDArray[np.int64]) -> str:
        """Where these crystals come from, and their licence."""
        return self.metadata.get("attribution", f"crystals of {self.path.name}")

    @cached_property
    def systems(self) -> NDArray[np.uint64]:
        """(R, 2): the elements of each crystal as bits."""
        return bits_of(self.elements)

    @cached_property
    def formulas(self) -> SortedKeys:
        """Rows by reduced formula (`formula_key`)."""
        return SortedKeys.of((self.reduced * _KEYS[0][self.elements]).sum(1, dtype=np.uint64))

    @cached_property
    def anonymous(self) -> SortedKeys:
        """Rows by the numbers of a reduced formula alone (`anonymous_key`)."""
        ordered = np.sort(self.reduced, axis=1)[:, ::-1]
        return SortedKeys.of((_KEYS[1][ordered] * _KEYS[0][1 : 1 + ordered.shape[1]]).sum(1, dtype=np.uint64))

    @cached_property
    def ids(self) -> SortedKeys:
        """Rows by id (`id_key`)."""
        return SortedKeys.of(self.source.astype(np.uint64) << np.uint64(32) | self.number.astype(np.uint64))

    @cached_property
    def _geometry(self) -> dict[str, Any]:
        """Of each list column its values and where the rows begin, of `model` the numbers."""
        import pyarrow.parquet as pq

        table = pq.read_table(self.path, columns=list(GEOMETRY))
        out: dict[str, Any] = {"model": _whole(table["model"], np.int32)}
        for name in GEOMETRY:
            if name != "model":
                array = _one(table[name])
                out[name] = np.asarray(array.values), np.asarray(array.offsets)
        return out

    def places(self, row: int) -> tuple[tuple[int, ...], ...]:
        """Of each element the places of its sites' Wyckoff positions."""
        return read_sites(int(self.space_group[row]), self._sites_text(row))

    def _sites_text(self, row: int) -> str:
        text: str = self.site_texts[int(self.sites[row])].as_py()
        return text

    def prototype_of(self, row: int) -> str:
        """The label of the structure type within 0.1 angstrom."""
        return self.prototype.get(row) or label_of_sites(int(self.space_group[row]), self._sites_text(row))

    def geometry(self, row: int) -> tuple[tuple[float, ...], list[int], list[int], NDArray[np.float64]]:
        """a, b, c in angstrom, alpha, beta, gamma in degrees of the conventional cell; of each site its atomic number
        and the place of its Wyckoff position; their free coordinates, one after another."""
        number = int(self.space_group[row])
        by_element = self.places(row)
        places = list(chain.from_iterable(by_element))
        elements = [int(e) for e, own in zip(self.elements[row], by_element, strict=False) for _ in own]
        values, steps = self._steps(row, elements, places)
        return decoded_cell(number, self._list("cell", row).tolist()), elements, places, values / steps

    def primitive(self, row: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """As `CanonicalCrystal.primitive`, without torch: lattice (3, 3) in angstrom, fractional coordinates (n, 3),
        atomic numbers (n,)."""
        from pymatgen.core import Lattice

        cell, elements, places, parameters = self.geometry(row)
        table = get_space_group(int(self.space_group[row]))
        frac, numbers, at = [], [], 0
        for element, place in zip(elements, places, strict=True):
            position = table.positions[place]
            frac.append(position.matrices @ parameters[at : at + position.free] + position.shifts)
            numbers += [element] * position.size
            at += position.free
        lattice = table.primitive @ Lattice.from_parameters(*cell, vesta=True).matrix
        points = np.concatenate(frac) % 1.0
        return lattice, np.where(points > 1 - 1e-9, 0.0, points), np.array(numbers)

    def _steps(self, row: int, elements: list[int], places: list[int]) -> tuple[Whole, Whole]:
        number = int(self.space_group[row])
        steps = steps_of(number, self._list("cell", row).tolist(), places)
        if back := int(self._geometry["model"][row]):
            model = self._steps(row - back, elements, places)
            return decoded_by_model(self._list("coordinates", row), steps, *model), steps
        first = first_coordinates(number, elements, places)
        return decoded_alone(self._list("coordinates", row), steps, first), steps

    def _list(self, name: str, row: int) -> Whole:
        values, starts = self._geometry[name]
        return values[starts[row] : starts[row + 1]].astype(np.int64)


@dataclass(frozen=True, eq=False)
class SortedKeys:
    """Rows by a number of 64 bits; what is found must be looked at, for different things may share a number."""

    keys: NDArray[np.uint64]
    order: NDArray[np.int32]

    @classmethod
    def of(cls, keys: NDArray[np.uint64]) -> SortedKeys:
        order = np.argsort(keys, kind="stable")
        return cls(keys[order], order.astype(np.int32))

    def rows(self, key: int) -> NDArray[np.int32]:
        """The rows of a key, in order."""
        wanted = np.uint64(key)
        return self.order[np.searchsorted(self.keys, wanted) : np.searchsorted(self.keys, wanted, side="right")]


def bits_of(elements: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """(..., K) atomic numbers, 0 for none -> (..., 2) with a bit for each element."""
    numbers = np.asarray(elements).astype(np.uint64)
    one = np.uint64(1)
    halves = []
    for first in (1, 65):
        own = (numbers >= first) & (numbers < first + 64)
        bits = np.where(own, one << ((numbers - np.uint64(first)) % np.uint64(64)), np.uint64(0))
        halves.append(np.bitwise_or.reduce(bits, axis=-1))
    return np.stack(halves, axis=-1)


def formula_key(reduced: dict[int, int]) -> int:
    """Atomic number -> atoms in a formula unit, as `LibraryTable.formulas` has it."""
    return sum(n * int(_KEYS[0][z]) for z, n in reduced.items()) % (1 << 64)


def anonymous_key(numbers: list[int]) -> int:
    """Atoms of each element in a formula unit, as `LibraryTable.anonymous` has it."""
    ordered = sorted(numbers, reverse=True)
    return sum(int(_KEYS[1][n]) * int(_KEYS[0][1 + i]) for i, n in enumerate(ordered)) % (1 << 64)


def _one(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _texts(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], pa.StringArray]:
    """Of each row the place of its text, -1 for null; and the texts."""
    array = _one(column)
    if not hasattr(array, "dictionary"):
        array = array.dictionary_encode()
    return np.asarray(array.indices.fill_null(-1), dtype=np.int32), array.dictionary


def _whole(column: pa.ChunkedArray, dtype: Any, missing: int = 0) -> NDArray[Any]:
    return np.asarray(_one(column).fill_null(missing), dtype=dtype)


def _energies(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """From thousandths; nan for null."""
    import pyarrow as pa

    return (_one(column).cast(pa.float64()).to_numpy(zero_copy_only=False) / 1000).astype(np.float32)


def _present(column: pa.ChunkedArray) -> dict[int, str]:
    """The texts of the rows that have one."""
    array = _one(column)
    rows = np.flatnonzero(np.asarray(array.is_valid()))
    return dict(zip(rows.tolist(), array.take(rows).to_pylist(), strict=True))


def _padded(column: pa.ChunkedArray) -> NDArray[np.uint8]:
    """Lists of small numbers as the rows of an array, zero beyond their ends."""
    array = _one(column)
    starts = np.asarray(array.offsets)
    sizes = np.diff(starts)
    out = np.zeros((len(array), max(1, int(sizes.max(initial=0)))), dtype=np.uint8)
    rows = np.repeat(np.arange(len(array)), sizes)
    out[rows, np.arange(len(rows)) - np.repeat(starts[:-1] - starts[0], sizes)] = np.asarray(array.values)
    return out
