"""Conversion of crystals from and to pymatgen and ASE, Niggli reduction and polar decomposition of cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.crystal.batch import CrystalBatch

# In cubic angstrom. A smaller cell is taken for damaged; one atom in solid hydrogen has about 20.
SMALLEST_VOLUME = 0.1


def species_numbers(structure: Structure) -> NDArray[np.int64]:
    """The atomic numbers (n,) of an ordered structure; oxidation states are ignored.

    Raises NucleateError that names the site, for partial occupancy, for an isotope (D, T) and for a dummy species.
    """
    from nucleate.chem.elements import atomic_number

    numbers: list[int] = []
    for site in structure:
        if not site.is_ordered:
            raise NucleateError(
                f"partial occupancy at site {len(numbers) + 1} ({site.species_string}); order the structure"
            )
        element = getattr(site.specie, "element", site.specie)  # a species without its charge
        symbol = str(getattr(element, "name", site.specie))  # pymatgen's `symbol` of deuterium is "H"
        try:
            numbers.append(atomic_number(symbol))
        except NucleateError:
            raise NucleateError(f"site {len(numbers) + 1} holds '{symbol}', which is not an element") from None
    return np.array(numbers, dtype=np.int64)


def atom_counts(structure: Structure) -> dict[str, int]:
    """Element symbol -> atoms in the cell of an ordered structure; oxidation states are ignored."""
    return {e.symbol: int(n) for e, n in structure.composition.element_composition.items()}


def require_crystal(structure: Structure) -> None:
    """Raise NucleateError if a structure is no ordered crystal: as `require_cell` and `species_numbers` do."""
    require_cell(structure)
    species_numbers(structure)


def require_cell(structure: Structure) -> None:
    """Raise NucleateError if a structure has no atoms, numbers that are not finite, a cell without volume, or a cell
    that is not periodic in three directions."""
    if len(structure) == 0:
        raise NucleateError("no atoms")
    if not (np.isfinite(structure.lattice.matrix).all() and np.isfinite(structure.frac_coords).all()):
        raise NucleateError("the cell or a coordinate is not a finite number")
    if not all(structure.lattice.pbc):
        raise NucleateError(f"the structure is periodic in {sum(structure.lattice.pbc)} of 3 directions")
    require_volume(structure.lattice.matrix)


def require_volume(cell: NDArray) -> None:
    """Raise NucleateError if a cell (3, 3), with vectors in rows in angstrom, is zero or has no volume."""
    if not cell.any():
        raise NucleateError("no cell")
    volume = float(abs(np.linalg.det(cell)))
    if not volume >= SMALLEST_VOLUME:  # this is also true if the volume is NaN
        raise NucleateError(f"the cell has no volume ({volume:.3g} cubic angstrom)")


def batch_from_structures(structures: Sequence[Structure], max_atoms: int | None = None) -> CrystalBatch:
    """Structures as one batch, in their own cells. Raises NucleateError that names the first structure that is no
    ordered crystal. max_atoms: as in `CrystalBatch.from_arrays`."""
    from nucleate.crystal.batch import CrystalBatch

    numbers = []
    for i, structure in enumerate(structures):
        try:
            require_crystal(structure)
        except NucleateError as error:
            raise NucleateError(f"structure {i + 1} of {len(structures)}: {error}") from None
        numbers.append(species_numbers(structure))
    # The arrays are copied, because those of pymatgen are read-only and torch needs writable ones.
    lattices = [np.array(s.lattice.matrix) for s in structures]
    frac = [np.array(s.frac_coords) % 1.0 for s in structures]  # wrapped before they are rounded to float32
    return CrystalBatch.from_arrays(lattices, frac, numbers, max_atoms)


def structures_from_batch(batch: CrystalBatch) -> list[Structure]:
    """The crystals of a batch as pymatgen structures, with fractional coordinates in [0, 1)."""
    from pymatgen.core import Lattice, Structure

    return [Structure(Lattice(cell), z.tolist(), frac) for cell, frac, z in _arrays(batch)]


def batch_from_atoms(atoms: Sequence[Atoms], max_atoms: int | None = None) -> CrystalBatch:
    """ASE objects as one batch. Raises NucleateError for one that is not periodic or has no cell."""
    from pymatgen.io.ase import AseAtomsAdaptor

    for i, a in enumerate(atoms):
        if a.cell.rank < 3:
            raise NucleateError(f"atoms {i + 1} of {len(atoms)}: no cell")
    return batch_from_structures([AseAtomsAdaptor.get_structure(a) for a in atoms], max_atoms)


def atoms_from_batch(batch: CrystalBatch) -> list[Atoms]:
    """The crystals of a batch as periodic ASE objects."""
    from ase import Atoms

    return [Atoms(numbers=z, cell=cell, scaled_positions=frac, pbc=True) for cell, frac, z in _arrays(batch)]


def _arrays(batch: CrystalBatch) -> list[tuple[NDArray, NDArray, NDArray]]:
    cells, fracs, species = (
        v.detach().cpu().numpy() for v in (batch.lattice.double(), batch.frac_coords.double(), batch.atomic_numbers)
    )
    return [(cell, frac[z > 0] % 1.0, z[z > 0]) for cell, frac, z in zip(cells, fracs, species, strict=True)]


def right_handed(lattice: NDArray, frac: NDArray) -> tuple[NDArray, NDArray]:
    """The same crystal with a right-handed cell (det > 0): lattice (..., 3, 3) and fractional coordinates (..., n, 3).
    Both are negated if the cell is left-handed."""
    sign = np.where(np.linalg.det(lattice) < 0, -1.0, 1.0)[..., None, None]
    return lattice * sign, frac * sign


def niggli_reduced(lattice: NDArray, frac: NDArray) -> tuple[NDArray, NDArray]:
    """The Niggli-reduced, right-handed cell in the same Cartesian frame: lattice (3, 3) in angstrom, frac (n, 3).

    Coordinates are wrapped into [0, 1). pymatgen's reduction (Grosse-Kunstleve et al., Acta Cryst. A60, 1 (2004))
    treats lengths and angles as equal within a tolerance. Without a tolerance rounding errors would decide which of
    several cells results. Raises NucleateError if the reduction fails.
    """
    from pymatgen.core import Lattice

    if not abs(np.linalg.det(lattice)) >= SMALLEST_VOLUME:
        raise NucleateError("the cell cannot be Niggli reduced (it has no volume)")
    try:
        reduced = np.array(Lattice(lattice).get_niggli_reduced_lattice().matrix)
        change = lattice @ np.linalg.inv(reduced)
    except (ValueError, IndexError, ZeroDivisionError, np.linalg.LinAlgError) as error:
        raise NucleateError(f"the cell cannot be Niggli reduced ({error})") from None
    if not np.allclose(change, change.round(), atol=1e-3):
        raise NucleateError("the cell cannot be Niggli reduced (the reduced cell is another lattice)")
    # The exact matrix has integers, so rounding removes the errors of the matrix inversion.
    reduced, moved = right_handed(reduced, frac @ change.round())
    return reduced, moved % 1.0


def polar_factor(lattice: NDArray) -> NDArray:
    """The symmetric positive definite factor P of the polar decomposition lattice = P @ rotation.

    lattice and P: (..., 3, 3), rows are vectors, in angstrom. P has the same lengths and angles as the lattice and does
    not depend on its orientation. Raises NucleateError for a lattice that is not right-handed, because P would be its
    mirror image; use `right_handed` first.
    """
    lattice = np.asarray(lattice, dtype=np.float64)
    if not (np.linalg.det(lattice) > 0).all():
        raise NucleateError("polar decomposition needs right-handed cells of positive volume")
    values, vectors = np.linalg.eigh(lattice @ lattice.swapaxes(-1, -2))
    return (vectors * np.sqrt(values)[..., None, :]) @ vectors.swapaxes(-1, -2)
