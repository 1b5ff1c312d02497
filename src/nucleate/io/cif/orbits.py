"""The atoms of the cell, from the rows of a CIF and the symmetry operations of a reading."""

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
        """The number of atoms that each of the `count` rows gives, (count,)."""
        return np.bincount(self.rows, minlength=count)


def expand(rows: list[SiteRow], rotations: NDArray, translations: NDArray, lattice: NDArray) -> Atoms:
    """The orbit of every row. The atom of the row itself comes first, where the file has it; an atom near a special
    position is moved onto it.

    rotations (n, 3, 3) and translations (n, 3) act on columns of fractional coordinates; lattice (3, 3) has its vectors
    in rows, in angstrom. A row that repeats an atom of an earlier row is counted once, with a remark. Raises
    NucleateError if images come so near to each other that they are neither one atom nor two, and if rows of different
    elements are at the same place.
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
    # Images that coincide with the atom show that it is on a special position. Their mean lies exactly on it.
    on_it = _near(images - x, lattice)
    x = (images[on_it] - np.round(images[on_it] - x)).mean(0)
    images = rotations @ x + translations
    kept: list[NDArray] = [x]
    for image in images[~_near(images - x, lattice)]:
        if not _near(np.array(kept) - image, lattice).any():
            kept.append(image % 1.0)
    if len(kept) * int(on_it.sum()) != len(rotations):
        raise NucleateError(
            f"{row.name}: its symmetry images come closer to each other than {SAME_PLACE} angstrom, but it is not on a "
            "special position; the coordinates or the space group are wrong"
        )
    return np.array(kept)


def _near(difference: NDArray, lattice: NDArray) -> NDArray[np.bool_]:
    """Which differences of fractional coordinates (n, 3) are nearer to a lattice point than `SAME_PLACE`, (n,)."""
    return np.linalg.norm((difference - np.round(difference)) @ lattice, axis=-1) < SAME_PLACE


def _without_repeats(rows: list[SiteRow], atoms: Atoms, lattice: NDArray) -> Atoms:
    from scipy.spatial import cKDTree

    # no fractional coordinate differs by more than this within a sphere of radius SAME_PLACE
    heights = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    reach = min(SAME_PLACE / heights.min(), 0.49)
    wrapped = atoms.positions % 1.0 % 1.0
    pairs = cKDTree(wrapped, boxsize=1.0).query_pairs(reach, p=np.inf, output_type="ndarray")
    pairs = pairs[_near(wrapped[pairs[:, 0]] - wrapped[pairs[:, 1]], lattice)] if len(pairs) else pairs
    repeated: set[int] = set()
    row_pairs: dict[tuple[int, int], None] = {}
    for i, j in sorted((min(p), max(p)) for p in pairs.tolist()):
        first, second = rows[atoms.rows[i]], rows[atoms.rows[j]]
        if not set(first.elements) & set(second.elements):
            raise NucleateError(
                f"{first.name} and {second.name} are at the same place; the site is disordered or wrong"
            )
        row_pairs[int(atoms.rows[i]), int(atoms.rows[j])] = None
        repeated.add(j)
    if not repeated:
        return atoms
    left = np.array([k not in repeated for k in range(len(atoms.rows))])
    for a, b in row_pairs:
        if left[atoms.rows == b].any():
            raise NucleateError(f"{rows[b].name} repeats a part of the atoms of {rows[a].name}; one of them is wrong")
    a, b = next(iter(row_pairs))
    more = f" (and {len(row_pairs) - 1} more such rows)" if len(row_pairs) > 1 else ""
    remark = f"{rows[b].name} repeats an atom of {rows[a].name}{more}; it is counted once"
    first = np.unique(atoms.rows, return_index=True)[1]
    if left.sum() == len(rows):  # the file lists all atoms although it has symmetry: keep its order
        return Atoms(atoms.positions[first], np.arange(len(rows)), (remark,))
    return Atoms(atoms.positions[left], atoms.rows[left], (remark,))
