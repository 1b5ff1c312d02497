"""Where known crystals have their atoms: space groups and Wyckoff positions that new ones may take over.

What elements a crystal has says more of its symmetry than any statistics of positions: compounds of like elements in
like numbers are often isotypic. So known crystals of a composition's ratio speak for their groups and positions, the
louder the nearer they are, as templates do in CSPML (Kusaba et al., Comput. Mater. Sci. 211, 111496 (2022)); their
coordinates and cells are not looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.distance import distances, on_scale, profiles
from nucleate.crystal.assignments import Assignment
from nucleate.crystal.orbits import site_sizes
from nucleate.crystal.wyckoff import group
from nucleate.errors import NucleateError
from nucleate.generators.substitute import assign

if TYPE_CHECKING:
    from numpy.typing import NDArray

REACH = 0.7  # steps on the modified Pettifor scale, over which the voice of a known crystal falls by e
FAINTEST = 1e-3  # of the loudest voice; fainter ones are not heard
SHIPPED = Path(__file__).parent.parent / "reference" / "precedents.parquet"
Occupied = tuple[int, Assignment]  # a space group, and (element, Wyckoff letter) of each site
Cell = tuple[tuple[str, int], ...]  # the atoms of a primitive cell, sorted by symbol


@dataclass(frozen=True, eq=False)
class Precedents:
    """Known crystals, by the numbers of atoms in their primitive cells, sorted."""

    by_numbers: Mapping[tuple[int, ...], list[tuple[Cell, Occupied]]]
    _profiles: dict[tuple[int, ...], NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def of(cls, crystals: Iterable[Occupied]) -> Precedents:
        """From space groups with the sites of crystals."""
        found: dict[tuple[int, ...], list[tuple[Cell, Occupied]]] = {}
        for number, sites in crystals:
            table, sizes = group(number), site_sizes(number)
            atoms = Counter[str]()
            for element, letter in sites:
                atoms[element] += sizes[table.index(letter)]
            key = tuple(sorted(atoms.values()))
            found.setdefault(key, []).append((tuple(sorted(atoms.items())), (number, tuple(sites))))
        return cls(found)

    def __len__(self) -> int:
        return sum(map(len, self.by_numbers.values()))

    def of_composition(self, composition: Mapping[str, int], reach: float = REACH) -> dict[Occupied, float]:
        """Groups and sites that known crystals propose for the atoms of a primitive cell, with the sum of their voices
        exp(-d / reach), d the element mover's distance; empty where none has such numbers of atoms.

        Elements take the places of those that are most alike (`substitute.assign`)."""
        key = tuple(sorted(composition.values()))
        known = self.by_numbers.get(key, [])
        if not known or not on_scale(composition):
            return {}
        if key not in self._profiles:
            self._profiles[key] = profiles([dict(cell) for cell, _ in known])
        voices = np.exp(-distances(profiles([composition]), self._profiles[key])[0] / reach)
        voices = np.nan_to_num(voices)
        out: dict[Occupied, float] = {}
        own = tuple(sorted(composition.items()))
        for row in np.flatnonzero(voices >= FAINTEST * voices.max()):
            cell, (number, sites) = known[row]
            role = assign(cell, own)
            here = number, tuple(sorted((role[element], letter) for element, letter in sites))
            out[here] = out.get(here, 0.0) + float(voices[row])
        return out


@cache
def shipped_precedents() -> Precedents:
    """Those of the training split of MP-20 (`scripts/build_precedents.py`)."""
    import pyarrow.parquet as pq

    table = pq.read_table(SHIPPED)
    rows = zip(table.column("space_group").to_pylist(), table.column("sites").to_pylist(), strict=True)
    return Precedents.of((number, read_sites(text)) for number, text in rows)


def write_sites(sites: Assignment) -> str:
    """(("O", "c"), ("Sr", "a"), ("Ti", "b")) -> "O c, Sr a, Ti b"."""
    return ", ".join(f"{element} {letter}" for element, letter in sites)


def read_sites(text: str) -> Assignment:
    """The inverse of `write_sites`."""
    parts = [part.split() for part in text.split(", ")]
    if any(len(part) != 2 for part in parts):
        raise NucleateError(f'sites are written as "O c, Sr a, Ti b", not "{text}"')
    return tuple((element, letter) for element, letter in parts)
