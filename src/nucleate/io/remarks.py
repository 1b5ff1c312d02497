"""Remarks on unusual densities and distances of a crystal that was read. They may come from a wrong scale, unit or
coordinate.

The limits are beyond the values of known crystals (148,393 of the Materials Project). In 98 of 100 of these, spheres of
the covalent radii fill 0.06 to 1.04 of the cell, and at most 1.80 of it (plutonium). In 998 of 1,000 the shortest
contact is 0.61 to 1.39 times the sum of the two radii.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

SAME_PLACE = 0.1  # angstrom; two atoms closer than this are in the same place within the rounding of two digits
FULLEST, EMPTIEST = 2.2, 0.02  # limits of the fraction of the cell that spheres of the covalent radii fill
# Limits of distances in units of the sum of covalent radii: of the shortest contact, and of the nearest atom of any
# atom
TIGHTEST, LOOSEST, LONELY = 0.6, 1.4, 2.2
NOBLE = (2, 10, 18, 36, 54, 86)  # noble gases, whose atoms are far from each other
OUTSIDE = 1.5  # fractional coordinates up to this are usual
MANY = 200  # for more atoms than this, a table of all pairs would be too large
IMAGES = np.array(list(itertools.product((-1, 0, 1), repeat=3)))


def far_outside(frac: NDArray[np.float64]) -> list[str]:
    """A remark if coordinates (n, 3) that a file gives as fractions of the cell are so large that they may be in
    angstrom."""
    largest = float(np.abs(frac).max(initial=0))
    return [f"coordinates that should be fractions of the cell reach {largest:.3g}"] if largest > OUTSIDE else []


def remarks_on(structure: Structure) -> list[str]:
    """Remarks on a density that no crystal has, and on atoms that are too close to each other or too far apart.

    Raises NucleateError, which names both, if two atoms are in the same place.
    """
    from nucleate.crystal.geometry import element_radii, mass_density

    numbers = np.array(structure.atomic_numbers)
    radii = element_radii()[numbers]
    filled = float(4 / 3 * np.pi * (np.maximum(radii, 0.6) ** 3).sum() / structure.volume)  # bare hydrogen is no sphere
    out = []
    if filled > FULLEST:
        out.append(
            f"denser than any known crystal ({mass_density(structure):.3g} g/cm3); look at the cell and its unit"
        )
    elif filled < EMPTIEST:
        out.append(f"hardly anything of the cell is filled ({mass_density(structure):.2g} g/cm3)")
    nearest, to = _nearest(structure, radii)

    def who(i: int) -> str:
        return f"{i + 1} ({structure[i].specie.symbol})"

    ratio = nearest / (radii + radii[to])
    i = int(nearest.argmin())
    if nearest[i] < SAME_PLACE and to[i] != i:
        raise NucleateError(f"atoms {who(i)} and {who(to[i])} are at the same place ({nearest[i]:.2f} angstrom apart)")
    i = int(ratio.argmin())
    pair = f"{who(i)} and {who(to[i])}" if to[i] != i else f"{who(i)} and its image"
    far = ratio > LOOSEST
    if ratio[i] < TIGHTEST:
        out.append(f"atoms {pair} are {nearest[i]:.2f} angstrom apart, closer than any bond of theirs")
    elif far.any() and not (noble := np.isin(numbers, NOBLE)).all():
        lonely = np.flatnonzero((ratio > LONELY) & ~noble)
        shown = ", ".join(f"{who(j)}, {nearest[j]:.2f} angstrom" for j in lonely[:3])
        if far[i]:
            out.append(f"no two atoms are as near as a bond is long: {pair} are {nearest[i]:.2f} angstrom apart")
        elif len(lonely):
            out.append(f"further from any other atom than a bond is long: {shown}{', ...' if len(lonely) > 3 else ''}")
    return out


def _nearest(structure: Structure, radii: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For each atom the distance (angstrom) and the index of the nearest atom in units of covalent radii; its own
    images count as well."""
    cell, frac = np.array(structure.lattice.matrix), np.array(structure.frac_coords)
    if _skewed(cell):
        reduced = np.array(structure.lattice.get_lll_reduced_lattice().matrix)
        cell, frac = reduced, frac @ (cell @ np.linalg.inv(reduced))
    if len(frac) > MANY:
        return _nearest_of_many(cell, frac % 1.0, radii)
    apart = frac[:, None] - frac[None]
    apart -= apart.round()
    metric = cell @ cell.T
    squares = ((apart @ metric) * apart).sum(-1)[..., None] + 2 * (apart @ metric) @ IMAGES.T
    squares += ((IMAGES @ metric) * IMAGES).sum(-1)
    squares[np.arange(len(frac)), np.arange(len(frac)), len(IMAGES) // 2] = np.inf
    distances = np.sqrt(np.maximum(squares.min(-1), 0))
    to = (distances / (radii[:, None] + radii[None])).argmin(1)
    return distances[np.arange(len(frac)), to], to


def _skewed(cell: NDArray[np.float64]) -> bool:
    """Whether a cell vector becomes shorter if another one is added. In such a cell the nearest image of an atom may be
    more than one cell away."""
    metric = np.abs(cell @ cell.T)
    return any(metric[i, j] > 0.51 * min(metric[i, i], metric[j, j]) for i, j in ((0, 1), (0, 2), (1, 2)))


def _nearest_of_many(
    cell: NDArray[np.float64], frac: NDArray[np.float64], radii: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """As `_nearest`, with a search tree of all atoms and of their images around the cell."""
    from scipy.spatial import cKDTree

    images = (frac[None] + IMAGES[:, None]).reshape(-1, 3) @ cell
    owner = np.tile(np.arange(len(frac)), len(IMAGES))
    distances, found = cKDTree(images).query(frac @ cell, k=9)  # the first one is mostly the atom itself
    ratios = distances / (radii[:, None] + radii[owner[found]])
    centre = len(IMAGES) // 2 * len(frac) + np.arange(len(frac))
    ratios[found == centre[:, None]] = np.inf
    best = ratios.argmin(1)
    rows = np.arange(len(frac))
    return distances[rows, best], owner[found[rows, best]]
