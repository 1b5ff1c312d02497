"""Places atoms on Wyckoff positions of a space group in a random cell, with PyXtal (Fredericks et al., Comput. Phys.
Commun. 261, 107810 (2021)). This is the only file that needs PyXtal.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.chem.elements import atomic_number
from nucleate.crystal import wyckoff
from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAME = 1e-3  # fractional coordinates; atoms of a primitive cell nearer to each other are images by centring


@dataclass(frozen=True, eq=False)
class Placed:
    """A primitive cell of n atoms: lattice (3, 3) rows in angstrom, frac_coords (n, 3), atomic_numbers (n,)."""

    lattice: NDArray[np.float64]
    frac_coords: NDArray[np.float64]
    atomic_numbers: NDArray[np.int64]


def expected_volume(composition: Mapping[str, int]) -> float:
    """The volume of a cell that is expected from the radii of its atoms, cubic angstrom.

    Each atom counts with the mean of the spheres of its covalent and its van der Waals radius, as in PyXtal, with the
    radii that PyXtal has (Cordero 2008; Bondi 1964 and later ones). Volumes of 1,500 crystals of MP-20, divided by this
    one, have the median 0.89, and nine of ten lie between 0.58 and 1.45. Raises NucleateError for an element without
    radii.
    """
    return math.fsum(n * _sphere(symbol) for symbol, n in composition.items())


def place_atoms(
    composition: Mapping[str, int], number: int, volume: float, apart: float, rng: np.random.Generator
) -> Placed | None:
    """A random cell with atoms on random Wyckoff positions; None if PyXtal finds none in its attempts (40 cells with 10
    arrangements each).

    composition: of the primitive cell. number: of the space group. volume: of the primitive cell, cubic angstrom.
    apart: the smallest distance of atoms divided by the sum of their covalent radii; an atom that is closer to its
    images is moved onto a more special position.
    """
    from pyxtal.crystal import random_crystal
    from pyxtal.lattice import Lattice

    group = _group(number)
    symbols = list(composition)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            cell = Lattice(group.lattice_type, volume * group.cellsize(), random_state=rng)
            found = random_crystal(
                3,
                group,
                symbols,
                [composition[s] for s in symbols],
                conventional=False,
                lattice=cell,
                tm=_distances(apart),
                random_state=rng,
            )
        except (ValueError, RuntimeError):  # no cell of that shape, or none with the volume
            return None
    if not found.valid:
        return None
    return _primitive(found, number, sum(composition.values()))


def _primitive(found: Any, number: int, num_atoms: int) -> Placed:
    """The primitive cell of PyXtal's conventional cell."""
    primitive = wyckoff.get_space_group(number).primitive
    frac: list[NDArray[np.float64]] = []
    numbers: list[int] = []
    for site in found.atom_sites:
        first = len(frac)
        for x in (np.asarray(site.coords) @ np.linalg.inv(primitive)) % 1.0:
            gaps = np.array(frac[first:]).reshape(-1, 3) - x
            if not (np.abs(gaps - gaps.round()).max(1, initial=0) < _SAME).any():
                frac.append(x)
                numbers.append(atomic_number(site.specie))
    if len(frac) != num_atoms:
        raise RuntimeError(f"{len(frac)} atoms of {num_atoms} in the primitive cell of space group {number}")
    return Placed(primitive @ found.lattice.matrix, np.array(frac), np.array(numbers))


@cache
def _group(number: int) -> Any:
    from pyxtal.symmetry import Group

    return Group(number)


@lru_cache(maxsize=8)
def _distances(apart: float) -> Any:
    from pyxtal.tolerance import Tol_matrix

    return Tol_matrix(prototype="atomic", factor=2 * apart)  # PyXtal's factor is relative to half the sum of the radii


@cache
def _sphere(symbol: str) -> float:
    from pyxtal.database.element import Element

    radii = [(e[6], e[7]) for e in Element("H").elements_list if e[0] == atomic_number(symbol)]
    if not radii or None in radii[0]:
        raise NucleateError(f"{symbol} has no radius, by which random structures are made")
    return 4 / 3 * math.pi * float(np.mean([r**3 for r in radii[0]]))
