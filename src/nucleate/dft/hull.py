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
    """A computed phase: energy and anion correction, eV/atom (None: not known; it has no corrected energy)."""

    composition: Composition
    energy: float
    correction: float | None = 0.0


def formation_energy(compound: Compound, elements: Mapping[str, float], corrected: bool = False) -> float:
    """eV/atom, from the energies of the elements (eV/atom), which take no correction."""
    if corrected and compound.correction is None:
        raise NucleateError(f"the MP2020 correction of {formula_text(compound.composition)} is not known")
    amounts = compound.composition.element_composition
    of_elements = sum(n * elements[str(e)] for e, n in amounts.items()) / amounts.num_atoms
    return float(compound.energy - of_elements + ((compound.correction or 0.0) if corrected else 0.0))


def above_hull(
    compound: Compound, elements: Mapping[str, float], phases: Sequence[Compound], corrected: bool = False
) -> float:
    """Energy above the best mixture of `phases` and elements, eV/atom; negative below all of them.

    A phase that is left out can only lower the hull: what is given here is then a lower bound. So are phases without a
    known correction among corrected energies.
    """
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    system = {str(e) for e in compound.composition.element_composition}
    entries = [PDEntry(Composition({e: 1}), 0.0) for e in sorted(system)]
    for p in phases:
        known = p.correction is not None or not corrected
        if known and {str(e) for e in p.composition.element_composition} <= system:
            whole = p.composition.element_composition
            entries.append(PDEntry(whole, formation_energy(p, elements, corrected) * whole.num_atoms))
    hull = PhaseDiagram(entries).get_hull_energy_per_atom(compound.composition.element_composition)
    return float(formation_energy(compound, elements, corrected) - hull)
