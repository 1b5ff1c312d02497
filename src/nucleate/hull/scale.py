"""Brings an energy to the scale of a reference set, by MP2020 corrections where the set has them and the energy not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.hull.reference import ReferenceSet
from nucleate.pipeline.candidate import Energy
from nucleate.pipeline.corrections import Correction, mp2020_correction

if TYPE_CHECKING:
    from pymatgen.core import Structure


def to_reference_scale(
    energy: Energy, structure: Structure, reference: ReferenceSet
) -> tuple[Energy, Correction | None]:
    """The energy on the scale of a reference set, and the correction that was added to it; None if none was needed.

    energy: of the structure, eV/atom. Raises NucleateError for an energy of another method, and where its correction is
    not known.
    """
    if reference.method != energy.method.with_corrections():
        reference.require_method(energy.method)
        return energy, None
    correction = mp2020_correction(structure)
    return Energy(energy.value + correction.total, reference.method), correction
