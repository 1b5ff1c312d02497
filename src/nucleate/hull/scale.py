"""An energy on the scale of a reference set: as it is, or corrected where the set is the same method, corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.hull.reference import ReferenceSet
from nucleate.pipeline.candidate import Energy
from nucleate.pipeline.corrections import Correction, mp2020_correction
from nucleate.pipeline.method import EnergyMethod

if TYPE_CHECKING:
    from pymatgen.core import Structure


def onto(energy: Energy, structure: Structure, reference: ReferenceSet) -> tuple[Energy, Correction | None]:
    """The energy on the scale of a reference, and what was added to it (None: nothing was wanted).

    Raises NucleateError for an energy of another method, and where its correction is not known.
    """
    if reference.method != str(EnergyMethod.parse(energy.method).with_corrections()):
        reference.require_method(energy.method)
        return energy, None
    correction = mp2020_correction(structure)
    return Energy(energy.value + correction.total, reference.method), correction
