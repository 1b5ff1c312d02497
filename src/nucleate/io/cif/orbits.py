"""Rows of a CIF and the symmetry of a reading make the atoms of the cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import NucleateError
from nucleate.io.cif.sites import SiteRow
from nucleate.io.remarks import SAME_PLACE

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Atoms:
    """All atoms of the cell: fractional coordinates (n, 3), and the row (n,) that each comes from, in order."""

    positions: NDArray[np.float64]
    rows: NDArray[np.int64]
    remarks: tuple[str, ...] = ()

    def sizes(self, count: int) -> NDArray[np.int64]:
        """Atoms that each of the `count` rows makes, (count,)."""
        return np.bincount(self.rows, minlength=count)


def expand(rows: list[SiteRow], rotations: NDArray, translations: NDArray, lattice: NDArray) -> Atoms:
    """The orbit of every row, its own atom first and where the file has it (special positions made exact).

    A row that repeats an atom of a former row's orbit is merged with it, with a remark. Raises NucleateError where
    images come so near to each other that they are neither one atom nor two, and where rows of different elements
    share a place.
    """
    positions, owners = [], []
    for i, row in enumerate(rows):
        orbit = _orbit(row, rotations, translations, lattice)
        positions.append(orbit)
        owners.append(np.full(len(orbit), i))
    atoms = Atoms(np.concatenate(positions), np.concatenate(owners).astype(np.int64))
    return _without_repeats(rows, atoms, lattice)


def _orbit(row: SiteRow, rotations: NDArray, translations: NDArray, lattice: NDArray) -> NDArray[np.float64]:
    x = np.array(row.position)
    if len(rotations) == 1:
        return x[None]
    images = rotations @ x + translations
    # Images that fall on the atom itself belong to its special position: their mean lies on it exactly.
    on_it = _near(images - x, lattice)
    x = (images[on_it] - np.round(images[on_it] - x)).mean(0)
    images = rotations @ x + translations
    kept: list[NDArray] = [x]
    for image in images[~_near(images - x, lattice)]:
        if not _near(np.array(kept) - image, lattice).any():
            kept.append(image % 1.0)
    if len(kept) * int(on_it.sum()) != len(rotations):
        raise NucleateError(
            f"{row.name}: its images come closer to each other than {SAME_PLACE} angstrom without being on one special "
            "position; the coordinates or the space group are wrong"
        )
    return np.array(kept)


def _near(difference: NDArray, lattice: NDArray) -> NDArray[np.bool_]:
    """Which differences of fractional coordinates (n, 3) are nearer to a lattice point than `SAME_PLACE`."""
    return np.linalg.norm((difference - np.round(difference)) @ lattice, axis=-1) < SAME_PLACE


def _without_repeats(rows: list[SiteRow], atoms: Atoms, lattice: NDArray) -> Atoms:
    from scipy.spatial import cKDTree

    # a sphere of SAME_PLACE around an atom lies within this distance in every fractional coordinate
    heights = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    reach = min(SAME_PLACE / heights.min(), 0.49)
    wrapped = atoms.positions % 1.0 % 1.0
    pairs = cKDTree(wrapped, boxsize=1.0).query_pairs(reach, p=np.inf, output_type="ndarray")
    pairs = pairs[_near(wrapped[pairs[:, 0]] - wrapped[pairs[:, 1]], lattice)] if len(pairs) else pairs
    repeated: set[int] = set()
    met: dict[tuple[int, int], None] = {}
    for i, j in sorted((min(p), max(p)) for p in pairs.tolist()):
        first, second = rows[atoms.rows[i]], rows[atoms.rows[j]]
        if not set(first.elements) & set(second.elements):
            raise NucleateError(f"{first.name} and {second.name} lie on one place; the site is disordered or wrong")
        met[int(atoms.rows[i]), int(atoms.rows[j])] = None
        repeated.add(j)
    if not repeated:
        return atoms
    left = np.array([k not in repeated for k in range(len(atoms.rows))])
    for a, b in met:
        if left[atoms.rows == b].any():
            raise NucleateError(f"{rows[b].name} repeats a part of the atoms of {rows[a].name}; one of them is wrong")
    a, b = next(iter(met))
    more = f" (and {len(met) - 1} more such rows)" if len(met) > 1 else ""
    remark = f"{rows[b].name} repeats an atom of {rows[a].name}{more}; it is counted once"
    first = np.unique(atoms.rows, return_index=True)[1]
    if left.sum() == len(rows):  # the file lists all atoms beside its symmetry: they stay in its order
        return Atoms(atoms.positions[first], np.arange(len(rows)), (remark,))
    return Atoms(atoms.positions[left], atoms.rows[left], (remark,))
