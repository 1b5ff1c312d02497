"""The arrangements of atoms on shared sites of a crystal: all that symmetry tells apart, the most symmetric ones first.

The index of an arrangement is the number of arrangements of its kind, in all cells, that the operations of the parent
turn into it. It is the index of its space group in that of the parent, before atoms move: 1 if no symmetry is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.colourings import all_colourings, count_colourings, distinct_colourings, random_colourings
from nucleate.crystal.orderings import (
    Parent,
    Supercell,
    distinct_superlattices,
    permutations_of,
    require_counts,
    supercell_of_matrix,
)
from nucleate.orderings.subgroups import symmetric_colourings

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 100_000  # colourings that are looked at one by one, in all supercells together
LEAST = 1_000  # of them in a supercell
DRAWN = 200  # of a cell of which not all are looked at


@dataclass(frozen=True, eq=False)
class Arrangements:
    """Distinct arrangements in one supercell with N sites.

    labels: (K, N), the index of the species of each site among those of its group, 0 for sites that are not shared.
    indices: (K,), of their space groups in that of the parent. complete: None if these are all; else the index up to
    which those that keep a group of two operations are complete, and `drawn` others are a random sample.
    """

    cell: Supercell
    labels: NDArray[np.uint8]
    indices: NDArray[np.int64]
    complete: int | None = None
    drawn: int = 0


@dataclass(frozen=True, eq=False)
class ArrangementSet:
    """The arrangements of a parent in all its supercells of one size. total: how many there are before symmetry tells
    which are the same. parts: by supercell. note: what is missing, "" if nothing is."""

    parent: Parent
    index: int
    total: int
    parts: tuple[Arrangements, ...]
    note: str = ""

    def __len__(self) -> int:
        return sum(len(part.labels) for part in self.parts)

    @property
    def is_complete(self) -> bool:
        """Whether every arrangement is there, up to symmetry."""
        return not self.note

    def ordered(self, energies: Sequence[NDArray[np.float64]] | None = None) -> list[tuple[int, int]]:
        """(part, arrangement) of all, small indices first; of equal ones those of low energy. energies: (K,) of each
        part."""
        parts = np.repeat(np.arange(len(self.parts)), [len(p.labels) for p in self.parts])
        places = np.concatenate([np.arange(len(p.labels)) for p in self.parts]) if self.parts else np.zeros(0, int)
        indices = np.concatenate([p.indices for p in self.parts]) if self.parts else np.zeros(0, int)
        energy = np.concatenate(list(energies)) if energies else np.zeros(len(parts))
        order = np.lexsort((places, parts, energy.round(6), indices))
        return list(zip(parts[order].tolist(), places[order].tolist(), strict=True))


def arrangements(
    parent: Parent,
    index: int,
    counts: Sequence[Sequence[int]],
    *,
    most: int = MOST,
    drawn: int = DRAWN,
    seed: int = 0,
    cells: int | None = None,
) -> ArrangementSet:
    """The distinct arrangements in supercells of `index` parent cells, without those that have a smaller cell.

    counts: for each group of shared sites the number of atoms of each species in the supercell. most: colourings that
    are enumerated one by one, in all supercells together; where there are more, those that keep large groups of
    operations are taken (`subgroups`), about as many, and `drawn` random others by `seed` of each supercell; `note`
    says so. cells: the most supercells that are used, those of the highest symmetry; `note` says how many are left out.
    Raises NucleateError if the counts do not fill the sites.
    """
    require_counts(parent, index, counts)
    ways = count_colourings(counts)
    lattices = sorted(distinct_superlattices(parent, index), key=lambda one: one[1])
    used = lattices[:cells]
    parts, left_out, most = [], len(lattices) - len(used), max(most // max(len(used), 1), LEAST)
    for place, (matrix, multiplicity) in enumerate(used):
        cell = supercell_of_matrix(parent, matrix, multiplicity)
        groups = parent.groups[cell.sites]
        shared = np.flatnonzero(groups >= 0)
        permutations, translations = permutations_of(cell, shared)
        complete, own = None, groups[shared]
        if ways <= most:
            labels = all_colourings(own, counts)
        else:
            symmetric, complete = symmetric_colourings(own, counts, permutations, most)
            random = random_colourings(own, counts, drawn, np.random.default_rng([seed, index, place]))
            labels = np.concatenate([symmetric, random])
        found = distinct_colourings(labels, permutations, translations)
        every = np.zeros((int(found.primitive.sum()), len(groups)), dtype=np.uint8)
        every[:, shared] = found.labels[found.primitive]
        indices = found.sizes[found.primitive] * multiplicity
        parts.append(Arrangements(cell, every, indices, complete, 0 if complete is None else drawn))
    note = _note(parts, left_out, ways, drawn)
    return ArrangementSet(parent, index, ways * sum(n for _, n in lattices), tuple(parts), note)


def _note(parts: Sequence[Arrangements], left_out: int, ways: int, drawn: int) -> str:
    said = []
    reached = [p.complete * p.cell.multiplicity for p in parts if p.complete is not None]
    if reached:
        said.append(
            f"each cell has {ways:,} arrangements, too many to look at all: taken are those that keep a group of two "
            f"operations, complete up to index {min(reached)}, and a random sample of {drawn} others"
        )
    if left_out:
        said.append(f"{left_out} supercells of low symmetry are left out")
    return "; ".join(said)
