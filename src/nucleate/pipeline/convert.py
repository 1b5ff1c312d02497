"""Candidates as objects of pymatgen and ASE, and as plain values under flat names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.errors import Code, NucleateError

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure
    from pymatgen.entries.computed_entries import ComputedStructureEntry

    from nucleate.pipeline.candidate import Candidate


def require_structure(candidate: Candidate) -> Structure:
    """The structure of the candidate. Raises NucleateError, with the reason of its failure, if it has none."""
    if candidate.structure is None:
        why = f": {candidate.failure.reason}" if candidate.failure else ""
        raise NucleateError(f"{candidate.id} has no structure{why}", code=Code.NO_STRUCTURE)
    return candidate.structure


def to_ase(candidate: Candidate) -> Atoms:
    """The crystal as ASE atoms. `info` holds id, formula and energies with their methods. If there is an energy, a
    `SinglePointCalculator` gives it in eV for the cell. Raises NucleateError if there is no structure."""
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    structure = require_structure(candidate)
    atoms = Atoms(
        numbers=[site.specie.Z for site in structure],
        cell=structure.lattice.matrix,
        scaled_positions=structure.frac_coords,
        pbc=True,
        info={"id": candidate.id, "formula": candidate.formula, **scalar_info(candidate)},
    )
    if candidate.energy_per_atom is not None:
        atoms.calc = SinglePointCalculator(atoms, energy=candidate.energy_per_atom * len(atoms))
    return atoms


def to_entry(candidate: Candidate) -> ComputedStructureEntry:
    """The crystal with its energy, in eV for the cell, for phase diagrams of pymatgen. The method is in `parameters`,
    and other energies, in eV/atom, are in `data`. Raises NucleateError if there is no structure or no energy."""
    from pymatgen.entries.computed_entries import ComputedStructureEntry

    structure = require_structure(candidate)
    energy = candidate.energies.get("energy")
    if energy is None:
        raise NucleateError(f"{candidate.id} has no energy; nucleate.relax gives it one")
    return ComputedStructureEntry(
        structure,
        energy.value * len(structure),
        entry_id=candidate.id,
        parameters={"method": str(energy.method)},
        data={name: value.value for name, value in candidate.energies.items() if name != "energy"},
    )


def scalar_info(candidate: Candidate) -> dict[str, Any]:
    """What is known of a candidate, as plain values for file formats that take a flat list of them.

    Each energy (eV/atom) has its name, and its method and reference that name with "_method" and "_reference". The name
    of "energy" is "energy_per_atom", because in ASE's formats `energy` is that of the whole cell. Verdicts and reasons
    of checks are "check_<name>" and "check_<name>_reason", predictions of a property network "predicted_<column>" and
    "predicted_by". Seed and failure have these names.
    """
    from nucleate.io.parse import scalars

    info: dict[str, Any] = {"seed": candidate.seed}
    for name, energy in candidate.energies.items():
        key = "energy_per_atom" if name == "energy" else name
        info[key] = energy.value
        info[f"{key}_method"] = str(energy.method)
        if energy.reference:
            info[f"{key}_reference"] = energy.reference
    if candidate.predicted is not None and candidate.predicted.values:
        info |= {f"predicted_{column}": value for column, value in candidate.predicted.values.items()}
        info["predicted_by"] = candidate.predicted.by
    for name, check in candidate.checks.items():
        info[f"check_{name}"] = check.verdict
        if check.reason:
            info[f"check_{name}_reason"] = check.reason
    if candidate.failure:
        info["failure"] = str(candidate.failure)
    return scalars(info)
