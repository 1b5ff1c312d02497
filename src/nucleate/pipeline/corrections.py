"""MP2020 corrections, which the Materials Project adds to PBE and PBE+U energies before it puts them on one hull.

PBE binds the oxygen molecule too strongly and gives anions too high an energy, for which there is a fitted correction
of each anion. PBE+U energies of transition metal oxides and fluorides need a shift for each metal, so that they can be
compared with PBE energies of other crystals. See Wang et al., Sci. Rep. 11, 15496 (2021), and Jain et al., Phys. Rev. B
84, 045115 (2011). Numbers and rules are those of pymatgen.

Energies of a potential that was fitted to raw PBE(+U) energies need the same corrections. A potential that was fitted
to corrected energies already includes them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.pipeline.anions import (
    anions_by_bonds,
    carried_states,
    likeliest_states,
    oxidised,
    pymatgen_electronegativity,
)

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

HALOGENS = frozenset({"F", "Cl", "Br", "I"})
ANIONS = HALOGENS | {"H", "N", "Si", "Sb", "Se", "Te"}  # these are corrected as anions; O and S have their own rules
NONMETALS = HALOGENS | {"H", "C", "N", "O", "P", "S", "Se"}  # a compound without any of these is an alloy


@dataclass(frozen=True)
class Correction:
    """What has to be added to a raw energy. parts: eV/atom by reason, such as "anion correction (oxide)"."""

    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        """The sum of the parts, eV/atom."""
        return sum(self.parts.values())


def composition_correction(composition: Composition, data: Mapping[str, Any], plus_u: bool = True) -> float | None:
    """The MP2020 correction by the composition alone, eV/atom; None where only a structure can tell.

    data: of an entry of pymatgen, with oxidation_states, oxide_type and sulfide_type as far as they are known. plus_u:
    as in `mp2020_correction`.
    """
    counts = {e.symbol: round(n) for e, n in composition.items()}
    states = data.get("oxidation_states") or likeliest_states(counts)
    if _doubtful(composition, states) and not states:
        return None
    return _correction(composition, {**data, "oxidation_states": states}, plus_u).total


def mp2020_correction(structure: Structure, plus_u: bool = True) -> Correction:
    """The MP2020 correction of a raw energy of this structure.

    plus_u: whether the energy was computed with the Materials Project's settings, which are PBE+U for oxides and
    fluorides of Co, Cr, Fe, Mn, Mo, Ni, V and W. False means plain PBE, which needs the corrections of anions only. The
    structure decides between oxides, peroxides, superoxides and ozonides, and between sulfides and other sulfur;
    `pipeline.anions` decides which other elements are anions. Raises NucleateError where that is not known.
    """
    from pymatgen.analysis.structure_analyzer import oxide_type, sulfide_type

    data: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns of electronegativities of noble gases
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
        # Bonds can show that an element is no anion, and that a halogen is one; for other elements they do not suffice
        if undecided := [e for e in doubtful if bonds[e] is None or (bonds[e] and e not in HALOGENS)]:
            raise NucleateError(
                f"the MP2020 correction of {composition.reduced_formula} is not known: no oxidation states add up to "
                f"zero, and its bonds do not tell whether {' and '.join(undecided)} is an anion"
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
    """The sum of `mp2020_correction` in eV/atom, None where it is not known."""
    try:
        return mp2020_correction(structure, plus_u).total
    except NucleateError:
        return None


def _doubtful(composition: Composition, states: Mapping[str, float]) -> list[str]:
    """Elements that are corrected if they are anions, where neither the scheme nor oxidation states say whether they
    are."""
    symbols = {e.symbol for e in composition}
    if len(symbols) < 3 or not (states or symbols & NONMETALS):
        # Of two elements the more electronegative one is the anion. An alloy has anions only if states balance.
        return []
    told = {_most_electronegative(composition), *states}
    return sorted(symbols & ANIONS - told)


def _most_electronegative(composition: Composition) -> str:
    known = {e.symbol: x for e in composition if (x := pymatgen_electronegativity(e.symbol)) is not None}
    return max(known, key=lambda e: known[e], default="")


def _correction(composition: Composition, data: Mapping[str, Any], plus_u: bool) -> Correction:
    """The correction by pymatgen's scheme, for a composition whose anions are known. Elements without an
    electronegativity (noble gases) are left out: the scheme sorts by it, and has no correction for them."""
    from pymatgen.core import Composition
    from pymatgen.entries.computed_entries import ComputedEntry

    scheme = _scheme(plus_u)
    bonding = Composition({e: n for e, n in composition.items() if pymatgen_electronegativity(e.symbol) is not None})
    kinds = {e.symbol for e in bonding}
    values = scheme.u_settings.get(_most_electronegative(bonding), {})
    values = {e: u for e, u in values.items() if e in kinds and u}
    parameters = {"run_type": "GGA+U" if values else "GGA", "hubbards": values, "software": "none"}
    entry = ComputedEntry(bonding, 0.0, parameters=parameters, data=dict(data))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns where oxidation states are not given
        found = scheme.get_adjustments(entry)
    atoms = composition.num_atoms
    return Correction({a.name.removeprefix(f"{scheme.name} "): float(a.value / atoms) for a in found})


@cache
def _scheme(plus_u: bool) -> Any:
    from pymatgen.entries.compatibility import MaterialsProject2020Compatibility

    return MaterialsProject2020Compatibility("Advanced" if plus_u else "GGA", check_potcar=False)
