"""The canonical form of a crystal: it is the same for equal crystals, whatever their cell, origin and order of atoms.

It is the standard setting of the International Tables in which the most electropositive elements have the first Wyckoff
letters. If there are several such settings, it is the one with the most compact cell, and among these the one with the
smallest coordinates (`crystal.settings`). Sites are sorted by element, letter and parameters. A crystal and its mirror
image have the same form. Along polar axes, where the origin is free, it is on an atom of the first site.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nucleate.chem.elements import SYMBOLS, WRITING_ORDER, element_symbol
from nucleate.crystal import lattice as lat
from nucleate.crystal.asymmetric import AsymmetricUnit, Site, cell_of, standard_orbits
from nucleate.crystal.convert import require_crystal, require_volume, right_handed, species_numbers
from nucleate.crystal.normalisers import normaliser
from nucleate.crystal.orbits import free_cell, tied_cell
from nucleate.crystal.prototype_label import prototype_label
from nucleate.crystal.settings import Orbit, chosen_setting, parameters_of
from nucleate.crystal.symmetry import find_symmetry, without_hand
from nucleate.crystal.wyckoff import get_space_group
from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from pymatgen.core import Structure

    Array = NDArray[np.float64]

SYMPRECS = (0.1, 0.03, 0.01, 0.001)  # angstrom, tried one after the other
MAX_DISPLACEMENT = 0.1  # angstrom: how far an atom may move when the symmetry is made exact
MAX_STRAIN = 0.02  # largest relative change of a length of the cell when the symmetry is made exact
MAX_SEARCHES = 4  # largest number of searches for symmetry, one after the other
_SNAP_TOLERANCE = 2e-5  # fractional: parameters closer to a multiple of 1/24 become this multiple
# By atomic number; the most electropositive elements have the lowest ranks.
_RANK_OF_ELEMENT = np.array([0, *(WRITING_ORDER[s] for s in SYMBOLS)])
_ELEMENT_OF_RANK = {WRITING_ORDER[s]: z for z, s in enumerate(SYMBOLS, 1)}


@dataclass(frozen=True)
class CanonicalCrystal:
    """A crystal by its space group, conventional cell and sites, in the canonical setting.

    unit: the whole crystal, with its sites in canonical order. symprec: the tolerance in angstrom within which the
    given crystal has the symmetry, 0 if none was found. moved: the largest displacement of an atom, in angstrom, that
    makes the symmetry exact. strain: the largest relative change of a length of the cell. reason: why no symmetry could
    be made exact, so that the crystal is in P1; "" for all other crystals.
    """

    unit: AsymmetricUnit
    symprec: float
    moved: float
    strain: float
    reason: str = ""

    @property
    def space_group(self) -> int:
        return self.unit.space_group

    @property
    def orbits(self) -> tuple[Site, ...]:
        """Element, Wyckoff letter and free parameters of each set of equivalent atoms."""
        return self.unit.sites

    @property
    def cell_parameters(self) -> tuple[float, ...]:
        """Those of a, b, c (angstrom) and alpha, beta, gamma (degrees) of the conventional cell that the space group
        leaves free."""
        free = free_cell(torch.tensor([self.space_group]))[0].tolist()
        return tuple(v for v, f in zip(self.unit.cell, free, strict=True) if f)

    @property
    def num_atoms(self) -> int:
        """The number of atoms in the primitive cell."""
        return self.unit.num_atoms

    @property
    def decorated_prototype(self) -> str:
        """The space group, and element and Wyckoff letter of each site: "221 Sr a Ti b O c".

        Crystals with the same decorated prototype differ only in their free parameters.
        """
        return " ".join(
            [str(self.space_group), *(f"{element_symbol(s.atomic_number)} {s.letter}" for s in self.orbits)]
        )

    @cached_property
    def anonymous_prototype(self) -> str:
        """Anonymous formula, Pearson symbol, space group and letters, as in AFLOW's labels: "ABC3_cP5_221_a_b_c".

        Elements are sorted by their number of atoms. The setting is the one with the first letters, independent of
        which elements they belong to: a structure type and its anti-type have the same label.
        """
        table = get_space_group(self.space_group)
        own: dict[int, list[int]] = {}
        for site in self.orbits:
            own.setdefault(site.atomic_number, []).append(table.index(site.letter))
        return _anonymous_label(self.space_group, tuple(sorted(tuple(sorted(v)) for v in own.values())))

    def primitive(self) -> tuple[Array, Array, NDArray[np.int64]]:
        """The primitive cell: lattice (3, 3), vectors in rows, in angstrom; fractional coordinates (n, 3) in [0, 1);
        atomic numbers (n,).

        For each centring its vectors are a fixed combination of the conventional ones (`wyckoff.get_space_group`). They
        are not reduced further. Atoms of a site are next to each other, and sites are in canonical order.
        """
        table = get_space_group(self.space_group)
        frac, numbers = [], []
        for site in self.orbits:
            position = table.positions[table.index(site.letter)]
            frac.append(position.matrices @ np.array(site.parameters) + position.shifts)
            numbers += [site.atomic_number] * position.size
        return table.primitive @ _cell_vectors(self.unit.cell), wrapped(np.concatenate(frac)), np.array(numbers)

    def conventional(self) -> tuple[Array, Array, NDArray[np.int64]]:
        """As `primitive`, for the conventional cell. The copies of an atom by centring are next to each other."""
        table = get_space_group(self.space_group)
        _, frac, numbers = self.primitive()
        points = np.array(list(product(range(-2, 3), repeat=3))) @ table.primitive
        points = np.unique((wrapped(points) * 24).round(), axis=0) / 24
        every = (frac @ table.primitive)[:, None] + points
        return _cell_vectors(self.unit.cell), wrapped(every.reshape(-1, 3)), np.repeat(numbers, len(points))

    def structure(self, primitive: bool = True) -> Structure:
        """The crystal in its primitive cell, or in the conventional one."""
        from pymatgen.core import Lattice, Structure

        lattice, frac, numbers = self.primitive() if primitive else self.conventional()
        return Structure(Lattice(lattice), numbers.tolist(), frac)


def canonical_crystal(
    structure: Structure, symprecs: Sequence[float] = SYMPRECS, most_moved: float = MAX_DISPLACEMENT
) -> CanonicalCrystal:
    """The canonical form of an ordered crystal; see `canonical_of_arrays`. Raises NucleateError for a structure that is
    not an ordered crystal."""
    require_crystal(structure)
    numbers = species_numbers(structure)
    return canonical_of_arrays(structure.lattice.matrix, structure.frac_coords, numbers, symprecs, most_moved)


def canonical_of_arrays(
    lattice: ArrayLike,
    frac_coords: ArrayLike,
    numbers: ArrayLike,
    symprecs: Sequence[float] = SYMPRECS,
    most_moved: float = MAX_DISPLACEMENT,
) -> CanonicalCrystal:
    """The canonical form of a crystal.

    lattice (3, 3): vectors in rows, in angstrom. frac_coords (n, 3), numbers (n,): atomic numbers. symprecs: tolerances
    in angstrom. They are tried in turn, until the symmetry can be made exact without moving an atom by more than
    `most_moved` (angstrom) or straining the cell by more than MAX_STRAIN. A cell that repeats a smaller one within the
    tolerance becomes the smaller one. If no tolerance works, the result is in P1 and has the reason. Raises
    NucleateError for a cell without volume.
    """
    cell, frac = right_handed(np.asarray(lattice, dtype=float), np.asarray(frac_coords, dtype=float))
    atoms = np.asarray(numbers, dtype=np.int64)
    require_volume(cell)
    reason = ""
    for symprec in symprecs:
        try:
            return _canonical_within(cell, frac, atoms, symprec, most_moved)
        except (NucleateError, ValueError) as error:
            reason = f"within {symprec} angstrom: {error}"
    orbits = [Orbit(int(_RANK_OF_ELEMENT[z]), 0, tuple(x)) for z, x in zip(atoms, wrapped(frac).tolist(), strict=True)]
    return CanonicalCrystal(_canonical_unit(1, cell, orbits), 0.0, 0.0, 0.0, reason)


def wrapped(frac: Array) -> Array:
    """Coordinates in [0, 1). Those that are below a whole number only by rounding become 0."""
    out = frac % 1.0
    return np.where(out > 1.0 - 1e-9, 0.0, out)


def _canonical_within(
    cell: Array, frac: Array, numbers: NDArray[np.int64], symprec: float, most_moved: float
) -> CanonicalCrystal:
    """The canonical form within one tolerance. Raises NucleateError or ValueError, with the reason, if there is none.

    The crystal with exact symmetry may have more symmetry within the same tolerance, so the search is repeated until
    the space group stays the same.
    """
    found = _with_exact_symmetry(cell, frac, numbers, symprec)
    for _ in range(MAX_SEARCHES):
        if found.moved > most_moved or found.strain > MAX_STRAIN:
            raise NucleateError(
                f"exact symmetry would move an atom by {found.moved:.3f} angstrom and strain the cell by "
                f"{found.strain:.1%}"
            )
        primitive = found.primitive()
        if without_hand(find_symmetry(*primitive, symprec).number) == found.space_group:
            return found
        again = _with_exact_symmetry(*primitive, symprec)
        found = replace(again, moved=found.moved + again.moved, strain=found.strain + again.strain)
    raise NucleateError(f"each of {MAX_SEARCHES} searches found another space group")


def _with_exact_symmetry(cell: Array, frac: Array, numbers: NDArray[np.int64], symprec: float) -> CanonicalCrystal:
    data = find_symmetry(cell, frac, numbers, symprec)
    if data.number != without_hand(data.number):
        frac = -frac
        data = find_symmetry(cell, frac, numbers, symprec)
    moved, strain = _largest_changes(data, cell, frac)
    table, conventional, members = standard_orbits(data, numbers, symprec)
    orbits = []
    for number, position, atoms in members:
        place = table.index(position.letter)
        parameters = parameters_of(table.number, place, atoms)
        if parameters is None:
            raise NucleateError(f"atoms are not on position {position.label} of {table.symbol}")
        orbits.append(Orbit(int(_RANK_OF_ELEMENT[number]), place, parameters))
    return CanonicalCrystal(_canonical_unit(table.number, conventional, orbits), symprec, moved, strain)


def _largest_changes(data: Any, cell: Array, frac: Array) -> tuple[float, float]:
    """The largest displacement of an atom (angstrom) and the largest relative change of a length of the cell, from the
    given crystal to the one to which moyopy gives exact symmetry."""
    change = np.array(data.prim_std_linear)
    basis = np.array(data.prim_std_cell.basis)
    selected = (frac - np.array(data.prim_std_origin_shift)) @ np.linalg.inv(change).T
    away = np.array(data.prim_std_cell.positions)[data.mapping_std_prim] - selected
    moved = np.linalg.norm((away - away.round()) @ basis, axis=1).max()
    given = change.T @ cell
    squares = np.linalg.eigvals(np.linalg.solve(basis @ basis.T, given @ given.T)).real
    return float(moved), float(np.abs(np.sqrt(squares) - 1).max())


def _canonical_unit(number: int, conventional: Array, orbits: Sequence[Orbit]) -> AsymmetricUnit:
    cell, chosen = chosen_setting(number, conventional, orbits)
    tied = tied_cell(torch.tensor([number]), torch.tensor([cell_of(cell)], dtype=torch.float64))[0]
    letters = [p.letter for p in get_space_group(number).positions]
    sites = (
        Site(_ELEMENT_OF_RANK[o.rank], letters[o.place], tuple(map(_snapped_to_24ths, o.parameters))) for o in chosen
    )
    return AsymmetricUnit(number, tuple(tied.tolist()), tuple(sites))


def _snapped_to_24ths(value: float) -> float:
    near = round(value * 24) / 24
    return near % 1.0 if abs(value - near) < _SNAP_TOLERANCE else value


def _cell_vectors(cell: Sequence[float]) -> Array:
    parameters = torch.tensor([cell], dtype=torch.float64)
    vectors: Array = lat.from_lengths_angles(parameters)[0].numpy()
    return vectors


@lru_cache(maxsize=50_000)
def _anonymous_label(number: int, letters: tuple[tuple[int, ...], ...]) -> str:
    positions = get_space_group(number).positions
    sizes = [sum(positions[i].size for i in own) for own in letters]
    key = min(
        tuple(sorted((n, tuple(np.sort(row[list(own)]).tolist())) for n, own in zip(sizes, letters, strict=True)))
        for row in np.unique(normaliser(number).letters, axis=0)
    )
    return prototype_label(number, [own for _, own in key])
