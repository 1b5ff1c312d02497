"""The frame of training crystals, that is, the choice of cell, origin and order of atoms: `data.frame` of a recipe.

"reduced" is the Niggli cell, with the origin and order of the table. "canonical" is the primitive cell of the canonical
form (`crystal.canonical`): its origin is that of the space group, atoms on special positions have exact fractions, and
the atoms of the most electropositive elements come first. "canonical-reduced" has the same origin and order in the
Niggli cell, where fractions of special positions are exact too, but depend on the shape of the cell; primitive cells of
centred lattices, which may have angles near 20 or 160 degrees, become compact in it. The last two are meant for models
that see absolute positions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from nucleate.crystal import lattice as lat
from nucleate.crystal.batch import CrystalBatch
from nucleate.crystal.canonical import canonical_of_arrays, wrapped
from nucleate.crystal.convert import SMALLEST_VOLUME, niggli_reduced, polar_factor
from nucleate.data.rows import Rows
from nucleate.errors import NucleateError

FrameName = Literal["reduced", "canonical", "canonical-reduced"]
VERSIONS = {
    "reduced": "1",
    "canonical": "canonical-1",
    "canonical-reduced": "canonical-reduced-1",
}  # of the preparation; change one if the same table would give other tensors
WORDS = {  # names of the work for reports of progress
    "reduced": "reducing cells",
    "canonical": "finding symmetry",
    "canonical-reduced": "finding symmetry",
}


@dataclass(frozen=True)
class _Written:
    """One crystal in its frame. without_symmetry: whether it is in P1 because no consistent symmetry was found."""

    cell: NDArray[np.float64]
    frac: NDArray[np.float64]
    numbers: NDArray[np.int64]
    without_symmetry: bool = False


def written_in(
    frame: FrameName, rows: Rows, progress: Callable[[int, int], None] | None
) -> tuple[CrystalBatch, Rows, tuple[str, ...]]:
    """The crystals of rows in a frame, with lattices without orientation (`crystal.convert.polar_factor`); the rows
    that they come from; and notes.

    Rows whose cell has no volume or cannot be reduced are left out and counted. The notes say how many crystals got a
    smaller cell, and for how many no symmetry was found. progress(done, total) is called now and then.
    """
    cells = lat.from_lengths_angles(torch.from_numpy(rows.parameters)).numpy()
    starts = np.concatenate([[0], np.cumsum(rows.sizes)])
    write = {"reduced": _reduced, "canonical": _canonical, "canonical-reduced": _canonical_reduced}[frame]
    done: list[_Written] = []
    good = np.zeros(len(cells), dtype=bool)
    for i, cell in enumerate(cells):
        if progress is not None and i % 100 == 0:
            progress(i, len(cells))
        own = slice(starts[i], starts[i + 1])
        if not abs(np.linalg.det(cell)) >= SMALLEST_VOLUME:
            continue
        try:
            done.append(write(cell, rows.frac[own], rows.numbers[own]))
        except NucleateError:
            continue
        good[i] = True
    if progress is not None:
        progress(len(cells), len(cells))
    left_out = dict(rows.left_out)
    if not good.all():
        left_out["with a cell that has no volume or cannot be reduced"] = int((~good).sum())
    if not done:
        none = Rows(
            rows.index[good], rows.sizes[good], rows.numbers[:0], rows.frac[:0], rows.parameters[good], left_out
        )
        return CrystalBatch.from_arrays([], [], []), none, ()
    sizes = np.array([len(w.numbers) for w in done])
    numbers, frac = np.concatenate([w.numbers for w in done]), np.concatenate([w.frac for w in done])
    notes = []
    if smaller := int((sizes < rows.sizes[good]).sum()):
        notes.append(f"{smaller:,} crystals of the table became smaller, primitive cells")
    if lost := sum(w.without_symmetry for w in done):
        notes.append(f"{lost:,} crystals of the table are in P1, for no consistent symmetry was found")
    kept = Rows(rows.index[good], sizes, numbers, frac, rows.parameters[good], left_out)
    return _pad(polar_factor(np.stack([w.cell for w in done])), kept), kept, tuple(notes)


def _reduced(cell: NDArray[np.float64], frac: NDArray[np.float64], numbers: NDArray[np.int64]) -> _Written:
    return _Written(*niggli_reduced(cell, frac), numbers)


def _canonical(cell: NDArray[np.float64], frac: NDArray[np.float64], numbers: NDArray[np.int64]) -> _Written:
    found = canonical_of_arrays(cell, frac, numbers)
    return _Written(*found.primitive(), bool(found.reason))


def _canonical_reduced(cell: NDArray[np.float64], frac: NDArray[np.float64], numbers: NDArray[np.int64]) -> _Written:
    canonical = _canonical(cell, frac, numbers)
    reduced, moved = niggli_reduced(canonical.cell, canonical.frac)
    return replace(canonical, cell=reduced, frac=wrapped(moved))


def _pad(cells: NDArray[np.float64], rows: Rows) -> CrystalBatch:
    """All crystals as one padded batch."""
    width = int(rows.sizes.max())
    mask = np.arange(width) < rows.sizes[:, None]
    coordinates = np.zeros((len(cells), width, 3), dtype=np.float32)
    numbers = np.zeros((len(cells), width), dtype=np.int64)
    coordinates[mask] = rows.frac
    numbers[mask] = rows.numbers
    coordinates[coordinates >= 1] = 0  # float32 rounds some coordinates up to 1
    return CrystalBatch(torch.from_numpy(cells).float(), torch.from_numpy(coordinates), torch.from_numpy(numbers))
