"""Potentials as ASE calculators, for relaxations, molecular dynamics and phonons with the tools of ASE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from nucleate.errors import NucleateError
from nucleate.potentials.registry import get_potential

if TYPE_CHECKING:
    from ase import Atoms

    from nucleate.potentials.base import Potential


def calculator(name: str = "chgnet") -> PotentialCalculator:
    """The potential of that name as an ASE calculator. Raises NucleateError where there is none of that name.

    >>> from ase.build import bulk
    >>> from nucleate.potentials import calculator
    >>> salt = bulk("NaCl", "rocksalt", a=5.7)
    >>> salt.calc = calculator("chgnet")
    >>> energy = salt.get_potential_energy()  # eV
    >>> forces, stress = salt.get_forces(), salt.get_stress()  # eV/angstrom (n, 3); eV/cubic angstrom (6,)
    >>> bool(energy < -6), forces.shape, stress.shape
    (True, (2, 3), (6,))
    """
    return PotentialCalculator(get_potential(name))


class PotentialCalculator(Calculator):
    """An ASE calculator that asks a nucleate potential. Every cell is taken as periodic in all directions."""

    def __init__(self, potential: Potential, **options: Any) -> None:
        self.implemented_properties = ["energy", "free_energy", "forces", "stress"]
        super().__init__(**options)
        self.potential = potential

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Compute energy (eV), forces (n, 3) (eV/angstrom) and stress (6,) (eV/cubic angstrom, in Voigt order).

        Raises NucleateError for atoms without a cell of three vectors, or which the potential cannot take.
        """
        super().calculate(atoms, properties or ["energy"], system_changes)
        if self.atoms is None or self.atoms.cell.rank != 3:
            raise NucleateError("the potential needs a crystal: give the atoms a cell of three vectors")
        (found,) = self.potential.evaluate([self.atoms])
        self.results = {
            "energy": found.energy,
            "free_energy": found.energy,
            "forces": np.asarray(found.forces),
            "stress": full_3x3_to_voigt_6_stress(found.stress),
        }
