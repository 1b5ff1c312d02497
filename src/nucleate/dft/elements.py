"""The molecule or crystal as which each element is computed, and the magnetic moments to start from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nucleate.dft.settings import MOLECULE_BOX
from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from ase import Atoms

# Gases, computed as molecules: distance of the atoms in angstrom, moment of each in Bohr magnetons. O2 is a triplet.
MOLECULES = {"H": (0.74, 0.0), "N": (1.10, 0.0), "O": (1.21, 1.0), "F": (1.42, 0.0), "Cl": (1.99, 0.0)}

# Crystals other than fcc, bcc, hcp and diamond (of which ASE knows the lattice constants): space group, a, b, c
# (angstrom; the angles follow from the group) and sites. Experimental values, J. Donohue, The Structures of the
# Elements (1974).
_CRYSTALS: dict[str, tuple[str, tuple[float, float, float], tuple[tuple[float, float, float], ...]]] = {
    "B": ("R-3m", (4.908, 4.908, 12.567), ((0.1187, -0.1187, 0.8915), (0.1963, -0.1963, 0.0241))),
    "C": ("P6_3/mmc", (2.464, 2.464, 6.711), ((0, 0, 0.25), (1 / 3, 2 / 3, 0.25))),
    "P": ("Cmce", (3.314, 10.478, 4.376), ((0, 0.1017, 0.0806),)),
    "Ga": ("Cmce", (4.519, 7.657, 4.526), ((0, 0.1539, 0.0810),)),
    "As": ("R-3m", (3.760, 3.760, 10.548), ((0, 0, 0.2271),)),
    "Se": ("P3_121", (4.366, 4.366, 4.954), ((0.2254, 0, 1 / 3),)),
    "Br": ("Cmce", (6.737, 4.548, 8.761), ((0, 0.135, 0.1105),)),
    "In": ("I4/mmm", (3.253, 3.253, 4.947), ((0, 0, 0),)),
    "Sn": ("Fd-3m", (6.489, 6.489, 6.489), ((0, 0, 0),)),  # alpha, the stable one at 0 K
    "Sb": ("R-3m", (4.307, 4.307, 11.273), ((0, 0, 0.2336),)),
    "Te": ("P3_121", (4.457, 4.457, 5.929), ((0.2636, 0, 1 / 3),)),
    "I": ("Cmce", (7.136, 4.686, 9.784), ((0, 0.1543, 0.1174),)),
    "La": ("P6_3/mmc", (3.774, 3.774, 12.171), ((0, 0, 0), (1 / 3, 2 / 3, 0.25))),
    "Pr": ("P6_3/mmc", (3.672, 3.672, 11.833), ((0, 0, 0), (1 / 3, 2 / 3, 0.25))),
    "Nd": ("P6_3/mmc", (3.658, 3.658, 11.797), ((0, 0, 0), (1 / 3, 2 / 3, 0.25))),
    "Sm": ("R-3m", (3.629, 3.629, 26.207), ((0, 0, 0), (0, 0, 0.222))),
    "Hg": ("R-3m", (3.464, 3.464, 6.677), ((0, 0, 0),)),
    "Bi": ("R-3m", (4.546, 4.546, 11.862), ((0, 0, 0.2340),)),
}
_HEXAGONAL = ("R-3m", "P6_3/mmc", "P3_121")

# Moments to start from, Bohr magnetons, all parallel. They are those of high spin; the calculation may lower them.
# Other orders, such as those of the antiferromagnets Cr and NiO, are not tried.
MOMENTS = {"V": 3.0, "Cr": 4.0, "Mn": 5.0, "Fe": 4.0, "Co": 3.0, "Ni": 2.0}
MOMENTS |= {"Ce": 1.0, "Pr": 2.0, "Nd": 3.0, "Pm": 4.0, "Sm": 5.0, "Eu": 7.0, "Gd": 7.0, "Tb": 6.0, "Dy": 5.0}
MOMENTS |= {"Ho": 4.0, "Er": 3.0, "Tm": 2.0, "U": 2.0, "Np": 3.0, "Pu": 5.0}


def starting_moments(symbols: Sequence[str], spin: str = "auto") -> list[float]:
    """The magnetic moment (Bohr magnetons) that each atom starts with; all zero means a calculation without spin.

    spin: "auto", or "off" for zeros.
    """
    return [MOMENTS.get(s, 0.0) if spin == "auto" else 0.0 for s in symbols]


def reference_state(element: str, spin: str = "auto") -> tuple[str, Atoms]:
    """(kind, atoms) of the element as formation energies are counted from: "molecule" (in a box) or "crystal".

    Raises NucleateError for an element whose crystal is too large (S, Mn) or whose crystal is not in the tables here.
    """
    from ase import Atoms
    from ase.build import bulk

    if element in MOLECULES:
        distance, moment = MOLECULES[element]
        moments = [moment, moment] if moment and spin == "auto" else None
        atoms = Atoms(f"{element}2", [[0, 0, 0], [0, 0, distance]], cell=[MOLECULE_BOX] * 3, pbc=True, magmoms=moments)
        atoms.center()
        return "molecule", atoms
    if element in _CRYSTALS:
        atoms = _crystal(element)
    elif _lattice(element) in ("fcc", "bcc", "hcp", "diamond"):
        atoms = bulk(element)
    else:
        raise NucleateError(f"no small crystal of elemental {element} is known here; give a dataset that has one")
    if any(moments := starting_moments([element] * len(atoms), spin)):
        atoms.set_initial_magnetic_moments(moments)
    return "crystal", atoms


def _lattice(element: str) -> str:
    from ase.data import atomic_numbers, reference_states

    state: Any = reference_states[atomic_numbers[element]] if element in atomic_numbers else None
    return str(state["symmetry"]) if state else ""


def _crystal(element: str) -> Atoms:
    from ase import Atoms
    from pymatgen.core import Lattice, Structure

    group, (a, b, c), sites = _CRYSTALS[element]
    angles = (90, 90, 120) if group in _HEXAGONAL else (90, 90, 90)
    structure = Structure.from_spacegroup(
        group, Lattice.from_parameters(a, b, c, *angles), [element] * len(sites), [list(s) for s in sites]
    )
    cell = structure.get_primitive_structure()
    return Atoms([element] * len(cell), cell=cell.lattice.matrix, scaled_positions=cell.frac_coords, pbc=True)
