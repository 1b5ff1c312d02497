"""A library as it is read from its parquet file: columns of numbers, and the geometry only when it is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.wyckoff import get_space_group
from nucleate.errors import NucleateError
from nucleate.library.columns import (
    as_array,
    as_energies,
    as_numbers,
    as_one,
    as_padded,
    open_file,
    read_lists,
    read_row_group,
)
from nucleate.library.encoding import (
    decoded_alone,
    decoded_by_model,
    decoded_cell,
    decoded_volumes,
    first_coordinates,
    free_cell_places,
    steps_of,
)
from nucleate.library.schema import GEOMETRY, SOURCES, TEXTS
from nucleate.library.sites import label_of_sites, read_sites

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]

DOUBTED = 0.1  # eV/atom; by less a potential may err when it compares crystals of one formula
MOST_OF_AN_ELEMENT = 255  # atoms in a primitive cell
_SITES = re.compile(r"(\d*)[a-zA-Z]")
_KEYS = np.random.default_rng(2026).integers(
    1, 1 << 63, (2, MOST_OF_AN_ELEMENT + 1), dtype=np.uint64
)  # of elements, and of counts
_KEYS[:, 0] = 0


@dataclass(frozen=True, eq=False, repr=False)
class LibraryTable:
    """R crystals of at most K elements. Of each:

    source (place in SOURCES) and number: its id. space_group: of what is kept; near_space_group: within 0.1 angstrom.
    elements (R, K): atomic numbers in canonical order, 0 beyond; counts (R, K): atoms of each in the primitive cell.
    e_above_hull, e_form in eV/atom, band_gap in eV, nan where not known. experimental: 1 made, 0 not, -1 not known.
    split: place in SPLITS, -1 none. like: bits of SPLITS of which another crystal has the same formula and structure.
    e_tie: of crystals of one formula to which the data give the same energy above the hull, the energy by a potential
    above the lowest of them, eV/atom, nan for all others. What is more than DOUBTED above it cannot have this energy:
    the difference is added to its e_above_hull (`raised`).
    metadata: of the file.
    """

    path: Path
    metadata: dict[str, str]
    source: NDArray[np.uint8]
    number: NDArray[np.int32]
    space_group: NDArray[np.uint8]
    near_space_group: NDArray[np.uint8]
    elements: NDArray[np.uint8]
    counts: NDArray[np.uint8]
    e_above_hull: NDArray[np.float32]
    e_form: NDArray[np.float32]
    band_gap: NDArray[np.float32]
    experimental: NDArray[np.int8]
    split: NDArray[np.int8]
    like: NDArray[np.uint8]
    e_tie: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.number)

    @classmethod
    def read(cls, path: Path) -> LibraryTable:
        """Read all columns but texts and geometry. Raises NucleateError for what is no library."""
        import pyarrow as pa

        from nucleate.library.schema import schema

        try:
            file = open_file(path)
            if missing := [name for name in schema().names if name not in file.schema_arrow.names]:
                raise NucleateError(f"{path} is no library of known crystals: it lacks the column '{missing[0]}'")
            columns = [name for name in schema().names if name not in (*GEOMETRY, *TEXTS)]
            table = {name: file.read([name], use_threads=False)[name] for name in columns}
        except (OSError, pa.ArrowException) as error:
            raise NucleateError(f"{path} is no library of known crystals: {' '.join(str(error).split())}") from None
        kept = (file.schema_arrow.metadata or {}).items()
        metadata = {k.decode(): v.decode() for k, v in kept if k != b"ARROW:schema"}
        space_group = as_numbers(table["space_group"], np.uint8)
        near = as_numbers(table["near_space_group"], np.uint8)
        e_tie = as_energies(table["e_tie"])
        return cls(
            path=path,
            metadata=metadata,
            source=as_numbers(table["source"], np.uint8),
            number=as_numbers(table["number"], np.int32),
            space_group=space_group,
            near_space_group=np.where(near, near, space_group),
            elements=as_padded(table["elements"]),
            counts=as_padded(table["counts"]),
            e_above_hull=as_energies(table["e_above_hull"]) + np.where(e_tie > DOUBTED, e_tie, np.float32(0)),
            e_form=as_energies(table["e_form"]),
            band_gap=as_energies(table["band_gap"]),
            experimental=as_numbers(table["experimental"], np.int8, -1),
            split=as_numbers(table["split"], np.int8, -1),
            like=as_numbers(table["like"], np.uint8),
            e_tie=e_tie,
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

    @cached_property
    def raised(self) -> NDArray[np.float32]:
        """(R,) eV/atom by which e_above_hull is more than the data say."""
        return np.where(self.e_tie > DOUBTED, self.e_tie, np.float32(0))

    @cached_property
    def volumes(self) -> NDArray[np.float64]:
        """(R,), of the primitive cell, cubic angstrom."""
        values, starts = read_lists(self.path, "cell")
        out = np.empty(len(self))
        for number in np.unique(self.space_group).tolist():
            rows = np.flatnonzero(self.space_group == number)
            wide = values[starts[rows][:, None] + np.arange(len(free_cell_places(number)))]
            out[rows] = decoded_volumes(number, wide) * abs(np.linalg.det(get_space_group(number).primitive))
        return out

    def attribution(self, rows: NDArray[np.int64]) -> str:
        """Where these crystals come from, and their licence: of every source that one of them is of."""
        default = self.metadata.get("attribution", f"crystals of {self.path.name}")
        names = [SOURCES[i] for i in np.unique(self.source[rows])]
        return "; ".join(dict.fromkeys(self.metadata.get(f"attribution of {n}", default) for n in names)) or default

    @cached_property
    def systems(self) -> NDArray[np.uint64]:
        """(R, 2): the elements of each crystal as bits."""
        return bits_of(self.elements)

    @cached_property
    def formulas(self) -> SortedKeys:
        """Rows by reduced formula (`composition_key`)."""
        return SortedKeys.of((self.reduced * _KEYS[0][self.elements]).sum(1, dtype=np.uint64))

    @cached_property
    def formula_numbers(self) -> NDArray[np.int32]:
        """(R,) a number for each reduced formula."""
        out = np.empty(len(self), dtype=np.int32)
        out[self.formulas.order] = np.cumsum(np.diff(self.formulas.keys, prepend=self.formulas.keys[:1]) != 0)
        return out

    @cached_property
    def anonymous(self) -> SortedKeys:
        """Rows by the numbers of a reduced formula alone (`anonymous_key`)."""
        ordered = np.sort(self.reduced, axis=1)[:, ::-1]
        return SortedKeys.of((_KEYS[1][ordered] * _KEYS[0][1 : 1 + ordered.shape[1]]).sum(1, dtype=np.uint64))

    @cached_property
    def ids(self) -> SortedKeys:
        """Rows by id: the place of its source in SOURCES in the upper half of the key, its number in the lower."""
        return SortedKeys.of(self.source.astype(np.uint64) << np.uint64(32) | self.number.astype(np.uint64))

    @cached_property
    def _texts(self) -> dict[str, pa.StringArray]:
        table = open_file(self.path).read(list(TEXTS), use_threads=False)
        return {name: as_one(table[name]) for name in TEXTS}

    def sites(self, row: int) -> str:
        """The Wyckoff letters by element, of what is kept (`sites.written_sites`)."""
        text: str = self._texts["sites"][row].as_py()
        return text

    def sites_of(self, rows: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int32]]:
        """As `sites`, of many rows: each text once, and for each row its place among them."""
        import pyarrow as pa

        encoded = self._texts["sites"].take(pa.array(rows)).dictionary_encode()
        return encoded.dictionary.to_pylist(), as_array(encoded.indices)

    @cached_property
    def num_sites(self) -> NDArray[np.uint8]:
        """(R, K): sets of equivalent atoms of each element."""
        texts, places = self.sites_of(np.arange(len(self)))
        counts = np.zeros((len(texts), self.elements.shape[1]), dtype=np.uint8)
        for row, text in zip(counts, texts, strict=True):
            parts = [sum(int(n or 1) for n in _SITES.findall(part)) for part in text.split("_")]
            row[: len(parts)] = parts
        return counts[places]

    def prototype(self, row: int) -> str:
        """The label of the structure type within 0.1 angstrom."""
        text: str | None = self._texts["prototype"][row].as_py()
        return text or label_of_sites(int(self.space_group[row]), self.sites(row))

    def reason(self, row: int) -> str:
        """Why the crystal is kept with less symmetry than it has within 0.1 angstrom; "" where it is not."""
        return self._texts["reason"][row].as_py() or ""

    def geometry(self, row: int) -> tuple[tuple[float, ...], list[int], list[int], NDArray[np.float64]]:
        """a, b, c in angstrom, alpha, beta, gamma in degrees of the conventional cell; of each site its atomic number
        and the place of its Wyckoff position; their free coordinates, one after another."""
        number = int(self.space_group[row])
        by_element = read_sites(number, self.sites(row))
        places = list(chain.from_iterable(by_element))
        elements = [int(e) for e, own in zip(self.elements[row], by_element, strict=False) for _ in own]
        values, steps = self._steps(row, elements, places)
        return decoded_cell(number, self._whole("cell", row).tolist()), elements, places, values / steps

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
        """The free coordinates in steps of their periods, and the numbers of these steps."""
        number = int(self.space_group[row])
        steps = steps_of(number, self._whole("cell", row).tolist(), places)
        if back := int(self._whole("model", row)[0]):
            model = self._steps(row - back, elements, places)
            return decoded_by_model(self._whole("coordinates", row), steps, *model), steps
        firsts = first_coordinates(number, elements, places)
        return decoded_alone(self._whole("coordinates", row), steps, firsts), steps

    def _whole(self, name: str, row: int) -> Whole:
        """The whole numbers of a column of the geometry in a row."""
        group = int(np.searchsorted(self._starts, row, side="right")) - 1
        values, starts = read_row_group(self.path, group)[name]
        at = row - int(self._starts[group])
        return values[starts[at] : starts[at + 1]].astype(np.int64)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """The first row of each group of rows that are read together."""
        metadata = open_file(self.path).metadata
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        return np.cumsum([0, *sizes])


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


def composition_key(reduced: dict[int, int]) -> int:
    """Atomic number -> atoms in a formula unit, as `LibraryTable.formulas` has it."""
    return sum(n * int(_KEYS[0][z]) for z, n in reduced.items()) % (1 << 64)


def anonymous_key(numbers: list[int]) -> int:
    """Atoms of each element in a formula unit, as `LibraryTable.anonymous` has it."""
    ordered = sorted(numbers, reverse=True)
    return sum(int(_KEYS[1][n]) * int(_KEYS[0][1 + i]) for i, n in enumerate(ordered)) % (1 << 64)
