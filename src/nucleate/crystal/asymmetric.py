"""Space group, Wyckoff positions and free parameters of a crystal, found by moyopy. This is the inverse of `orbits`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.convert import require_crystal, species_numbers
from nucleate.crystal.orbits import SymmetricBatch, pad_sites
from nucleate.crystal.symmetry import find_symmetry
from nucleate.crystal.wyckoff import GROUP_NUMBERS, SpaceGroup, WyckoffPosition, get_space_group, smoothed_frequencies
from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

SYMPREC = 0.1  # angstrom
_EXACT = 1e-3  # angstrom; moyopy moves atoms onto their positions, so that only rounding errors remain
_STEPS = np.array(sorted(product(range(-2, 3), repeat=3), key=lambda v: sum(map(abs, v))))


@dataclass(frozen=True)
class Site:
    """A set of equivalent atoms of one element, by Wyckoff letter and free parameters, each in [0, 1)."""

    atomic_number: int
    letter: str
    parameters: tuple[float, ...]


@dataclass(frozen=True)
class AsymmetricUnit:
    """A crystal as space group (1 to 230), conventional cell and sites.

    cell: a, b, c in angstrom and alpha, beta, gamma in degrees, of the conventional cell.
    """

    space_group: int
    cell: tuple[float, ...]
    sites: tuple[Site, ...]

    @property
    def num_atoms(self) -> int:
        """The number of atoms in the primitive cell."""
        table = get_space_group(self.space_group)
        return sum(table.positions[table.index(s.letter)].size for s in self.sites)


def asymmetric_unit(structure: Structure, symprec: float = SYMPREC) -> AsymmetricUnit:
    """Space group, standard conventional cell and sites (sorted by letter) of a crystal; symprec in angstrom.

    Atoms are moved onto their ideal positions, by about symprec at most; a cell that repeats a smaller one within
    symprec becomes the smaller one. If several origins are equivalent, the letters depend on the one that moyopy
    chooses. For all 9,047 crystals of MP-20's validation split `orbits` gives back the same structure (by
    StructureMatcher) and space group. Raises NucleateError if no consistent symmetry is found.
    """
    require_crystal(structure)
    numbers = species_numbers(structure)
    try:
        found = find_symmetry(structure.lattice.matrix, structure.frac_coords, numbers, symprec)
    except ValueError as error:
        raise NucleateError(f"no consistent symmetry within {symprec} angstrom ({error})") from None
    table, conventional, orbits = standard_orbits(found, numbers, symprec)
    basis = table.primitive @ conventional
    sites = []
    for number, position, atoms in orbits:
        parameters, away = _parameters(position, atoms, basis)
        if away > _EXACT:
            raise NucleateError(f"an atom is {away:.3f} angstrom off position {position.label} of {table.symbol}")
        sites.append(Site(number, position.letter, parameters))
    sites.sort(key=lambda s: (s.letter, s.atomic_number, s.parameters))
    return AsymmetricUnit(table.number, cell_of(conventional), tuple(sites))


def standard_orbits(
    found: Any, numbers: NDArray[np.int64], symprec: float
) -> tuple[SpaceGroup, NDArray, list[tuple[int, WyckoffPosition, NDArray]]]:
    """moyopy's standard setting: the group, the conventional cell (3, 3) in angstrom, and for each set of equivalent
    atoms their element, their Wyckoff position and their fractional coordinates (m, 3) in the primitive cell.

    found: the result of `find_symmetry` within symprec (angstrom). numbers (n,): the atomic numbers given to it. Raises
    NucleateError if the number of atoms of a set is not that of its position.
    """
    table = get_space_group(found.number)
    conventional = np.array(found.std_cell.basis)
    basis = table.primitive @ conventional
    frac = np.array(found.prim_std_cell.positions) @ np.array(found.prim_std_cell.basis) @ np.linalg.inv(basis)
    atoms: dict[int, list[int]] = {}  # the first given atom of each orbit -> its atoms in the primitive cell
    for orbit, primitive in zip(found.orbits, found.mapping_std_prim, strict=True):
        atoms.setdefault(orbit, []).append(primitive)
    out = []
    for first, members in atoms.items():
        position = table.positions[table.index(found.wyckoffs[first])]
        members = sorted(set(members))
        if len(members) != position.size:
            raise NucleateError(
                f"{len(members)} equivalent atoms on position {position.label} of {table.symbol}, which has "
                f"{position.size} in the primitive cell; the symmetry found within {symprec} angstrom is not consistent"
            )
        out.append((int(numbers[first]), position, frac[members]))
    return table, conventional, out


def symmetric_batch(units: Sequence[AsymmetricUnit]) -> SymmetricBatch:
    """Asymmetric units as one padded batch. Raises NucleateError for a space group or letter that does not exist."""
    return pad_sites(
        [u.space_group for u in units],
        [u.cell for u in units],
        [[get_space_group(u.space_group).index(s.letter) for s in u.sites] for u in units],
        [[s.parameters + (0.0,) * (3 - len(s.parameters)) for s in u.sites] for u in units],
        [[s.atomic_number for s in u.sites] for u in units],
    )


def asymmetric_units(batch: SymmetricBatch) -> list[AsymmetricUnit]:
    """The inverse of `symmetric_batch`."""
    out = []
    for number, cell, places, z, elements in zip(
        batch.space_group.tolist(),
        batch.cell.tolist(),
        batch.positions.tolist(),
        batch.parameters.tolist(),
        batch.atomic_numbers.tolist(),
        strict=True,
    ):
        positions = get_space_group(number).positions
        sites = (
            Site(e, positions[k].letter, tuple(v % 1.0 for v in p[: positions[k].free]))
            for e, k, p in zip(elements, places, z, strict=True)
            if e > 0
        )
        out.append(AsymmetricUnit(number, tuple(cell), tuple(sites)))
    return out


def site_frequencies(units: Iterable[AsymmetricUnit]) -> dict[int, dict[str, float]]:
    """Space group -> Wyckoff letter -> mean number of sites on it in a crystal of the group (`smoothed_frequencies`).

    All space groups and letters are included.
    """
    crystals, found = Counter[int](), Counter[tuple[int, str]]()
    for unit in units:
        crystals[unit.space_group] += 1
        found.update((unit.space_group, s.letter) for s in unit.sites)
    return {
        n: smoothed_frequencies(n, [found[n, p.letter] for p in get_space_group(n).positions], crystals[n])
        for n in GROUP_NUMBERS
    }


def _parameters(position: WyckoffPosition, frac: NDArray, basis: NDArray) -> tuple[tuple[float, ...], float]:
    """The parameters that bring the representative of a position closest to one of the atoms (n, 3), and its distance
    to that atom in angstrom. Of equally good parameters the lexicographically smallest are taken."""
    matrix, shift = position.matrices[0], position.shifts[0]
    targets = (((frac - shift) % 1.0)[:, None] + _STEPS).reshape(-1, 3)  # the atoms in this and in neighbouring cells
    z = targets @ np.linalg.pinv(matrix).T
    away = np.linalg.norm((z @ matrix.T - targets) @ basis, axis=1)
    z = z.round(9)[away < away.min() + _EXACT / 10] % 1.0
    best = z[np.lexsort(z.T[::-1])[0]] if position.free else z[0]
    return tuple(best.tolist()), float(away.min())


def cell_of(lattice: NDArray) -> tuple[float, ...]:
    """a, b, c (in the unit of the vectors) and alpha, beta, gamma (degrees) of a lattice (3, 3), vectors in rows."""
    lengths = np.linalg.norm(lattice, axis=1)
    cosines = [lattice[i] @ lattice[j] / lengths[i] / lengths[j] for i, j in ((1, 2), (0, 2), (0, 1))]
    return (*lengths.tolist(), *np.degrees(np.arccos(np.clip(cosines, -1, 1))).tolist())
