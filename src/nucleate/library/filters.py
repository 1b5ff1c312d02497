"""What is asked of known crystals, and which rows of a library meet it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import reduce
from math import gcd, inf
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.chem.elements import atomic_number
from nucleate.crystal.symmetry import without_hand
from nucleate.library.schema import SOURCES
from nucleate.library.table import MOST_OF_AN_ELEMENT, anonymous_key, bits_of, composition_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.library.table import LibraryTable

    Rows = NDArray[np.int64]
    Mask = NDArray[np.bool_]

_LABEL = re.compile(r"(?P<formula>([A-Z]\d*)+)_[a-z][A-Z]\d+_(?P<number>\d+)_\w+")
Bounds = tuple[float, float]  # least and greatest, both allowed; -inf and inf where open


@dataclass(frozen=True)
class Filters:
    """All that is set must hold; None, () and False ask for nothing.

    formula: symbol -> atoms of a composition, of any multiple. system: symbols; crystals of some of these elements, or
    with whole_system of all of them. contains, exclude: symbols that must, or must not, be there. num_elements,
    num_atoms (in the primitive cell), e_above_hull, e_form (eV/atom), band_gap (eV): bounds. space_groups: numbers.
    anonymous: the numbers of a formula, (1, 1, 3) of ABC3. prototypes: labels. among: rows of the table, of which the
    crystals must be. experimental: whether it was made. ids: "mp-149". sources: some of SOURCES.
    """

    formula: Mapping[str, int] | None = None
    system: tuple[str, ...] = ()
    whole_system: bool = False
    contains: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    num_elements: Bounds | None = None
    num_atoms: Bounds | None = None
    space_groups: tuple[int, ...] = ()
    anonymous: tuple[int, ...] = ()
    prototypes: tuple[str, ...] = ()
    among: tuple[int, ...] = ()
    e_above_hull: Bounds | None = None
    e_form: Bounds | None = None
    band_gap: Bounds | None = None
    experimental: bool | None = None
    ids: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def asked(self) -> tuple[str, ...]:
        """The names of the fields that are set."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) != f.default)

    def without(self, name: str) -> Filters:
        """The same without one of the fields."""
        default: Any = next(f.default for f in fields(self) if f.name == name)
        return replace(self, **{name: default})

    def rows(self, table: LibraryTable, visible: Mask | None) -> Rows:
        """The rows that meet all, in their order. visible: the rows that may be found, None for all."""
        rows = self._indexed(table)
        kept = np.ones(len(table) if rows is None else len(rows), dtype=bool)
        at: Any = slice(None) if rows is None else rows
        for values, wanted in self._bounded(table):
            kept &= (values[at] >= wanted[0]) & (values[at] <= wanted[1])
        if self.space_groups:
            kept &= np.isin(table.near_space_group[at], [without_hand(n) for n in self.space_groups])
        for mask in self._of_elements(table, at):
            kept &= mask
        if self.experimental is not None:
            kept &= table.experimental[at] == int(self.experimental)
        if self.sources:
            kept &= np.isin(table.source[at], [SOURCES.index(s) for s in self.sources])
        if visible is not None:
            kept &= visible[at]
        found: Rows = np.flatnonzero(kept) if rows is None else rows[kept]
        return found.astype(np.int64)

    def _indexed(self, table: LibraryTable) -> Rows | None:
        """The rows of what there is an index for; None where nothing of that kind is asked."""
        found = []
        if self.ids:
            found.append(rows_of_ids(table, self.ids))
        if self.formula is not None:
            found.append(rows_of_formula(table, self.formula))
        if self.anonymous:
            found.append(rows_of_anonymous(table, self.anonymous))
        if self.prototypes:
            every = [rows_of_prototype(table, label) for label in self.prototypes]
            found.append(np.unique(np.concatenate(every)))
        if self.among:
            found.append(np.unique(self.among))
        return reduce(np.intersect1d, found) if found else None

    def _bounded(self, table: LibraryTable) -> Iterable[tuple[NDArray[Any], Bounds]]:
        for name in ("num_elements", "num_atoms", "e_above_hull", "e_form", "band_gap"):
            wanted = getattr(self, name)
            if wanted is not None:
                yield getattr(table, name), wanted

    def _of_elements(self, table: LibraryTable, at: Any) -> Iterable[Mask]:
        if not (self.system or self.contains or self.exclude):
            return
        own = table.systems[at]
        if self.system:
            wanted = _bits(self.system)
            yield ((own == wanted) if self.whole_system else (own & ~wanted) == 0).all(1)
        if self.contains:
            yield ((own & _bits(self.contains)) == _bits(self.contains)).all(1)
        if self.exclude:
            yield ((own & _bits(self.exclude)) == 0).all(1)


def rows_of_formula(table: LibraryTable, counts: Mapping[str, int]) -> Rows:
    """Rows with a composition, whatever its multiple."""
    divisor = gcd(*counts.values())
    wanted = {atomic_number(e): n // divisor for e, n in counts.items()}
    rows = table.formulas.rows(composition_key(wanted))
    return np.array([r for r in rows.tolist() if _counts(table, r) == wanted], dtype=np.int64)


def rows_of_anonymous(table: LibraryTable, numbers: tuple[int, ...]) -> Rows:
    """Rows whose formula has these numbers of atoms, in any order and of any multiple."""
    wanted = np.zeros(table.reduced.shape[1], dtype=np.int64)
    divided = np.sort(numbers) // gcd(*numbers)
    if len(divided) > len(wanted) or divided.max() > MOST_OF_AN_ELEMENT:
        return np.zeros(0, dtype=np.int64)
    wanted[len(wanted) - len(divided) :] = divided
    rows = table.anonymous.rows(anonymous_key(wanted[wanted > 0].tolist()))
    return rows[(np.sort(table.reduced[rows], axis=1) == wanted).all(1)].astype(np.int64)


def rows_of_prototype(table: LibraryTable, label: str) -> Rows:
    """Rows of the structure type of a label, "ABC3_cP5_221_a_b_c"."""
    found = _LABEL.fullmatch(label)
    if not found:
        return np.zeros(0, dtype=np.int64)
    numbers = tuple(int(n or 1) for n in re.findall(r"[A-Z](\d*)", found["formula"]))
    rows = rows_of_anonymous(table, numbers)
    rows = rows[table.near_space_group[rows] == int(found["number"])]
    return np.array([r for r in rows.tolist() if table.prototype(r) == label], dtype=np.int64)


def is_id(text: str) -> bool:
    """Whether a text is written as an id: "mp-149"."""
    source, _, number = text.partition("-")
    return source in SOURCES and number.isdecimal()


def rows_of_ids(table: LibraryTable, ids: Iterable[str]) -> Rows:
    """Rows of these ids that are there."""
    found = []
    for text in ids:
        source, _, number = text.strip().partition("-")
        if is_id(text.strip()) and int(number) < 1 << 31:
            found += table.ids.rows(SOURCES.index(source) << 32 | int(number)).tolist()
    return np.unique(np.array(found, dtype=np.int64))


def _counts(table: LibraryTable, row: int) -> dict[int, int]:
    return {z: n for z, n in zip(table.elements[row].tolist(), table.reduced[row].tolist(), strict=True) if z}


def _bits(symbols: Iterable[str]) -> NDArray[np.uint64]:
    return bits_of(np.array([atomic_number(s) for s in symbols], dtype=np.uint8))


def at_most(value: float) -> Bounds:
    return -inf, value
