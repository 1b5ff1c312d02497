"""MP2020 corrections: what the Materials Project adds to PBE and PBE+U energies before it puts them on one hull.

Wang et al., Sci. Rep. 11, 15496 (2021): PBE binds the oxygen molecule too strongly and gives anions too high an energy
(fitted per anion), and PBE+U energies of transition metal oxides and fluorides need a shift per metal to stand beside
PBE energies of the rest (Jain et al., Phys. Rev. B 84, 045115 (2011)). The numbers and rules are pymatgen's.

A potential fitted to raw PBE(+U) energies needs the same corrections; one fitted to corrected energies has them inside.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from nucleate.pipeline.candidate import Energy
from nucleate.pipeline.reference import ReferenceSet

if TYPE_CHECKING:
    from pymatgen.core import Structure

RAW, CORRECTED = "uncorrected)", "MP2020-corrected)"  # how the name of a method ends
ADDED = " + MP2020 corrections"  # for a method that does not say what it is


@dataclass(frozen=True)
class Correction:
    """What is to be added to a raw energy, in eV/atom, by its reason ("anion correction (oxide)")."""

    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        return sum(self.parts.values())


def corrected_method(method: str) -> str:
    """The name of a method's energies after they were corrected."""
    return method.removesuffix(RAW) + CORRECTED if method.endswith(RAW) else method + ADDED


def mp2020_correction(structure: Structure, plus_u: bool = True) -> Correction:
    """The MP2020 correction of a raw energy of this structure.

    plus_u: the energies are those of the Materials Project's settings, PBE+U for oxides and fluorides of Co, Cr, Fe,
    Mn, Mo, Ni, V and W; False: of plain PBE, which takes the anions' corrections alone. The structure tells oxides from
    peroxides, superoxides and ozonides, and sulfides from other sulfur; oxidation states come of the composition.
    """
    from pymatgen.analysis.structure_analyzer import oxide_type, sulfide_type
    from pymatgen.entries.computed_entries import ComputedStructureEntry

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of electronegativities of noble gases, of unguessed oxidation states
        scheme = _scheme(plus_u)
        composition = structure.composition.element_composition
        kinds = {str(element) for element in composition}
        entry = ComputedStructureEntry(structure, 0.0, composition=composition)
        entry.data["oxidation_states"] = dict(_oxidation_states(composition.reduced_formula))
        if "O" in kinds:
            entry.data["oxide_type"] = oxide_type(structure, 1.05)
        if "S" in kinds:
            entry.data["sulfide_type"] = sulfide_type(structure)
        highest = max(composition, key=lambda e: e.X).symbol if len(composition) > 1 else ""
        values = {el: u for el, u in scheme.u_settings.get(highest, {}).items() if el in kinds and u}
        entry.parameters.update(run_type="GGA+U" if values else "GGA", hubbards=values, software="none")
        found = scheme.get_adjustments(entry)
    return Correction({a.name.removeprefix(f"{scheme.name} "): float(a.value / len(structure)) for a in found})


def onto(energy: Energy, structure: Structure, reference: ReferenceSet) -> tuple[Energy, Correction | None]:
    """The energy on the scale of a reference, and what was added to it (None: nothing was wanted).

    Raises NucleateError for an energy of another method.
    """
    if reference.method != corrected_method(energy.method):
        reference.require_method(energy.method)
        return energy, None
    correction = mp2020_correction(structure)
    return Energy(energy.value + correction.total, reference.method), correction


@cache
def _scheme(plus_u: bool) -> Any:
    from pymatgen.entries.compatibility import MaterialsProject2020Compatibility

    return MaterialsProject2020Compatibility("Advanced" if plus_u else "GGA", check_potcar=False)


@lru_cache(maxsize=65_536)
def _oxidation_states(formula: str) -> Mapping[str, float]:
    """The likeliest oxidation states, by far the dearest step; none for a composition that is too large."""
    from pymatgen.core import Composition

    try:
        guesses = Composition(formula).oxi_state_guesses(max_sites=-20)
    except ValueError:
        return {}
    return dict(guesses[0]) if guesses else {}
