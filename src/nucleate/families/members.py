"""The known crystals of the crystal families, which lie in the library, and structures made of them.

`reference/families/members.parquet` says which crystals of the library belong to which family, and which of their
elements is on which of its sites (`scripts/build_families.py`). Everything else of them is asked from the library.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import NucleateError
from nucleate.families.family import FOLDER, Family, lexicon
from nucleate.library.entries import KnownEntry
from nucleate.library.library import load_library

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.library.library import Library
    from nucleate.library.table import LibraryTable

FILE = FOLDER / "members.parquet"
NEAR = 0.25  # angstrom; atoms this near to positions of higher symmetry move there in a relaxation


@dataclass(frozen=True)
class Member:
    """A known crystal of a family.

    structure_type: index in the family. entry: the crystal in the library. elements: site by site.
    """

    structure_type: int
    entry: KnownEntry
    elements: tuple[str, ...]

    @property
    def material_id(self) -> str:
        return self.entry.id

    @property
    def e_above_hull(self) -> float:
        """eV/atom, by its source; nan if not known."""
        height = self.entry.e_above_hull
        return math.nan if height is None else height

    @property
    def volume(self) -> float:
        """Cubic angstrom per atom."""
        return self.entry.structure.volume / self.entry.num_atoms


def known_members(name: str, library: Library | None = None) -> tuple[Member, ...]:
    """Known crystals of a family, in the order of `Library.ordered`, the most stable first. library: None for all known
    crystals; those that are hidden in it are left out."""
    return _known_members(name, load_library() if library is None else library)


@lru_cache(maxsize=1024)
def _known_members(name: str, library: Library) -> tuple[Member, ...]:
    found = _by_row(library.table)[name]
    rows = library.ordered(library.seen(np.array(list(found), dtype=np.int64)))
    return tuple(
        Member(kind, entry, tuple(entry.elements[int(i)] for i in order))
        for row in rows.tolist()
        for entry in (KnownEntry(library.table, row),)
        for kind, order in found[row]
    )


def known_types(name: str, library: Library | None = None) -> list[int]:
    """The structure types of a family of which there is a member that is not hidden."""
    return sorted({m.structure_type for m in known_members(name, library)})


def rows_of_family(name: str, library: Library) -> NDArray[np.int64]:
    """The rows of the library's table that belong to a family, hidden ones too."""
    return np.array(list(_by_row(library.table)[name]), dtype=np.int64)


@lru_cache(maxsize=4)
def _by_row(table: LibraryTable) -> dict[str, dict[int, list[tuple[int, str]]]]:
    """Family -> row -> the structure types it has, with the places of its elements on the sites as digits."""
    out: dict[str, dict[int, list[tuple[int, str]]]] = {name: {} for name in lexicon()}
    columns = _file()
    keys = np.array(columns["source"], dtype=np.uint64) << np.uint64(32) | np.array(columns["number"], dtype=np.uint64)
    places = np.searchsorted(table.ids.keys, keys)
    there = table.ids.keys[np.minimum(places, len(table.ids.keys) - 1)] == keys
    for i in np.flatnonzero(there).tolist():
        row = int(table.ids.order[places[i]])
        found = out[columns["family"][i]].setdefault(row, [])
        found.append((columns["structure_type"][i], columns["order"][i]))
    return out


@cache
def _file() -> dict[str, list]:
    import pyarrow.parquet as pq

    columns: dict[str, list] = pq.read_table(FILE).to_pydict()
    return columns


def prototype_member(name: str, structure_type: int = 0, library: Library | None = None) -> Member:
    """The crystal that stands for a structure type of a family: the most stable one of its example's formula, or if
    that is hidden in the library, the most stable of its members. Raises NucleateError if all are hidden."""
    example = lexicon()[name].types[structure_type]
    alike = [m for m in known_members(name, library) if m.structure_type == structure_type]
    if not alike:
        raise NucleateError(f"this library has no {name} such as {example.example}")
    return next((m for m in alike if m.elements == example.elements), alike[0])


def family_prototype(name: str, structure_type: int = 0, library: Library | None = None) -> Structure:
    """The primitive cell of `prototype_member`."""
    return prototype_member(name, structure_type, library).entry.structure


def substituted_prototype(
    name: str, structure_type: int, elements: Sequence[str], library: Library | None = None
) -> Structure:
    """The crystal of `family_prototype`, in the same cell, with these elements on the family's sites."""
    from nucleate.generators.substitute import with_elements_replaced

    model = prototype_member(name, structure_type, library)
    return with_elements_replaced(model.entry.structure, dict(zip(model.elements, elements, strict=True)))


def keeps_space_group(name: str, structure_type: int, elements: Sequence[str], library: Library | None = None) -> bool:
    """Whether the prototype keeps its space group with these elements on its sites. With one element on two sites a
    garnet keeps it, while a double perovskite becomes a perovskite."""
    if len(set(elements)) == len(elements):
        return True
    from nucleate.crystal.symmetry import space_group, without_hand

    crystal = substituted_prototype(name, structure_type, elements, library)
    wanted = without_hand(lexicon()[name].types[structure_type].space_group)
    return without_hand(space_group(crystal, NEAR)[0]) == wanted


def families_of(counts: Mapping[str, int]) -> list[Family]:
    """The families to which a reduced formula may belong: its elements fit their sites with possible charges, and the
    prototype keeps its space group."""
    return [
        f
        for f in lexicon().values()
        if any(
            f.admits(order) and any(keeps_space_group(f.name, k, order) for k in range(len(f.types)))
            for order in f.placements(counts)
        )
    ]
