import math

import pytest
from ase.build import bulk
from pymatgen.core import Lattice, Structure
from pymatgen.entries.computed_entries import ComputedStructureEntry

import nucleate
from nucleate.errors import NucleateError
from nucleate.hull.reference import Entry, ReferenceSet

EMT = "ase:ase.calculators.emt:EMT"
SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture(scope="module")
def metals(tmp_path_factory):
    """A reference of copper and gold by the same method: Cu at -0.1, Au at 0, CuAu at -0.2 eV/atom."""
    from nucleate.potentials import get_potential

    entries = [
        Entry("Cu", -0.1, 225, "k-1", 11.8, 1),
        Entry("Au", 0.0, 225, "k-2", 16.9, 1),
        Entry("CuAu", -0.2, 123, "k-3", 14.0, 2),
    ]
    path = tmp_path_factory.mktemp("reference") / "metals.parquet"
    ReferenceSet.from_entries("metals", get_potential(EMT).method, entries, {}).save(path)
    return str(path)


def test_one_crystal_in_one_candidate_out():
    relaxed = nucleate.relax(bulk("Cu", a=3.9), potential=EMT)
    assert relaxed.converged and relaxed.structure.lattice.a == pytest.approx(3.59 / math.sqrt(2), abs=0.02)
    assert relaxed.energy_per_atom == pytest.approx(-0.006, abs=0.01)
    atoms = relaxed.to_ase()
    assert atoms.get_potential_energy() == pytest.approx(relaxed.energy_per_atom) and atoms.pbc.all()
    assert "eV/atom" in repr(relaxed) and "relaxed: pass" in repr(relaxed)
    entry = nucleate.relax(bulk("Cu", cubic=True), potential=EMT).to_entry()
    assert isinstance(entry, ComputedStructureEntry) and entry.energy == pytest.approx(4 * entry.energy_per_atom)
    assert entry.parameters["method"].startswith("ASE calculator")


def test_several_in_several_out_and_a_failure_is_among_them():
    found = nucleate.relax([bulk("Cu"), SALT], potential=EMT)
    assert [c.failure is None for c in found] == [True, False] and len(found.living) == 1
    frame = found.to_frame()
    assert list(frame["formula"]) == ["Cu", "NaCl"] and frame["failure"][1]
    assert len(found.to_entries()) == 1 and len(found.to_ase()) == 2 and len(found.structures) == 2
    with pytest.raises(NucleateError, match="NaCl-1: "):
        nucleate.relax(SALT, potential=EMT)
    with pytest.raises(NucleateError, match="no energy; nucleate.relax"):
        found[1].to_entry()


def test_a_step_limit_is_not_convergence():
    assert not nucleate.relax(bulk("Cu", a=3.9), potential=EMT, steps=0).converged


def test_the_height_above_the_hull_says_where_it_comes_from(metals):
    alloy = Structure(Lattice.tetragonal(2.8, 3.7), ["Cu", "Au"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    height = nucleate.e_above_hull(alloy, potential=EMT, reference=metals)
    energy = height.candidate.energy_per_atom
    assert height == pytest.approx(energy + 0.2) and height.e_form == pytest.approx(energy + 0.05)
    assert height.decomposition == "CuAu" and height.reference == "metals" and not height.reason
    assert "eV/atom above the hull, over CuAu" in repr(height)
    given = nucleate.e_above_hull(alloy, potential=EMT, reference=metals, relaxed=True)
    assert given > height and given.candidate.structure.volume == pytest.approx(alloy.volume)
    again = nucleate.e_above_hull(height.candidate, potential=EMT, reference=metals)
    assert again == height  # its energy is taken as it is


def test_what_is_not_known_is_nan_among_several_and_an_error_alone(metals):
    silver, copper = bulk("Ag"), bulk("Cu")
    found = nucleate.e_above_hull([silver, copper], potential=EMT, reference=metals)
    assert math.isnan(found[0]) and "Ag" in found[0].reason and not math.isnan(found[1])
    with pytest.raises(NucleateError, match="no energy of elemental Ag"):
        nucleate.e_above_hull(silver, potential=EMT, reference=metals)
    with pytest.raises(NucleateError, match="cannot be compared"):
        nucleate.e_above_hull(copper, potential=EMT)


def test_checks_of_formulas_and_crystals():
    assert nucleate.check("NaCl").checks["charge"].verdict == "pass"
    mixed = nucleate.check(["NaCl2", SALT, "Xx"])
    assert [c.checks["charge"].verdict for c in mixed[:2]] == ["fail", "pass"] and mixed[2].failure is not None
    assert "distance" in mixed[1].checks and "distance" not in mixed[0].checks
    text = repr(mixed)
    assert text.startswith("3 candidates") and "rejected" in text
    with pytest.raises(NucleateError, match="icsd24"):
        nucleate.check("NaCl", states="mine")


def test_substitution_takes_structures_files_and_shared_sites(tmp_path):
    file = tmp_path / "salt.cif"
    SALT.to(filename=str(file))
    found = nucleate.substitute(SALT, {"Na": ["K", "Li"]}, top=1)
    assert len(found) == 1 and found[0].provenance["parent"] == "NaCl"
    assert {c.formula for c in nucleate.substitute([file, SALT], {"Na": "K"})} == {"KCl"}
    shared = SALT.copy()
    shared.replace_species({"Na": {"Na": 0.5, "K": 0.5}})
    assert all(c.formula == "KNaCl2" for c in nucleate.substitute(shared, {}))
    with pytest.raises(NucleateError, match="at least 1, not 0"):
        nucleate.substitute(SALT, {"Na": "K"}, top=0)


def test_a_table_can_be_written_and_sliced(tmp_path):
    found = nucleate.check([SALT, bulk("MgO", "rocksalt", a=4.2)])
    assert type(found[:1]).__name__ == "Candidates" and found[0].id == "NaCl-1"
    assert len(nucleate.read_structures(found.write(tmp_path / "x.extxyz")).structures) == 2
    assert len(nucleate.read_structures(str(tmp_path / "x.extxyz")).structures) == 2
