"""What a relaxation must not do: explode, implode, merge atoms or run away; outside, a potential means nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.elements import SYMBOLS

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    from nucleate.pipeline.potential import Evaluation

# Real crystals are far inside (MP-20: at least 0.74 angstrom, 5.7 cubic angstrom per atom, at most about 10 eV/atom of
# binding); outside, a potential extrapolates and its neighbour lists may grow without bound.
MIN_DISTANCE = 0.4  # angstrom
MAX_VOLUME_FACTOR = 5.0  # up or down, from the first cell
MAX_FIRST_FORCE = 1000.0  # eV/angstrom
MIN_ENERGY = -15.0  # eV/atom


class Blown(Exception):
    """The relaxation left the range in which the potential means anything."""


def atoms_of(structure: Structure) -> Atoms:
    """The structure for ASE; raises Blown for one that no relaxation can begin with."""
    from ase import Atoms

    from nucleate.crystal.geometry import is_finite

    if not structure.is_ordered:
        raise Blown("partial occupancies cannot be relaxed")
    if strangers := sorted({s.specie.symbol for s in structure if not 0 < s.specie.Z <= len(SYMBOLS)}):
        raise Blown(f"{', '.join(strangers)} is no element")
    if not structure.lattice.volume > 0:
        raise Blown("the cell has no volume" if is_finite(structure) else "the cell is not finite")
    numbers = [site.specie.Z for site in structure]
    return Atoms(numbers=numbers, cell=structure.lattice.matrix, scaled_positions=structure.frac_coords, pbc=True)


def check_geometry(atoms: Atoms, first_volume: float, when: str) -> None:
    """Raises Blown for a cell or a distance that no crystal has, before the potential sees it."""
    from pymatgen.core import Lattice, Structure

    from nucleate.crystal.geometry import shortest_distance

    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise Blown(f"positions or cell are no longer finite {when}")
    volume = abs(float(np.linalg.det(atoms.cell.array)))
    if volume <= 0:
        raise Blown("the cell has no volume")
    factor = volume / first_volume
    if not 1 / MAX_VOLUME_FACTOR <= factor <= MAX_VOLUME_FACTOR:
        change = f"grew {factor:.1f}-fold" if factor > 1 else f"shrank {1 / factor:.1f}-fold"
        raise Blown(f"the volume {change} (limit {MAX_VOLUME_FACTOR:g}) {when}")
    symbols = atoms.get_chemical_symbols()
    structure = Structure(Lattice(atoms.cell.array), symbols, atoms.positions, coords_are_cartesian=True)
    distance = shortest_distance(structure)
    if distance < MIN_DISTANCE:
        raise Blown(f"atoms {distance:.2f} angstrom apart (limit {MIN_DISTANCE:g}) {when}")


def check_numbers(found: Evaluation, n: int, steps: int, when: str) -> None:
    """Raises Blown for energies and forces of n atoms that nothing real has."""
    if not all(np.isfinite(x).all() for x in (found.energy, found.forces, found.stress)):
        raise Blown(f"energy, force or stress is not a number {when}")
    force = float(np.linalg.norm(found.forces, axis=1).max())
    if steps == 0 and force > MAX_FIRST_FORCE:
        raise Blown(f"a force of {force:.0f} eV/angstrom at the start (limit {MAX_FIRST_FORCE:g})")
    if found.energy / n < MIN_ENERGY:
        raise Blown(f"{found.energy / n:.1f} eV/atom {when} is below anything real (limit {MIN_ENERGY:g})")
