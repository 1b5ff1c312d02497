"""What the viewer of reports draws of a structure: cell, positions within it, bonds, colours and radii of elements."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nucleate.crystal.symmetry import find_symmetry

if TYPE_CHECKING:
    import numpy as np
    from pymatgen.core import Structure

BOND_REACH = 1.15  # length of the longest bond, as a multiple of the sum of covalent radii
BOND_SPREAD = 1.25  # the same of an atom's longest bond, as a multiple of that of its shortest one
MAX_BONDS = 4000
MAX_DRAWN = 120  # atoms; with more in the conventional cell, the structure's own cell is drawn
# Large cations fill the gaps between the polyhedra of other atoms. Their many long bonds would hide the polyhedra, so
# they are not drawn.
SPECTATORS = frozenset(("K", "Rb", "Cs", "Fr", "Ca", "Sr", "Ba", "Ra"))


def drawn_cell(structure: Structure) -> tuple[Structure, str]:
    """(the crystal in the cell that is drawn, the name of that cell).

    It is the conventional cell with the standard origin, since primitive cells of centred lattices are hard to
    understand; where that cannot be found or is too large, the structure's own cell. The atoms are not moved to ideal
    places.
    """
    import numpy as np
    from pymatgen.core import Structure

    own = structure, "own cell"
    if not structure.is_ordered:
        return own
    basis = structure.lattice.matrix
    numbers = [site.specie.Z for site in structure]
    try:
        found = find_symmetry(basis, structure.frac_coords, numbers, symprec=0.1)
        matrix = np.array(found.std_cell.basis) @ np.array(found.std_rotation_matrix) @ np.linalg.inv(basis)
    except ValueError:  # the symmetry search failed, or the cell is flat
        return own
    whole = np.round(matrix)  # standard cell = whole @ own cell, up to the idealisation
    times = round(float(np.linalg.det(whole)))
    if np.abs(matrix - whole).max() > 0.1 or times < 1 or times * len(structure) > MAX_DRAWN:
        return own
    moved = Structure(basis, structure.species, structure.frac_coords - np.array(found.std_origin_shift))
    return moved.make_supercell(whole.astype(int), to_unit_cell=True), "conventional cell"


def scene(structure: Structure) -> dict[str, Any] | None:
    """JSON values for the viewer; None for what cannot be drawn: no atoms, or numbers that are not finite.

    cell: 3 rows, angstrom. symbols: of the n atoms. frac: n rows, in [0, 1). bonds: [i, j and the three lattice
    translations of atom j] of each.
    """
    import numpy as np

    symbols = [_symbol(site) for site in structure]
    frac = np.array(structure.frac_coords, dtype=float).reshape(-1, 3)
    if not len(symbols) or not np.isfinite(frac).all() or not np.isfinite(structure.lattice.matrix).all():
        return None
    shift = np.floor(frac + 1e-4)
    return {
        "cell": np.round(structure.lattice.matrix, 5).tolist(),
        "symbols": symbols,
        "frac": np.round(frac - shift, 5).tolist(),
        "bonds": [[i, j, *(t + shift[j] - shift[i]).astype(int).tolist()] for i, j, t in _bonds(structure, symbols)],
    }


def drawn_elements(symbols: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Jmol colour and covalent radius (angstrom) of each symbol, from ASE; grey for what ASE does not know."""
    from ase.data import atomic_numbers, covalent_radii
    from ase.data.colors import jmol_colors

    out = {}
    for s in sorted(set(symbols)):
        z = atomic_numbers.get(s, 0)
        r, g, b = jmol_colors[z] if 0 < z < len(jmol_colors) else (0.6, 0.6, 0.6)
        radius = float(covalent_radii[z]) if 0 < z < len(covalent_radii) else 1.5
        out[s] = {
            "colour": f"#{round(255 * r):02x}{round(255 * g):02x}{round(255 * b):02x}",
            "radius": round(radius, 2),
        }
    return out


def _symbol(site: Any) -> str:
    """The site's element; of a disordered site, the most abundant one."""
    species = max(site.species.items(), key=lambda item: item[1])[0]
    return getattr(species, "symbol", str(species))


def _bonds(structure: Structure, symbols: list[str]) -> list[tuple[int, int, np.ndarray]]:
    """Each bond once, as (i, j, lattice translation of j); none in a cell with less than 1 cubic angstrom per atom."""
    import numpy as np
    from ase.data import atomic_numbers, covalent_radii
    from pymatgen.core import Element

    if not np.isfinite(structure.volume) or structure.volume < len(structure):
        return []
    radii = np.array([covalent_radii[atomic_numbers.get(s, 0)] for s in symbols])
    i, j, shift, distance = structure.get_neighbor_list(2 * BOND_REACH * float(radii.max()))
    if not len(i):
        return []
    metal = np.array([not Element.is_valid_symbol(s) or Element(s).is_metal for s in symbols])
    spectator = np.array([s in SPECTATORS for s in symbols]) & (len(set(symbols)) > 2)
    length = distance / (radii[i] + radii[j])
    good = (length < BOND_REACH) & ~spectator[i] & ~spectator[j]
    shortest = np.full(len(symbols), np.inf)
    np.minimum.at(shortest, i[good], length[good])
    good &= length <= BOND_SPREAD * np.minimum(shortest[i], shortest[j])
    bound = np.zeros(len(symbols), dtype=bool)  # metals with a bond to a non-metal, which get no bonds to metals
    bound[i[good & metal[i] & ~metal[j]]] = True
    good &= ~(metal[i] & metal[j] & (bound[i] | bound[j]))
    x, y, z = shift.T
    forward = (x > 0) | ((x == 0) & ((y > 0) | ((y == 0) & (z > 0))))  # keeps one of a bond and its reverse
    good &= (i < j) | ((i == j) & forward)
    keep = np.flatnonzero(good)[:MAX_BONDS]
    return [(int(i[n]), int(j[n]), shift[n]) for n in keep]
