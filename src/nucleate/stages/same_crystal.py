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

VOLUME = 1.2  # largest ratio of volumes per atom; the matcher ignores volumes, which would make all bcc crystals equal
LATTICE = 0.25  # largest difference of the logarithms of the sorted Niggli lengths, at equal volumes
TIME_LIMIT = 10.0  # seconds for the symmetry of a crystal, which usually takes milliseconds
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
    """The crystal prepared for comparisons. For impossible cells pymatgen raises ValueError and other errors."""
    neutral = structure.copy()
    neutral.remove_oxidation_states()
    primitive = neutral.get_primitive_structure().get_reduced_structure("niggli")
    volume = primitive.volume / len(primitive)
    lengths = np.sort(primitive.lattice.abc) / primitive.volume ** (1 / 3)
    return ComparableCrystal(primitive, volume, lengths, neighbour_distances(primitive))


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


def is_same_crystal(a: ComparableCrystal, b: ComparableCrystal) -> bool:
    """Whether two crystals of the same reduced formula match: by volumes within 20 % and StructureMatcher with its
    default tolerances.

    The tests of lattices and distances before take microseconds; the matcher takes 3 ms for a match and 14 ms otherwise
    (mean). For 1,123 matching pairs (polymorphs and crystals perturbed by up to 0.4 angstrom) the tests never excluded
    one that the matcher accepts.
    """
    if len(a.structure) != len(b.structure) or max(a.volume / b.volume, b.volume / a.volume) > VOLUME:
        return False
    if np.abs(np.log(a.lengths / b.lengths)).max() > LATTICE:
        return False
    if a.distances.shape != b.distances.shape or np.abs(a.distances - b.distances).mean(1).max() > DISTANCE:
        return False
    return bool(_matcher().fit(a.structure, b.structure, skip_structure_reduction=True))


@cache
def _matcher() -> Any:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher()  # ltol 0.2, stol 0.3, angle_tol 5
