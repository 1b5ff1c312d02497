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
from functools import cache
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.pipeline.anions import anions_by_bonds, carried_states, electronegativity, likeliest_states, oxidised

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

HALOGENS = frozenset({"F", "Cl", "Br", "I"})  # what is bonded to less electronegative atoms alone is a halide
ANIONS = HALOGENS | {
    "H",
    "N",
    "Si",
    "Sb",
    "Se",
    "Te",
}  # corrected as anions; O and S have their own rules
NONMETALS = HALOGENS | {"H", "C", "N", "O", "P", "S", "Se"}  # with none of these a compound is an alloy


@dataclass(frozen=True)
class Correction:
    """What is to be added to a raw energy, in eV/atom, by its reason ("anion correction (oxide)")."""

    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        return sum(self.parts.values())


def composition_correction(composition: Composition, data: Mapping[str, Any], plus_u: bool = True) -> float | None:
    """The correction of a composition alone, eV/atom; None where it takes a structure to know it.

    data: of an entry of pymatgen: oxidation_states, oxide_type, sulfide_type as far as they are known.
    """
    counts = {e.symbol: round(n) for e, n in composition.items()}
    states = data.get("oxidation_states") or likeliest_states(counts)
    if _doubtful(composition, states) and not states:
        return None
    return _correction(composition, {**data, "oxidation_states": states}, plus_u).total


def mp2020_correction(structure: Structure, plus_u: bool = True) -> Correction:
    """The MP2020 correction of a raw energy of this structure.

    plus_u: the energies are those of the Materials Project's settings, PBE+U for oxides and fluorides of Co, Cr, Fe,
    Mn, Mo, Ni, V and W; False: of plain PBE, which takes the anions' corrections alone. The structure tells oxides from
    peroxides, superoxides and ozonides, and sulfides from other sulfur; `pipeline.anions` says which other elements
    are anions. Raises NucleateError where that is not known.
    """
    from pymatgen.analysis.structure_analyzer import oxide_type, sulfide_type

    data: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of electronegativities of noble gases
        kinds = {site.specie.symbol for site in structure}
        if "O" in kinds:
            data["oxide_type"] = oxide_type(structure, 1.05)
        if "S" in kinds:
            data["sulfide_type"] = sulfide_type(structure) or "sulfate"
    composition = structure.composition.element_composition
    states = carried_states(structure)
    if not states:
        states = likeliest_states({e.symbol: round(n) for e, n in composition.items()})
        _agree(structure, composition, states)
    doubtful = _doubtful(composition, states)
    if doubtful and not states:
        bonds = anions_by_bonds(structure, doubtful)
        if open_ := [e for e in doubtful if bonds[e] is None or (bonds[e] and e not in HALOGENS)]:
            raise NucleateError(
                f"the MP2020 correction of {composition.reduced_formula} is not known: no oxidation states add up to "
                f"zero, and its bonds do not tell whether {' and '.join(open_)} is an anion"
            )
        states = {e: -1.0 for e in doubtful if bonds[e]}
    return _correction(composition, {**data, "oxidation_states": states}, plus_u)


def _agree(structure: Structure, composition: Composition, states: Mapping[str, float]) -> None:
    """Raises NucleateError where the likeliest states and the bonds of a halogen contradict each other."""
    for element in sorted(HALOGENS & set(states) - {_most_electronegative(composition)}):
        bonded, anion = oxidised(structure, element), states[element] <= -1
        if bonded is not None and bonded == anion:
            bonds = "bonds to more electronegative atoms" if bonded else "no bond to a more electronegative atom"
            raise NucleateError(
                f"the MP2020 correction of {composition.reduced_formula} is not known: {element} has {bonds}, but "
                f"{states[element]:+.3g} in the likeliest oxidation states that add up to zero; give sites their states"
            )


def known_correction(structure: Structure, plus_u: bool = True) -> float | None:
    """`mp2020_correction` in eV/atom, None where it is not known."""
    try:
        return mp2020_correction(structure, plus_u).total
    except NucleateError:
        return None


def _doubtful(composition: Composition, states: Mapping[str, float]) -> list[str]:
    """Elements that are corrected if they are anions, of which neither the scheme nor oxidation states tell that."""
    symbols = {e.symbol for e in composition}
    if len(symbols) < 3 or not (states or symbols & NONMETALS):
        return []  # of two elements the more electronegative is the anion; an alloy has ions only where they balance
    told = {_most_electronegative(composition), *states}
    return sorted(symbols & ANIONS - told)


def _most_electronegative(composition: Composition) -> str:
    known = {e.symbol: x for e in composition if (x := electronegativity(e.symbol)) is not None}
    return max(known, key=lambda e: known[e], default="")


def _correction(composition: Composition, data: Mapping[str, Any], plus_u: bool) -> Correction:
    """By pymatgen's scheme, of a composition whose anions are known. Elements without an electronegativity (noble
    gases) are left out, since the scheme sorts by it; it has no correction for them."""
    from pymatgen.core import Composition
    from pymatgen.entries.computed_entries import ComputedEntry

    scheme = _scheme(plus_u)
    bonding = Composition({e: n for e, n in composition.items() if electronegativity(e.symbol) is not None})
    kinds = {e.symbol for e in bonding}
    values = scheme.u_settings.get(_most_electronegative(bonding), {})
    values = {e: u for e, u in values.items() if e in kinds and u}
    parameters = {"run_type": "GGA+U" if values else "GGA", "hubbards": values, "software": "none"}
    entry = ComputedEntry(bonding, 0.0, parameters=parameters, data=dict(data))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of oxidation states that are not given
        found = scheme.get_adjustments(entry)
    atoms = composition.num_atoms
    return Correction({a.name.removeprefix(f"{scheme.name} "): float(a.value / atoms) for a in found})


@cache
def _scheme(plus_u: bool) -> Any:
    from pymatgen.entries.compatibility import MaterialsProject2020Compatibility

    return MaterialsProject2020Compatibility("Advanced" if plus_u else "GGA", check_potcar=False)
