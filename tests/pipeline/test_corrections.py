from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
from pymatgen.entries.computed_entries import ComputedStructureEntry

from nucleate.errors import NucleateError
from nucleate.hull.reference import Entry, ReferenceSet
from nucleate.hull.scale import to_reference_scale
from nucleate.pipeline.candidate import Candidate, Energy
from nucleate.pipeline.corrections import mp2020_correction
from nucleate.pipeline.method import EnergyMethod
from nucleate.stages.hull import HullStage

RAW = "net 1 (PBE+U, uncorrected)"
CORRECTED = EnergyMethod(RAW).with_corrections()


def salt(a: float, *species: str) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), list(species), [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_published_numbers() -> None:
    # Wang et al. (2021), table 1: Cl -0.614, oxide -0.687; Fe in oxides -2.256 eV per atom
    assert mp2020_correction(salt(5.69, "Na", "Cl")).total == pytest.approx(-0.614 / 2)
    iron = mp2020_correction(salt(4.3, "Fe", "O"))
    assert iron.parts == pytest.approx(
        {"anion correction (oxide)": -0.687 / 2, "GGA/GGA+U mixing correction (Fe)": -2.256 / 2}
    )
    plain = mp2020_correction(salt(4.3, "Fe", "O"), plus_u=False)
    assert plain.parts == pytest.approx({"anion correction (oxide)": -0.687 / 2})
    assert mp2020_correction(salt(4.0, "Fe", "Al")).parts == {}  # no anion, no +U
    assert mp2020_correction(Structure(Lattice.cubic(3), ["O", "O"], [[0, 0, 0], [0.4, 0, 0]])).parts == {}


def test_peroxides_are_told_from_oxides_by_their_bonds() -> None:
    near = Structure(Lattice.cubic(4.5), ["Li", "Li", "O", "O"], [[0, 0, 0.5], [0.5, 0.5, 0], [0, 0, 0], [0.32, 0, 0]])
    assert list(mp2020_correction(near).parts) == ["anion correction (peroxide)"]


@pytest.mark.parametrize(
    "structure", [salt(5.6, "Ca", "S"), salt(4.2, "Ni", "F"), salt(5.0, "Ti", "N"), salt(6, "K", "I")]
)
def test_corrections_are_those_of_pymatgen(structure: Structure) -> None:
    values = {"Ni": 6.2} if "Ni" in structure.composition else {}
    parameters = {"run_type": "GGA+U" if values else "GGA", "hubbards": values, "software": "other"}
    entry = ComputedStructureEntry(structure, -10.0, parameters=parameters)
    done = MaterialsProject2020Compatibility(check_potcar=False).process_entry(entry)
    assert done is not None
    assert mp2020_correction(structure).total == pytest.approx(done.correction_per_atom)


def test_names_of_methods() -> None:
    assert CORRECTED == "net 1 (PBE+U, MP2020-corrected)"
    assert EnergyMethod("other").with_corrections() == "other + MP2020 corrections"


def corrected_set() -> ReferenceSet:
    entries = [Entry("Na", -1, 229, "a", 37, 1), Entry("Cl", -2, 64, "b", 30, 4)]
    return ReferenceSet.from_entries("set", CORRECTED, entries)


def test_a_raw_energy_is_corrected_for_a_corrected_hull_and_the_correction_is_recorded() -> None:
    nacl = salt(5.69, "Na", "Cl")
    (out,) = HullStage(corrected_set())([Candidate("a", structure=nacl, energies={"energy": Energy(-3.2, RAW)})])
    assert out.energies["e_form"] == Energy(pytest.approx(-1.7 - 0.307), CORRECTED, "set")
    assert out.hull.correction == pytest.approx({"anion correction (Cl)": -0.307})
    assert out.energies["energy"] == Energy(-3.2, RAW)  # the energy of the potential stays


def test_a_corrected_energy_is_not_corrected_again_and_others_are_refused() -> None:
    nacl, reference = salt(5.69, "Na", "Cl"), corrected_set()
    assert to_reference_scale(Energy(-3.5, reference.method), nacl, reference) == (Energy(-3.5, reference.method), None)
    with pytest.raises(NucleateError, match="cannot be compared"):
        to_reference_scale(Energy(-3.5, "another (PBE+U, uncorrected)"), nacl, reference)
