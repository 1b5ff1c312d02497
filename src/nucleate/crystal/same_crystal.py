"""Decides whether two crystals are the same, with pymatgen's StructureMatcher after quick tests that exclude most
pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.prototype import neighbour_distances
from nucleate.crystal.symmetry import find_symmetry
from nucleate.parallel import map_jobs

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

VOLUME = 1.2  # largest ratio of volumes per atom; the matcher ignores volumes
LATTICE = 0.25  # largest difference of the logarithms of the sorted Niggli lengths, at equal volumes
TIME_LIMIT = 10.0  # seconds for the symmetry of a crystal, which usually takes milliseconds
REPEAT = 0.25  # angstrom, within which pymatgen's `get_primitive_structure` takes atoms for equivalent
MOST_TRIED = 32  # atoms of an element of which `may_repeat` looks whether a translation repeats them
DISTANCE = 0.2  # largest mean difference of the neighbour distances of a species, in units of (V/N)^(1/3)


@dataclass(frozen=True, eq=False)
class ComparableCrystal:
    """A crystal prepared for many comparisons.

    structure: its primitive Niggli cell. volume: cubic angstrom per atom. lengths (3,): of the cell, sorted, divided by
    the cube root of its volume. distances: those of `crystal.prototype.neighbour_distances`.
    """

    structure: Structure
    volume: float
    lengths: NDArray[np.float64]
    distances: NDArray[np.float64]


def prepare_for_comparison(structure: Structure) -> ComparableCrystal:
    """The crystal prepared for comparisons. For impossible cells pymatgen raises ValueError and other errors.

    As in StructureMatcher the cell is Niggli-reduced before a smaller one is looked for.
    """
    neutral = structure.copy()
    neutral.remove_oxidation_states()
    reduced = neutral.get_reduced_structure("niggli")
    if may_repeat(reduced.lattice.matrix, reduced.frac_coords, np.array(reduced.atomic_numbers)):
        reduced = reduced.get_primitive_structure().get_reduced_structure("niggli")
    volume = reduced.volume / len(reduced)
    lengths = np.sort(reduced.lattice.abc) / reduced.volume ** (1 / 3)
    return ComparableCrystal(reduced, volume, lengths, neighbour_distances(reduced))


def may_repeat(lattice: NDArray[np.float64], frac_coords: NDArray[np.float64], numbers: NDArray[np.int64]) -> bool:
    """False only if no smaller cell repeats within a cell, so that `get_primitive_structure` need not be asked.

    lattice (3, 3): vectors in rows, angstrom. frac_coords (n, 3). numbers (n,): atomic numbers.

    That method needs a translation which is not zero, brings every atom within twice its tolerance (REPEAT, along each
    axis) of an atom of the same species, and is a whole vector of the lattice when it is taken n times within n
    tolerances, where n divides the number of formula units. Here every such translation is looked for. It takes a tenth
    of the method's time.
    """
    counts = np.unique(numbers, return_counts=True)
    units = int(np.gcd.reduce(counts[1]))
    if units == 1:
        return False
    frac = frac_coords % 1.0
    tolerance = REPEAT / np.linalg.norm(lattice, axis=1)
    rarest = frac[numbers == counts[0][counts[1].argmin()]]
    shifts = rarest[1:] - rarest[0]
    orders = np.array([n for n in range(2, units + 1) if units % n == 0])[:, None, None]
    steps = orders * shifts
    shifts = shifts[(np.abs(steps - steps.round()) <= orders * tolerance).all(2).any(0)]
    for number in counts[0][counts[1].argsort()]:
        own = frac[numbers == number]
        for atom in own[:MOST_TRIED]:
            away = (atom + shifts)[:, None] - own
            away = np.abs(away - away.round())
            shifts = shifts[(away <= 2 * tolerance).all(2).any(1)]
    return len(shifts) > 0


def all_symmetrised(structures: Sequence[Structure], symprec: float) -> list[Structure]:
    """The result of `symmetrised` for each structure, or the structure itself if that takes more than TIME_LIMIT.

    With wide tolerances moyopy may never finish for long, nearly symmetric cells, so it runs in a process of its own.
    """
    out = list(structures)
    for outcome in map_jobs(symmetrised, [(s, symprec) for s in structures], limit=TIME_LIMIT, workers=1):
        if outcome.reason is None:
            out[outcome.index] = outcome.value
    return out


def symmetrised(structure: Structure, symprec: float) -> Structure:
    """The primitive cell with exact symmetry; the structure itself if no symmetry can be found.

    symprec: angstrom; atoms that are this near to symmetric positions are moved onto them. Relaxations that begin
    without symmetry stop near it, and the primitive cell of such a supercell would not be found otherwise.
    """
    from pymatgen.core import Lattice, Structure

    try:
        cell = find_symmetry(structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers, symprec)
    except ValueError:
        return structure
    primitive = cell.prim_std_cell
    return Structure(Lattice(primitive.basis), primitive.numbers, primitive.positions)


def is_same_crystal(a: ComparableCrystal, b: ComparableCrystal, volume: float | None = VOLUME) -> bool:
    """Whether two crystals of the same reduced formula match by StructureMatcher with its default tolerances.

    volume: the largest ratio of volumes per atom. None compares crystals at equal volume, as the matcher does.

    The tests of lattices and distances before take microseconds; the matcher takes 3 ms for a match and 14 ms otherwise
    (mean). For 1,527 matching pairs (polymorphs, known crystals of the same formula, and crystals perturbed by up to
    0.4 angstrom) the tests never excluded one that the matcher accepts.
    """
    if len(a.structure) != len(b.structure):
        return False
    if volume is not None and max(a.volume / b.volume, b.volume / a.volume) > volume:
        return False
    if np.abs(np.log(a.lengths / b.lengths)).max() > LATTICE:
        return False
    if a.distances.shape != b.distances.shape or np.abs(a.distances - b.distances).mean(1).max() > DISTANCE:
        return False
    return bool(structure_matcher().fit(a.structure, b.structure, skip_structure_reduction=True))


@cache
def structure_matcher() -> Any:
    """pymatgen's matcher with its usual tolerances (ltol 0.2, stol 0.3, angle_tol 5), for cells that are reduced."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher(primitive_cell=False)
