"""The stage that computes formation energies and distances to the hull of a reference set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nucleate.chem.plausible import why_impossible
from nucleate.errors import NucleateError
from nucleate.hull.distances import (
    DEEPEST,
    distance_to_hull,
    format_decomposition,
    formation_energy,
    missing_elements,
)
from nucleate.hull.load import load_reference
from nucleate.hull.reference import ReferenceSet
from nucleate.hull.scale import to_reference_scale
from nucleate.pipeline.candidate import UNKNOWN, Candidate, Check, Energy
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage
from nucleate.pipeline.state import HullPlace


class HullStage(Stage):
    """Gives each candidate the energies "e_form" and "e_above_hull" (eV/atom), made of its "energy", and `hull`.

    If the reference set has MP2020 corrections and the energy has none, it is corrected first; `hull.correction` holds
    the parts of the correction. The check "hull" is unknown, with the reason, if the reference has no energy of an
    element, if the correction is not known, and for a crystal more than DEEPEST below the hull of known crystals.
    Raises NucleateError for an energy of another method than the reference's.
    """

    name = "hull"
    grain: Grain = "one"
    cost: Cost = "quick"
    resource: Resource = "cpu"

    def __init__(self, reference: str | ReferenceSet = "chgnet-mp") -> None:
        self._source = reference  # a name is pickled for worker processes faster than a set
        _ = self.reference  # so that a missing set is an error before the run begins

    @property
    def reference(self) -> ReferenceSet:
        """The reference set, loaded when it is first needed."""
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
        if reason := why_impossible("energy", energy.value):
            return candidate.with_(checks={"hull": Check(UNKNOWN, reason)})
        reference.require_method(energy.method, energy.method.with_corrections())
        try:
            energy, correction = to_reference_scale(energy, candidate.structure, reference)
        except NucleateError as error:  # its correction is not known
            return candidate.with_(checks={"hull": Check(UNKNOWN, str(error))})
        composition = candidate.structure.composition.element_composition
        if missing := missing_elements(composition, reference):
            reason = f"reference '{reference.name}' has no energy of elemental {', '.join(missing)}"
            return candidate.with_(checks={"hull": Check(UNKNOWN, reason)})
        e_form = formation_energy(composition, energy, reference)
        above, units = distance_to_hull(composition, energy, reference)
        phases = format_decomposition(units)
        deep = f"{-above:.2f} eV/atom below {phases}: '{reference.name}' lacks the phases that compete with it"
        return candidate.with_(
            checks={"hull": Check(UNKNOWN, deep)} if above < -DEEPEST else {},
            energies={
                "e_form": Energy(e_form, reference.method, reference.name),
                "e_above_hull": Energy(above, reference.method, reference.name),
            },
            hull=HullPlace(phases, dict(correction.parts) if correction is not None else {}),
        )
