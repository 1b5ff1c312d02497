"""Candidates as objects of pymatgen and ASE and as flat values, with their energies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.errors import Code, NucleateError

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure
    from pymatgen.entries.computed_entries import ComputedStructureEntry

    from nucleate.pipeline.candidate import Candidate


def structure_of(candidate: Candidate) -> Structure:
    """The structure; raises NucleateError, with the reason of its failure, where there is none."""
    if candidate.structure is None:
        why = f": {candidate.failure.reason}" if candidate.failure else ""
        raise NucleateError(f"{candidate.id} has no structure{why}", code=Code.NO_STRUCTURE)
    return candidate.structure


def to_ase(candidate: Candidate) -> Atoms:
    """The crystal as ASE atoms. `info` holds id, formula and energies with their methods, and where there is an energy
    a `SinglePointCalculator` gives it for the cell, in eV."""
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    structure = structure_of(candidate)
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
    """The crystal with its energy, in eV for the cell, for phase diagrams of pymatgen. Other energies, in eV/atom, are
    in `data`, the method in `parameters`. Raises NucleateError where there is no energy."""
    from pymatgen.entries.computed_entries import ComputedStructureEntry

    structure = structure_of(candidate)
    energy = candidate.energies.get("energy")
    if energy is None:
        raise NucleateError(f"{candidate.id} has no energy; nucleate.relax gives it one")
    return ComputedStructureEntry(
        structure,
        energy.value * len(structure),
        entry_id=candidate.id,
        parameters={"method": energy.method},
        data={name: value.value for name, value in candidate.energies.items() if name != "energy"},
    )


def scalar_info(candidate: Candidate) -> dict[str, Any]:
    """Energies (eV/atom) each with "_method" and "_reference", "check_<name>" verdicts and reasons, seed, failure.

    Predictions of a property network are "predicted_<column>", with "predicted_by".
    "energy" becomes "energy_per_atom": in ASE's formats `energy` means the total energy of the cell.
    """
    from nucleate.io.parse import scalars

    info: dict[str, Any] = {"seed": candidate.seed}
    for name, energy in candidate.energies.items():
        key = "energy_per_atom" if name == "energy" else name
        info[key] = energy.value
        info[f"{key}_method"] = energy.method
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
