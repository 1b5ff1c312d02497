"""The known crystals that come with nucleate, or a view without some of them, as templates, alone or with others."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.composition import Formula
from nucleate.chem.distance import MODIFIED_PETTIFOR, number_profiles
from nucleate.crystal.wyckoff import get_space_group
from nucleate.library.entries import KnownEntry
from nucleate.library.filters import rows_of_anonymous
from nucleate.retrieval.volumes import atomic_volumes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.crystal.prototype import Prototype
    from nucleate.generators.template_library import Counts, Ratio, Templates
    from nucleate.library.library import Library
    from nucleate.library.table import LibraryTable


class KnownTemplates:
    """Known crystals as `template_library.Templates`. Rows are those of the library's table; nothing is read of a
    crystal before it is asked for."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.name = f"known crystals without {library.hidden_text}" if library.hidden_text else "known crystals"

    def __len__(self) -> int:
        return len(self.library)

    def with_library(self, library: Library) -> KnownTemplates:
        """The crystals of another library, or of a view of it."""
        return KnownTemplates(library)

    def of_ratio(self, ratio: Ratio) -> NDArray[np.int64]:
        """Rows of a ratio, in the order of `Library.ordered`."""
        rows = rows_of_anonymous(self.library.table, ratio)
        if self.library.visible is not None:
            rows = rows[self.library.visible[rows]]
        return self.library.ordered(rows)

    def profiles(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Profiles of the formulas (n, 102), see `chem.distance.cumulative_profiles`."""
        table = self.library.table
        return number_profiles(table.elements[rows], table.counts[rows])

    def id(self, row: int) -> str:
        """The id of a crystal."""
        return KnownEntry(self.library.table, row).id

    def formula(self, row: int) -> Counts:
        """The reduced formula of a crystal."""
        return Formula.of(KnownEntry(self.library.table, row).composition)

    def structure(self, row: int) -> Structure:
        """The primitive cell of a crystal."""
        return KnownEntry(self.library.table, row).structure

    def units(self, row: int) -> int:
        """Number of formula units in the primitive cell of a crystal."""
        table = self.library.table
        return int(table.num_atoms[row]) // int(table.reduced[row].sum())

    def prototype(self, row: int) -> Prototype:
        """The structure type of a crystal."""
        return _prototype(self.library.table, row)

    @property
    def atomic_volumes(self) -> NDArray[np.float64]:
        """Volume of an atom by atomic number (119,), see `retrieval.volumes.atomic_volumes`."""
        return atomic_volumes(self.library)


class JoinedTemplates:
    """Two sources of templates as one, of which the crystals of the first come first among equally good ones. Even
    rows are of the first, odd ones of the second."""

    def __init__(self, first: Templates, second: Templates) -> None:
        self._parts = first, second
        self.name = f"{first.name} and {second.name}"

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def with_library(self, library: Library) -> JoinedTemplates:
        """The same with other known crystals."""
        return JoinedTemplates(*(part.with_library(library) for part in self._parts))

    def of_ratio(self, ratio: Ratio) -> NDArray[np.int64]:
        """Rows of a ratio."""
        return np.concatenate([2 * part.of_ratio(ratio) + i for i, part in enumerate(self._parts)])

    def profiles(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Profiles of the formulas (n, 102), see `chem.distance.cumulative_profiles`."""
        out = np.empty((len(rows), len(MODIFIED_PETTIFOR) - 1))
        for i, part in enumerate(self._parts):
            out[rows % 2 == i] = part.profiles(rows[rows % 2 == i] // 2)
        return out

    def id(self, row: int) -> str:
        """The id of a crystal."""
        return self._parts[row % 2].id(row // 2)

    def formula(self, row: int) -> Counts:
        """The reduced formula of a crystal."""
        return self._parts[row % 2].formula(row // 2)

    def structure(self, row: int) -> Structure:
        """The structure of a crystal."""
        return self._parts[row % 2].structure(row // 2)

    def units(self, row: int) -> int:
        """Number of formula units in the cell of a crystal."""
        return self._parts[row % 2].units(row // 2)

    def prototype(self, row: int) -> Prototype:
        """The structure type of a crystal."""
        return self._parts[row % 2].prototype(row // 2)

    @property
    def atomic_volumes(self) -> NDArray[np.float64]:
        """Those of the first source, and of the second for elements that only it has."""
        first, second = (part.atomic_volumes for part in self._parts)
        return np.where(np.isnan(first), second, first)


@lru_cache(maxsize=50_000)
def _prototype(table: LibraryTable, row: int) -> Prototype:
    """As `crystal.prototype.prototype_of`, of which the library knows most."""
    from nucleate.crystal.prototype import Prototype, distances_of_arrays, prototype_of, site_symbol

    number = int(table.space_group[row])
    if number != table.near_space_group[row]:  # it is kept with less symmetry than it has
        return prototype_of(KnownEntry(table, row).structure)
    sites: dict[int, Counter[str]] = {}
    _, elements, places, _ = table.geometry(row)
    positions = get_space_group(number).positions
    for element, place in zip(elements, places, strict=True):
        symbol = site_symbol(positions[place].site_symmetry)
        sites.setdefault(element, Counter())[symbol] += positions[place].size
    lattice, frac, numbers = table.primitive(row)
    distances = distances_of_arrays(lattice, frac, numbers)
    return Prototype(
        number,
        len(numbers),
        {element: tuple(sorted(counted.items())) for element, counted in sites.items()},
        dict(zip(np.unique(numbers).tolist(), distances, strict=True)),
    )
