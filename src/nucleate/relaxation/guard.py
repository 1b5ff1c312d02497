"""Limits on crystals and their energies during a relaxation. Outside of them, what a potential says means nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.elements import SYMBOLS

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    from nucleate.potentials.base import Evaluation

# Real crystals are far inside these limits: in MP-20 atoms are at least 0.74 angstrom apart, have at least 5.7 cubic
# angstrom each, and are bound by at most about 10 eV. Outside, a potential extrapolates and its neighbour lists may
# grow without bound.
MIN_DISTANCE = 0.4  # angstrom
MAX_VOLUME_FACTOR = 5.0  # the volume may grow or shrink by this factor
MAX_FIRST_FORCE = 1000.0  # eV/angstrom
MIN_ENERGY = -15.0  # eV/atom
MIN_VOLUME = 2.0  # cubic angstrom per atom; in smaller volumes each atom has hundreds of neighbours
MAX_ATOMS = 2000  # in a cell: the minimiser's matrix grows with the square of this number, its time with the cube
PAIR_REACH, TRIPLET_REACH = 6.0, 3.0  # angstrom, within which potentials count pairs and triplets of atoms
MAX_TERMS = 400_000  # pairs and triplets together: 23 kB each in CHGNet (measured), so 9 GB
MAX_COORDINATE = 1e8  # of larger ones a double keeps fewer than eight digits of the position within the cell


class OutOfRange(Exception):
    """A crystal or its energy is outside of the limits within which the potential means anything."""


def atoms_of(structure: Structure) -> Atoms:
    """The structure for ASE; raises OutOfRange for one that cannot be relaxed: with partial occupancies, with species
    that are no elements, or with a cell that has no volume or is not finite."""
    from ase import Atoms

    from nucleate.crystal.geometry import is_finite

    if not structure.is_ordered:
        raise OutOfRange("partial occupancies cannot be relaxed")
    if unknown := sorted({s.specie.symbol for s in structure if not 0 < s.specie.Z <= len(SYMBOLS)}):
        raise OutOfRange(f"{', '.join(unknown)} is no element")
    if not structure.lattice.volume > 0:
        raise OutOfRange("the cell has no volume" if is_finite(structure) else "the cell is not finite")
    numbers = [site.specie.Z for site in structure]
    return Atoms(numbers=numbers, cell=structure.lattice.matrix, scaled_positions=structure.frac_coords, pbc=True)


def with_atoms_in_cell(structure: Structure) -> Structure:
    """The structure with all atoms moved into the cell. For atoms far outside, potentials would look for neighbours in
    all cells up to there.

    Raises OutOfRange for coordinates so large that rounding has lost the position within the cell.
    """
    frac = structure.frac_coords
    largest = float(np.abs(frac).max(initial=0.0))
    if np.isfinite(largest) and largest > MAX_COORDINATE:
        raise OutOfRange(
            f"a fractional coordinate of {largest:.2g}, which has no decimals left; coordinates lie in 0 to 1"
        )
    if ((frac >= 0) & (frac < 1)).all() or not np.isfinite(largest):
        return structure
    inside = structure.copy()
    for i in range(len(inside)):
        inside.translate_sites([i], -np.floor(frac[i]), to_unit_cell=False)
    return inside


def check_size(atoms: Atoms, dense: bool = False) -> None:
    """Raises OutOfRange for a cell that would take too much memory or time.

    dense: whether the minimiser keeps a matrix over all pairs of atoms.
    """
    n = len(atoms)
    if dense and n > MAX_ATOMS:
        raise OutOfRange(f"{n:,} atoms in the cell (limit of bfgs: {MAX_ATOMS:,}); give a smaller cell, or use fire")
    if n > MAX_TERMS:
        raise OutOfRange(f"{n:,} atoms in the cell (limit {MAX_TERMS:,})")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        return  # `check_cell` raises for it
    check_density(atoms)
    pairs, triplets = count_terms(atoms)
    if pairs + triplets > MAX_TERMS:
        raise OutOfRange(
            f"an atom has {pairs / n:,.0f} neighbours within {PAIR_REACH:g} angstrom, {pairs + triplets:,} pairs and "
            f"triplets in all (limit {MAX_TERMS:,}): atoms lie too close together, or are too many"
        )


def check_density(atoms: Atoms) -> None:
    """Raises OutOfRange for a cell with less volume per atom than any crystal has."""
    each = abs(float(np.linalg.det(atoms.cell.array))) / len(atoms)
    if 0 < each < MIN_VOLUME:
        raise OutOfRange(f"{each:.2g} cubic angstrom per atom (limit {MIN_VOLUME:g}; diamond, the densest, has 5.7)")


def count_terms(atoms: Atoms) -> tuple[int, int]:
    """Numbers of pairs within PAIR_REACH and of triplets within TRIPLET_REACH in a finite cell with a volume; each pair
    is counted from both of its atoms.

    Periodic images are made of the reduced cell, so that a skewed cell takes no longer. A small cell has about a
    hundred images of each atom, all in memory.
    """
    from pymatgen.core import Lattice
    from scipy.spatial import cKDTree

    cell = np.array(Lattice(atoms.cell.array).get_lll_reduced_lattice().matrix)
    frac = atoms.positions @ np.linalg.inv(cell)
    inside = (frac - np.floor(frac)) @ cell
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    counts = np.ceil(PAIR_REACH / heights).astype(int)
    shifts = np.stack(np.meshgrid(*(np.arange(-c, c + 1) for c in counts), indexing="ij"), -1).reshape(-1, 3) @ cell
    images = cKDTree((inside[:, None] + shifts).reshape(-1, 3))
    pairs, near = (images.query_ball_point(inside, r, return_length=True) - 1 for r in (PAIR_REACH, TRIPLET_REACH))
    return int(pairs.sum()), int((near * (near - 1)).sum())


def check_cell(atoms: Atoms, first_volume: float, when: str) -> None:
    """Raises OutOfRange for a cell or a distance between atoms that no crystal has.

    first_volume: of the cell at the start, cubic angstrom. when: words for the message, such as "after 3 steps".
    """
    from pymatgen.core import Lattice, Structure

    from nucleate.crystal.geometry import shortest_distance

    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise OutOfRange(f"positions or cell are no longer finite {when}")
    volume = abs(float(np.linalg.det(atoms.cell.array)))
    if volume <= 0:
        raise OutOfRange("the cell has no volume")
    check_density(atoms)
    factor = volume / first_volume
    if not 1 / MAX_VOLUME_FACTOR <= factor <= MAX_VOLUME_FACTOR:
        change = f"grew {factor:.1f}-fold" if factor > 1 else f"shrank {1 / factor:.1f}-fold"
        raise OutOfRange(f"the volume {change} (limit {MAX_VOLUME_FACTOR:g}) {when}")
    symbols = atoms.get_chemical_symbols()
    structure = Structure(Lattice(atoms.cell.array), symbols, atoms.positions, coords_are_cartesian=True)
    distance = shortest_distance(structure)
    if distance < MIN_DISTANCE:
        raise OutOfRange(f"atoms {distance:.2f} angstrom apart (limit {MIN_DISTANCE:g}) {when}")


def check_numbers(found: Evaluation, n: int, steps: int, when: str) -> None:
    """Raises OutOfRange for energies and forces of n atoms that no real crystal has. steps: those made so far."""
    if not all(np.isfinite(x).all() for x in (found.energy, found.forces, found.stress)):
        raise OutOfRange(f"energy, force or stress is not a number {when}")
    force = float(np.linalg.norm(found.forces, axis=1).max())
    if steps == 0 and force > MAX_FIRST_FORCE:
        raise OutOfRange(f"a force of {force:.0f} eV/angstrom at the start (limit {MAX_FIRST_FORCE:g})")
    if found.energy / n < MIN_ENERGY:
        raise OutOfRange(f"{found.energy / n:.1f} eV/atom {when} is below anything real (limit {MIN_ENERGY:g})")
