"""Formation energies and distances to the hull from DFT energies alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleate.chem.formula import formula_text
from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from pymatgen.core import Composition


@dataclass(frozen=True)
class Compound:
    """A computed phase.

    energy: eV/atom. correction: what MP2020 adds to it, eV/atom; None where that is not known, so that there is no
    corrected energy.
    """

    composition: Composition
    energy: float
    correction: float | None = 0.0


def dft_formation_energy(compound: Compound, elements: Mapping[str, float], corrected: bool = False) -> float:
    """Formation energy in eV/atom. elements: symbol -> energy of the element, eV/atom, which gets no correction.

    Raises NucleateError where the corrected energy is asked for and the correction is not known.
    """
    if corrected and compound.correction is None:
        raise NucleateError(f"the MP2020 correction of {formula_text(compound.composition)} is not known")
    amounts = compound.composition.element_composition
    of_elements = sum(n * elements[str(e)] for e, n in amounts.items()) / amounts.num_atoms
    return float(compound.energy - of_elements + ((compound.correction or 0.0) if corrected else 0.0))


def dft_above_hull(
    compound: Compound, elements: Mapping[str, float], phases: Sequence[Compound], corrected: bool = False
) -> float:
    """Energy above the best mixture of `phases` and elements, eV/atom; negative below all of them.

    corrected: with MP2020 corrections; phases whose correction is not known are then left out. The hull can only become
    lower when a phase is added, so the value is a lower bound where a phase is left out.
    """
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    system = {str(e) for e in compound.composition.element_composition}
    entries = [PDEntry(Composition({e: 1}), 0.0) for e in sorted(system)]
    for p in phases:
        known = p.correction is not None or not corrected
        if known and {str(e) for e in p.composition.element_composition} <= system:
            whole = p.composition.element_composition
            entries.append(PDEntry(whole, dft_formation_energy(p, elements, corrected) * whole.num_atoms))
    hull = PhaseDiagram(entries).get_hull_energy_per_atom(compound.composition.element_composition)
    return float(dft_formation_energy(compound, elements, corrected) - hull)
