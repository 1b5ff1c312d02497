"""Are two crystals the same? pymatgen's StructureMatcher behind cheap tests that spare it most pairs."""

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

VOLUME = 1.2  # largest ratio of volumes per atom: the matcher scales volumes away, which makes any two bcc metals equal
LATTICE = 0.25  # largest difference in log length of the sorted Niggli vectors, volume scaled away
TIME_LIMIT = 10.0  # seconds for the symmetry of a crystal, which is usually found in milliseconds
DISTANCE = 0.2  # largest mean difference of the neighbour distances of a species, in units of (V/N)^(1/3)


@dataclass(frozen=True, eq=False)
class Reduced:
    """A crystal made ready for many comparisons: primitive Niggli cell, volume per atom, lengths, distances.

    lengths: (3,) sorted, over the cube root of the cell's volume. distances: those of
    `crystal.prototype.neighbour_distances`.
    """

    structure: Structure
    volume: float
    lengths: NDArray[np.float64]
    distances: NDArray[np.float64]


def reduce(structure: Structure) -> Reduced:
    """Prepare a crystal; pymatgen's errors on impossible cells pass through (ValueError and others)."""
    plain = structure.copy()
    plain.remove_oxidation_states()
    primitive = plain.get_primitive_structure().get_reduced_structure("niggli")
    volume = primitive.volume / len(primitive)
    lengths = np.sort(primitive.lattice.abc) / primitive.volume ** (1 / 3)
    return Reduced(primitive, volume, lengths, neighbour_distances(primitive))


def all_symmetric(structures: Sequence[Structure], symprec: float) -> list[Structure]:
    """Each as `symmetric` makes it, or as it is where that takes more than TIME_LIMIT: at wide tolerances moyopy may
    never come back from long, nearly symmetric cells, so it works in a process of its own."""
    out = list(structures)
    for outcome in map_jobs(symmetric, [(s, symprec) for s in structures], limit=TIME_LIMIT, workers=1):
        if outcome.reason is None:
            out[outcome.index] = outcome.value
    return out


def symmetric(structure: Structure, symprec: float) -> Structure:
    """The primitive cell with its symmetry made exact; the crystal as it is where none can be found.

    symprec: angstrom within which atoms are put on symmetric positions. Relaxations that begin without symmetry stop
    that near to it, and of what is not quite a supercell the primitive cell would not be found.
    """
    from pymatgen.core import Lattice, Structure

    try:
        cell = find_symmetry(structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers, symprec)
    except ValueError:
        return structure
    primitive = cell.prim_std_cell
    return Structure(Lattice(primitive.basis), primitive.numbers, primitive.positions)


def same(a: Reduced, b: Reduced) -> bool:
    """Whether two crystals of one reduced formula match: volumes within 20 %, StructureMatcher at its defaults.

    The lattice and distance tests cost microseconds, the matcher 3 ms for a match and 14 ms for none (mean). On 1,123
    matching pairs (polymorphs and crystals perturbed by up to 0.4 angstrom) the tests never spoke against the matcher.
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
