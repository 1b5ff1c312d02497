"""Elements, competing phases, and the messages on those that are missing."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ase.build import bulk
from pymatgen.core import Composition, Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from nucleate.dft.hull import Compound, dft_above_hull, dft_formation_energy
from nucleate.dft.job import DONE, FAILED, Runner
from nucleate.dft.programs import InstalledProgram, find_program
from nucleate.dft.references import References, crystal_atoms
from nucleate.dft.settings import DFTSettings
from nucleate.dft.stage import compute_candidates, to_candidate, to_row
from nucleate.errors import NucleateError
from nucleate.hull.reference import Entry, ReferenceSet
from nucleate.pipeline.candidate import Candidate, Energy
from nucleate.relaxation.guard import OutOfRange

SETTINGS = DFTSettings(cutoff=400.0, wall_time=600.0)


def alloy(gold, a=3.9):
    atoms = bulk("Cu", cubic=True, a=a)
    atoms.numbers[:gold] = 79
    return AseAtomsAdaptor.get_structure(atoms)


def dataset(path, crystals):
    """A parquet file of known crystals; {source: (structure, e_above_hull)}."""
    rows = {k: [] for k in ("material_id", "atomic_numbers", "frac_coords", "lengths", "angles", "e_above_hull")}
    for source, (s, above) in crystals.items():
        rows["material_id"].append(source)
        rows["atomic_numbers"].append([site.specie.Z for site in s])
        rows["frac_coords"].append(s.frac_coords.ravel().tolist())
        rows["lengths"].append(list(s.lattice.abc))
        rows["angles"].append(list(s.lattice.angles))
        rows["e_above_hull"].append(above)
    pq.write_table(pa.table(rows), path)
    return str(path)


@pytest.fixture
def reference(tmp_path):
    """A potential's hull of Cu-Au: four compounds on it."""
    entries = [Entry("Cu", 0.0, 225, "k-cu", 11.0, 1), Entry("Au", 0.0, 225, "k-au", 17.0, 1)]
    entries += [
        Entry("CuAu", -0.20, 123, "k-1", 14.0, 2),
        Entry("Cu3Au", -0.15, 221, "k-2", 12.0, 4),
        Entry("CuAu3", -0.15, 221, "k-3", 16.0, 4),
        Entry("Cu7Au", -0.09, 225, "k-4", 12.0, 32),
    ]
    ReferenceSet.from_entries("toy", "a potential", entries).save(tmp_path / "toy.parquet")
    return str(tmp_path / "toy.parquet")


def test_phases_that_are_not_computed_have_their_reason(gpaw, tmp_path, reference):
    big = alloy(0).copy()
    big.make_supercell([2, 2, 2])
    big.replace(0, "Au")
    known = dataset(tmp_path / "known.parquet", {"k-1": (alloy(2), 0.0), "k-2": (alloy(1), 0.0), "k-4": (big, 0.0)})
    runner = Runner(find_program("gpaw"), SETTINGS)
    references = References(runner, tmp_path / "cache", known, reference, max_atoms=8)
    found = {p.formula: p.missing for p in references.phases(["Au", "Cu"])}
    assert found == {
        "CuAu": "",
        "Cu3Au": "",
        "CuAu3": f"{known} has no k-3",
        "Cu7Au": "32 atoms",
    }
    energies = {"e_form": Energy(-0.2, "M3GNet (uncorrected)")}
    candidates = [Candidate("a", structure=alloy(2, 4.0), energies=energies), Candidate("b")]
    candidates.append(Candidate("c", structure=alloy(1, 0.5)))  # no relaxation can start from it
    seen = []
    results = compute_candidates(candidates, tmp_path / "run", runner, references, 2, lambda r: seen.append(len(r)))
    a, b, c = results
    assert a.outcome.status == DONE and b.outcome.reason == "there is no structure"
    assert c.outcome.status == FAILED and "cubic angstrom per atom" in c.outcome.reason
    assert a.e_above_hull == pytest.approx(0, abs=1e-3) and a.lower_bound  # it is the phase k-1
    assert a.missing == (f"CuAu3 ({known} has no k-3)", "Cu7Au (32 atoms)")
    assert a.e_form == a.e_form_corrected  # no anions
    assert seen[0] == 1 and seen[-1] == 3 and (tmp_path / "run" / "a" / "result.json").is_file()

    row, record = to_row(a, runner.method), to_candidate(a, runner.method)
    assert row["difference"] == pytest.approx(a.e_form + 0.2)  # both energies are raw
    assert row["volume_change"] < 0 and row["lower_bound"] and row["space_group"] == "P4/mmm"
    assert record.energies["e_form"].method == runner.method
    assert record.energies["e_form_mp2020"].method.endswith("MP2020-corrected)")
    assert Candidate.from_dict(record.to_dict()).provenance["before_dft"]["e_form"]["value"] == -0.2
    n = len(gpaw.read_text().splitlines())
    again = compute_candidates(candidates, tmp_path / "run", runner, references)
    assert [r.e_form for r in again] == [r.e_form for r in results] and len(gpaw.read_text().splitlines()) == n


def test_an_element_that_fails_leaves_the_formation_energy_open(gpaw, tmp_path, reference):
    runner = Runner(find_program("gpaw"), SETTINGS)
    references = References(runner, tmp_path / "cache", "known", reference, 8)
    sulfide = Structure(Lattice.cubic(4.0), ["Cu", "S"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    (found,) = compute_candidates([Candidate("a", structure=sulfide)], tmp_path / "run", runner, references)
    assert found.e_form is None and found.e_above_hull is None
    assert found.outcome.status != DONE or "element S" in found.missing[0]


def test_elements_that_the_package_lacks_come_from_the_dataset(tmp_path, reference):
    s = Structure(Lattice.cubic(3.3), ["S"], [[0, 0, 0]])
    long = Structure(Lattice.cubic(9.0), ["S"] * 9, np.arange(27).reshape(9, 3) / 27)
    known = dataset(tmp_path / "known.parquet", {"s-1": (s, 0.1), "s-9": (long, 0.0)})
    runner = Runner(InstalledProgram("gpaw", "GPAW", "1", ("nothing",)), SETTINGS)
    kind, atoms = References(runner, tmp_path, known, reference, 8)._element("S")
    assert kind == "crystal" and len(atoms) == 1
    with pytest.raises(NucleateError, match="no crystal of elemental Mn with 8 atoms"):
        References(runner, tmp_path, known, reference, 8)._element("Mn")
    kind, atoms = References(runner, tmp_path, "known", reference, 60)._element("Mn")
    assert kind == "crystal" and set(atoms.get_chemical_symbols()) == {"Mn"}


def test_a_system_that_the_reference_lacks_is_reported(gpaw, tmp_path, reference):
    runner = Runner(find_program("gpaw"), SETTINGS)
    silver = AseAtomsAdaptor.get_structure(bulk("Ag"))
    references = References(runner, tmp_path / "cache", "known", reference, 8)
    (found,) = compute_candidates([Candidate("a", structure=silver)], tmp_path / "run", runner, references)
    assert found.e_form == pytest.approx(0, abs=1e-4) and found.e_above_hull is None
    assert "no energy of elemental Ag" in found.missing[0]


def test_caches_are_named_after_all_that_matters(tmp_path):
    def folder(version="1", name="gpaw", **kwargs):
        runner = Runner(InstalledProgram(name, name.upper(), version, ("python",)), DFTSettings(**kwargs))
        return References(runner, tmp_path, "known", "toy", 8).folder

    assert folder() == folder(wall_time=1.0)
    assert len({folder(), folder("2"), folder(name="abinit"), folder(fmax=0.02), folder(cutoff=500.0)}) == 5


def test_symmetry_that_a_relaxation_broke_is_restored():
    rough = alloy(2)
    rough.make_supercell([2, 1, 1])
    rough.perturb(0.01)
    atoms = crystal_atoms(rough)
    assert len(atoms) == 2  # the primitive cell
    long = Structure.from_spacegroup(
        "Cmmm", Lattice.orthorhombic(4.2, 12.8, 4.2), ["Mg", "O"], [[0, 0, 0], [0, 0, 0.5]]
    )
    reduced = crystal_atoms(long)
    assert len(reduced) == 2 and all(60 - 1e-6 < angle < 120 + 1e-6 for angle in reduced.cell.angles())
    assert reduced.get_volume() == pytest.approx(long.volume / 2)
    with pytest.raises(OutOfRange, match="no volume"):
        crystal_atoms(Structure(np.zeros((3, 3)), ["Cu"], [[0, 0, 0]]))


def test_the_hull_of_dft_energies_is_computed():
    elements = {"Mg": -1.0, "O": -5.0}
    oxide = Compound(Composition("MgO"), -6.0, -0.3)
    peroxide = Compound(Composition("MgO2"), -5.5, -0.4)
    assert dft_formation_energy(oxide, elements) == pytest.approx(-3.0)
    assert dft_formation_energy(oxide, elements, corrected=True) == pytest.approx(-3.3)
    assert dft_above_hull(peroxide, elements, [oxide]) == pytest.approx(-5.5 + 11 / 3 + 3.0 * 2 / 3)
    assert dft_above_hull(oxide, elements, []) == pytest.approx(-3.0)  # below all that is there
    stranger = Compound(Composition("Fe2O3"), -100.0)
    assert dft_above_hull(oxide, elements, [oxide, stranger]) == pytest.approx(0)
