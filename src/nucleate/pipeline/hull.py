"""Formation energies and distances to the convex hull of a reference set, in eV/atom.

The hull holds the known crystals alone, never the candidates, so a candidate more stable than all of them gets
a negative e_above_hull: its energy minus that of the best mixture of known crystals with its composition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import UNKNOWN, Candidate, Check, Energy
from nucleate.pipeline.reference import ReferenceSet, load_reference

if TYPE_CHECKING:
    from pymatgen.analysis.phase_diagram import PhaseDiagram
    from pymatgen.core import Composition

AMOUNT = 1e-3  # smaller parts of a decomposition are not written


class HullStage:
    """Gives each candidate "e_form" and "e_above_hull", from its "energy", and provenance "decomposition".

    Without the energy of an element the check "hull" is unknown and says why. Raises NucleateError for an energy of
    another method than the reference's.
    """

    name = "hull"
    batched = False

    def __init__(self, reference: str | ReferenceSet = "chgnet-mp") -> None:
        self._source = reference  # a name travels to worker processes more lightly than a set
        _ = self.reference  # a missing set is an error now, not in the middle of a run

    @property
    def reference(self) -> ReferenceSet:
        return self._source if isinstance(self._source, ReferenceSet) else load_reference(self._source)

    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        for candidate in candidates:
            yield self._evaluate(candidate)

    def _evaluate(self, candidate: Candidate) -> Candidate:
        reference = self.reference
        energy = candidate.energies.get("energy")
        if candidate.structure is None or energy is None:
            what = "structure" if candidate.structure is None else "energy (relax first)"
            return candidate.with_(checks={"hull": Check(UNKNOWN, f"no {what}")})
        reference.require_method(energy.method)
        composition = candidate.structure.composition.element_composition
        if missing := _missing(composition, reference):
            reason = f"reference '{reference.name}' has no energy of elemental {', '.join(missing)}"
            return candidate.with_(checks={"hull": Check(UNKNOWN, reason)})
        e_form = formation_energy(composition, energy.value, reference)
        above, parts = distance_to_hull(composition, energy.value, reference)
        return candidate.with_(
            energies={
                "e_form": Energy(e_form, reference.method, reference.name),
                "e_above_hull": Energy(above, reference.method, reference.name),
            },
            provenance={"decomposition": format_decomposition(parts)},
        )


def formation_energy(
    composition: Composition | Mapping[str, float], energy_per_atom: float, reference: ReferenceSet
) -> float:
    """Energy (eV/atom) relative to the lowest elemental crystals of the reference.

    The energy must be by the reference's method. Raises NucleateError if an element is missing there.
    """
    amounts = _amounts(composition)
    if missing := _missing(amounts, reference):
        raise NucleateError(f"reference '{reference.name}' has no energy of elemental {', '.join(missing)}")
    elemental = sum(n * min(reference.energies[i] for i in reference.of_formula({s: 1})) for s, n in amounts.items())
    return float(energy_per_atom - elemental / sum(amounts.values()))


def distance_to_hull(
    composition: Composition | Mapping[str, float], energy_per_atom: float, reference: ReferenceSet
) -> tuple[float, dict[str, float]]:
    """e_above_hull in eV/atom (negative: below all that is known), and the phases under it.

    The phases are formula -> formula units per formula unit of the reduced composition. Raises NucleateError if an
    element is missing in the reference.
    """
    from pymatgen.analysis.phase_diagram import PDEntry
    from pymatgen.core import Composition

    amounts = _amounts(composition)
    if missing := _missing(amounts, reference):
        raise NucleateError(f"reference '{reference.name}' has no energy of elemental {', '.join(missing)}")
    whole = Composition(amounts)
    diagram = phase_diagram(reference, frozenset(amounts))
    decomposition = diagram.get_decomposition(whole)
    hull = sum(fraction * entry.energy_per_atom for entry, fraction in decomposition.items())
    atoms = whole.reduced_composition.num_atoms
    parts: dict[str, float] = {}
    for entry, fraction in decomposition.items():
        assert isinstance(entry, PDEntry)
        units = float(fraction * atoms / entry.composition.num_atoms)
        parts[entry.name] = parts.get(entry.name, 0.0) + units
    return float(energy_per_atom - hull), parts


def stable_phases(elements: Iterable[str], reference: ReferenceSet) -> list[tuple[str, str, float]]:
    """(formula, source, e_form) of the phases on the hull of a chemical system, most negative e_form first."""
    from pymatgen.analysis.phase_diagram import PDEntry

    system = frozenset(elements)
    if missing := _missing(dict.fromkeys(system, 1), reference):
        raise NucleateError(f"reference '{reference.name}' has no energy of elemental {', '.join(missing)}")
    diagram = phase_diagram(reference, system)
    phases = [
        (e.name, str(e.attribute), float(diagram.get_form_energy_per_atom(e)))
        for e in diagram.stable_entries
        if isinstance(e, PDEntry)  # all are: `_diagram` made them
    ]
    return sorted(phases, key=lambda p: (p[2], p[0]))


def phase_diagram(reference: ReferenceSet, elements: frozenset[str]) -> PhaseDiagram:
    """The phase diagram of the known crystals of a chemical system, kept in memory.

    Not kept on disk: the reference set holds the costly energies; a diagram of 400 crystals takes about 60 ms.
    """
    return _diagram(reference, tuple(sorted(elements)))


@lru_cache(maxsize=256)
def _diagram(reference: ReferenceSet, elements: tuple[str, ...]) -> PhaseDiagram:
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    lowest: dict[tuple[tuple[str, int], ...], int] = {}  # polymorphs above the lowest one are never on the hull
    for i in reference.of_system(elements):
        key = reference.keys[i]
        if key not in lowest or reference.energies[i] < reference.energies[lowest[key]]:
            lowest[key] = i
    entries = []
    for key, i in lowest.items():
        composition = Composition(dict(key))
        energy = float(reference.energies[i]) * composition.num_atoms
        entries.append(PDEntry(composition, energy, name=reference.formulas[i], attribute=reference.sources[i]))
    return PhaseDiagram(entries)


def format_decomposition(parts: Mapping[str, float]) -> str:
    """{"Li2O": 0.5, "Fe2O3": 0.5} -> "0.5 Fe2O3 + 0.5 Li2O", largest amounts first."""
    kept = sorted(((n, f) for f, n in parts.items() if n >= AMOUNT), key=lambda p: (-round(p[0], 6), p[1]))
    return " + ".join(f if abs(n - 1) < AMOUNT else f"{n:.4g} {f}" for n, f in kept)


def _amounts(composition: Composition | Mapping[str, float]) -> dict[str, float]:
    from pymatgen.core import Composition

    return {str(s): float(n) for s, n in Composition(composition).element_composition.items()}


def _missing(composition: Composition | Mapping[str, float], reference: ReferenceSet) -> list[str]:
    return sorted({str(s) for s in composition} - reference.elements)
