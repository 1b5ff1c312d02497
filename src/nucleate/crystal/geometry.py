"""Distances and density of a periodic structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

# Every crystal has a pair of atoms within this multiple of (V/N)^(1/3), because no packing of equal spheres is denser
# than the face-centred cubic one (Hales, Ann. Math. 162, 1065 (2005)), whose nearest distance is 2^(1/6) (V/N)^(1/3).
_NEAREST = 1.1225


@dataclass(frozen=True)
class Contact:
    """A pair of atoms i and j of a structure; if i == j, it is an atom and its own periodic image.

    distance: angstrom. ratio: distance over the sum of covalent radii.
    """

    i: int
    j: int
    distance: float
    ratio: float


def is_finite(structure: Structure) -> bool:
    """Whether every number of the cell and the coordinates is finite."""
    return bool(np.isfinite(structure.lattice.matrix).all() and np.isfinite(structure.frac_coords).all())


def shortest_distance(structure: Structure) -> float:
    """The shortest distance between two atoms in angstrom, also between an atom and its own periodic images.

    It is exact for any cell, however skewed. Raises ValueError if there are no atoms, or no finite cell with a volume.
    """
    return float(_neighbours(structure, 0.0)[2].min())


def closest_contacts(structure: Structure, ratio: float = 0.6) -> tuple[Contact, Contact]:
    """The contact with the shortest distance, and the contact with the smallest ratio of the distance to the sum of the
    covalent radii (Cordero et al., Dalton Trans. 2832 (2008)).

    The second one is exact only if its ratio is at most `ratio`; so `ratio` is the threshold that it is compared with.
    Raises ValueError as `shortest_distance` does.
    """
    radii = covalent_radii(structure)
    i, j, d = _neighbours(structure, 2 * ratio * float(radii.max()))
    ratios = d / (radii[i] + radii[j])

    def contact(k: np.intp) -> Contact:
        a, b = sorted((int(i[k]), int(j[k])))
        return Contact(a, b, float(d[k]), float(ratios[k]))

    return contact(d.argmin()), contact(ratios.argmin())


def element_radii() -> np.ndarray:
    """Covalent radii in angstrom by atomic number (Cordero et al. 2008); 1.5 for elements without a value."""
    from ase.data import covalent_radii as table

    return np.where(table > 0.2, table, 1.5)  # ASE writes 0.2 for a missing radius


def covalent_radii(structure: Structure) -> np.ndarray:
    """(n,) covalent radii of the sites in angstrom; the weighted mean for species that share a site, and 1.5 for
    elements without a value."""
    known = element_radii().tolist()
    radii = []
    for site in structure:
        occupants = [(known[z] if 0 < (z := int(s.Z)) < len(known) else 1.5, x) for s, x in site.species.items()]
        radii.append(sum(r * x for r, x in occupants) / sum(x for _, x in occupants))
    return np.array(radii)


def mass_density(structure: Structure) -> float:
    """Mass density in g/cm3."""
    return float(structure.density)


def volume_per_atom(structure: Structure) -> float:
    """Cubic angstrom per site."""
    return float(abs(structure.volume)) / len(structure)


def _neighbours(structure: Structure, radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The indices i, j and the distances (angstrom) of all pairs within `radius`, and always of the nearest pair."""
    if len(structure) == 0 or not is_finite(structure) or volume_per_atom(structure) <= 0:
        raise ValueError("distances need atoms, finite coordinates and a cell of positive volume")
    from pymatgen.core import Structure

    # The search visits every cell that a sphere touches; these are far too many if the cell is a thin sliver or the
    # coordinates are far from 0. So it is done in the reduced cell, with coordinates in [0, 1). The shortest vector of
    # that cell is the distance of an atom to its nearest own image.
    reduced = structure.lattice.get_lll_reduced_lattice()
    atoms = structure.species_and_occu, structure.cart_coords
    compact = Structure(reduced, *atoms, coords_are_cartesian=True, to_unit_cell=True)
    nearest = min(_NEAREST * volume_per_atom(structure) ** (1 / 3), *reduced.abc)
    i, j, _, d = compact.get_neighbor_list(r=max(radius, nearest) * (1 + 1e-6), exclude_self=True)
    return i, j, d
