"""The one canonical form of a crystal: the same for equal crystals in whatever cell, origin and order they come.

It is the standard setting of the International Tables in which the most electropositive elements have the first Wyckoff
letters; of several such settings that with the most compact cell, then that with the least coordinates
(`crystal.settings`). Sites are sorted by element, letter and parameters. A crystal and its mirror image have the same
form. Where the origin is free, along polar axes, it is on an atom of the first site.
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
MOST_MOVED = 0.1  # angstrom: farthest that an atom may move where the symmetry is made exact
MOST_STRAIN = 0.02  # largest change of a length of the cell, as a share
MOST_SEARCHES = 4
_SNAP = 2e-5  # fractional: parameters so near to a multiple of 1/24 are that multiple
_RANK = np.array([0, *(WRITING_ORDER[s] for s in SYMBOLS)])  # by atomic number; the most electropositive ones first
_ELEMENT = {WRITING_ORDER[s]: z for z, s in enumerate(SYMBOLS, 1)}


@dataclass(frozen=True)
class CanonicalCrystal:
    """A crystal by its space group, conventional cell and sites, in the canonical setting.

    unit: all of it, sites in canonical order. symprec: the tolerance in angstrom within which the symmetry holds in the
    crystal given, 0 where none was found. moved: how far its farthest atom was moved to make it exact, angstrom.
    strain: the largest relative change of a length of the cell. reason: why no symmetry could be made exact, so that
    the crystal is written in P1; "" for all others.
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
        """The free ones of a, b, c in angstrom and alpha, beta, gamma in degrees, of the conventional cell."""
        free = free_cell(torch.tensor([self.space_group]))[0].tolist()
        return tuple(v for v, f in zip(self.unit.cell, free, strict=True) if f)

    @property
    def num_atoms(self) -> int:
        """Atoms in the primitive cell."""
        return self.unit.num_atoms

    @property
    def decorated_prototype(self) -> str:
        """Space group, and the sites by element and letter: "221 Sr a Ti b O c".

        Crystals that have it in common differ by their free parameters alone.
        """
        return " ".join(
            [str(self.space_group), *(f"{element_symbol(s.atomic_number)} {s.letter}" for s in self.orbits)]
        )

    @cached_property
    def anonymous_prototype(self) -> str:
        """Anonymous formula, Pearson symbol, space group and letters, as in AFLOW's labels: "ABC3_cP5_221_a_b_c".

        Elements come by their number of atoms. Letters are those of the setting that has the first ones, whatever the
        elements are: a structure type and its anti-type share the label.
        """
        table = get_space_group(self.space_group)
        own: dict[int, list[int]] = {}
        for site in self.orbits:
            own.setdefault(site.atomic_number, []).append(table.index(site.letter))
        return _label(self.space_group, tuple(sorted(tuple(sorted(v)) for v in own.values())))

    def primitive(self) -> tuple[Array, Array, NDArray[np.int64]]:
        """Lattice (3, 3) with vectors in rows, angstrom; fractional coordinates (n, 3) in [0, 1); atomic numbers (n,).

        The primitive cell is a fixed combination of the conventional one for each centring (`wyckoff.get_space_group`),
        never reduced further. Atoms of a site are next to each other, sites in canonical order.
        """
        table = get_space_group(self.space_group)
        frac, numbers = [], []
        for site in self.orbits:
            position = table.positions[table.index(site.letter)]
            frac.append(position.matrices @ np.array(site.parameters) + position.shifts)
            numbers += [site.atomic_number] * position.size
        return table.primitive @ _vectors(self.unit.cell), wrapped(np.concatenate(frac)), np.array(numbers)

    def conventional(self) -> tuple[Array, Array, NDArray[np.int64]]:
        """As `primitive`, of the conventional cell; the copies of an atom by centring are next to each other."""
        table = get_space_group(self.space_group)
        _, frac, numbers = self.primitive()
        points = np.array(list(product(range(-2, 3), repeat=3))) @ table.primitive
        points = np.unique((wrapped(points) * 24).round(), axis=0) / 24
        every = (frac @ table.primitive)[:, None] + points
        return _vectors(self.unit.cell), wrapped(every.reshape(-1, 3)), np.repeat(numbers, len(points))

    def structure(self, primitive: bool = True) -> Structure:
        """The crystal in its primitive cell, or in the conventional one."""
        from pymatgen.core import Lattice, Structure

        lattice, frac, numbers = self.primitive() if primitive else self.conventional()
        return Structure(Lattice(lattice), numbers.tolist(), frac)


def canonical_crystal(
    structure: Structure, symprecs: Sequence[float] = SYMPRECS, most_moved: float = MOST_MOVED
) -> CanonicalCrystal:
    """The canonical form of an ordered crystal; see `canonical_of_arrays`. Raises NucleateError for what is none."""
    require_crystal(structure)
    numbers = species_numbers(structure)
    return canonical_of_arrays(structure.lattice.matrix, structure.frac_coords, numbers, symprecs, most_moved)


def canonical_of_arrays(
    lattice: ArrayLike,
    frac_coords: ArrayLike,
    numbers: ArrayLike,
    symprecs: Sequence[float] = SYMPRECS,
    most_moved: float = MOST_MOVED,
) -> CanonicalCrystal:
    """The canonical form of a crystal of vectors (3, 3) in rows, fractional coordinates (n, 3), atomic numbers (n,).

    symprecs: tolerances in angstrom, tried in turn until making the symmetry exact moves no atom by more than
    `most_moved` (angstrom) and strains the cell by no more than MOST_STRAIN; a cell that repeats a smaller one within
    the tolerance becomes that. Where none will do, the crystal is in P1, with the reason. Raises NucleateError for a
    cell without volume.
    """
    cell, frac = right_handed(np.asarray(lattice, dtype=float), np.asarray(frac_coords, dtype=float))
    atoms = np.asarray(numbers, dtype=np.int64)
    require_volume(cell)
    reason = ""
    for symprec in symprecs:
        try:
            return _symmetric(cell, frac, atoms, symprec, most_moved)
        except (NucleateError, ValueError) as error:
            reason = f"within {symprec} angstrom: {error}"
    orbits = [Orbit(int(_RANK[z]), 0, tuple(x)) for z, x in zip(atoms, wrapped(frac).tolist(), strict=True)]
    return CanonicalCrystal(_unit(1, cell, orbits), 0.0, 0.0, 0.0, reason)


def wrapped(frac: Array) -> Array:
    """Coordinates in [0, 1), those that rounding alone keeps from a whole number at 0."""
    out = frac % 1.0
    return np.where(out > 1.0 - 1e-9, 0.0, out)


def _symmetric(
    cell: Array, frac: Array, numbers: NDArray[np.int64], symprec: float, most_moved: float
) -> CanonicalCrystal:
    """Raises NucleateError or ValueError, with the reason, where the symmetry within symprec will not do.

    What is exact by now may show more symmetry within the same tolerance, so the search is repeated until it does not.
    """
    found = _once(cell, frac, numbers, symprec)
    for _ in range(MOST_SEARCHES):
        if found.moved > most_moved or found.strain > MOST_STRAIN:
            raise NucleateError(
                f"exact symmetry would move an atom by {found.moved:.3f} angstrom and strain the cell by "
                f"{found.strain:.1%}"
            )
        primitive = found.primitive()
        if without_hand(find_symmetry(*primitive, symprec).number) == found.space_group:
            return found
        again = _once(*primitive, symprec)
        found = replace(again, moved=found.moved + again.moved, strain=found.strain + again.strain)
    raise NucleateError(f"each of {MOST_SEARCHES} searches found another space group")


def _once(cell: Array, frac: Array, numbers: NDArray[np.int64], symprec: float) -> CanonicalCrystal:
    data = find_symmetry(cell, frac, numbers, symprec)
    if data.number != without_hand(data.number):
        frac = -frac
        data = find_symmetry(cell, frac, numbers, symprec)
    moved, strain = _changes(data, cell, frac)
    table, conventional, members = standard_orbits(data, numbers, symprec)
    orbits = []
    for number, position, atoms in members:
        place = table.index(position.letter)
        parameters = parameters_of(table.number, place, atoms)
        if parameters is None:
            raise NucleateError(f"atoms lie off position {position.label} of {table.symbol}")
        orbits.append(Orbit(int(_RANK[number]), place, parameters))
    return CanonicalCrystal(_unit(table.number, conventional, orbits), symprec, moved, strain)


def _changes(data: Any, cell: Array, frac: Array) -> tuple[float, float]:
    """How far the farthest atom and the lattice are from those that moyopy makes exact: angstrom, relative length."""
    change = np.array(data.prim_std_linear)
    basis = np.array(data.prim_std_cell.basis)
    selected = (frac - np.array(data.prim_std_origin_shift)) @ np.linalg.inv(change).T
    away = np.array(data.prim_std_cell.positions)[data.mapping_std_prim] - selected
    moved = np.linalg.norm((away - away.round()) @ basis, axis=1).max()
    given = change.T @ cell
    squares = np.linalg.eigvals(np.linalg.solve(basis @ basis.T, given @ given.T)).real
    return float(moved), float(np.abs(np.sqrt(squares) - 1).max())


def _unit(number: int, conventional: Array, orbits: Sequence[Orbit]) -> AsymmetricUnit:
    cell, chosen = chosen_setting(number, conventional, orbits)
    tied = tied_cell(torch.tensor([number]), torch.tensor([cell_of(cell)], dtype=torch.float64))[0]
    letters = [p.letter for p in get_space_group(number).positions]
    return AsymmetricUnit(
        number,
        tuple(tied.tolist()),
        tuple(Site(_ELEMENT[o.rank], letters[o.place], tuple(map(_snapped, o.parameters))) for o in chosen),
    )


def _snapped(value: float) -> float:
    near = round(value * 24) / 24
    return near % 1.0 if abs(value - near) < _SNAP else value


def _vectors(cell: Sequence[float]) -> Array:
    parameters = torch.tensor([cell], dtype=torch.float64)
    vectors: Array = lat.from_lengths_angles(parameters)[0].numpy()
    return vectors


@lru_cache(maxsize=50_000)
def _label(number: int, letters: tuple[tuple[int, ...], ...]) -> str:
    positions = get_space_group(number).positions
    sizes = [sum(positions[i].size for i in own) for own in letters]
    key = min(
        tuple(sorted((n, tuple(np.sort(row[list(own)]).tolist())) for n, own in zip(sizes, letters, strict=True)))
        for row in np.unique(normaliser(number).letters, axis=0)
    )
    return prototype_label(number, [own for _, own in key])
