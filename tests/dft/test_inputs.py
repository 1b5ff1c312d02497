"""Inputs read back by the packages that know the formats."""

import sys

import ase.io
import pytest
from ase.build import bulk
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.vasp.inputs import Incar, Kpoints

from nucleate.dft.frames import read_json_object
from nucleate.dft.inputs import plan_calculations, pseudopotentials, with_known_potcars, write_inputs
from nucleate.dft.settings import PRESETS
from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate


@pytest.fixture
def todo():
    feo = AseAtomsAdaptor.get_structure(bulk("FeO", "rocksalt", a=4.3))
    out, refused = plan_calculations([Candidate("c 1", structure=feo), Candidate("c2")])
    assert refused == ["c2: there is no structure"]
    return out


def test_inputs_for_the_elements_are_written_too(todo):
    assert [(w.name, w.kind) for w in todo] == [
        ("c_1", "crystal"),
        ("elements/Fe", "crystal"),
        ("elements/O", "molecule"),
    ]
    sulfide = AseAtomsAdaptor.get_structure(bulk("FeS", "rocksalt", a=5.0))
    _, refused = plan_calculations([Candidate("a", structure=sulfide)])
    assert "elemental S" in refused[0]


def test_vasp_inputs_are_the_materials_projects(todo, tmp_path):
    assert len(write_inputs(todo, tmp_path, "vasp")) == 3
    incar = Incar.from_file(str(tmp_path / "c_1" / "INCAR"))
    assert incar["ENCUT"] == 520 and incar["ISIF"] == 3 and incar["LDAU"] and max(incar["LDAUU"]) == 5.3
    structure = Structure.from_file(str(tmp_path / "c_1" / "POSCAR"))
    assert structure.composition.reduced_formula == "FeO" and len(structure) == 2
    assert not (tmp_path / "c_1" / "POTCAR").exists() and "Fe_pv" in (tmp_path / "c_1" / "POTCAR.spec").read_text()
    oxygen = Incar.from_file(str(tmp_path / "elements" / "O" / "INCAR"))
    assert oxygen["NUPDOWN"] == 2 and oxygen["ISIF"] == 2 and oxygen["ISMEAR"] == 0
    assert Kpoints.from_file(str(tmp_path / "elements" / "O" / "KPOINTS")).kpts == [(1, 1, 1)]
    assert read_json_object(tmp_path / "c_1" / "candidate.json")["candidate"]["id"] == "c 1"


def test_qe_inputs(todo, tmp_path):
    pseudos = tmp_path / "upf"
    pseudos.mkdir()
    for name in ("Fe.pbe-spn-kjpaw_psl.0.2.1.UPF", "o_pbe_v1.2.uspp.F.UPF", "Os_pbe.upf", "F.upf", "readme.txt"):
        (pseudos / name).write_text("")
    write_inputs(todo, tmp_path / "in", "qe", "standard", PRESETS["standard"], pseudos)
    text = (tmp_path / "in" / "c_1" / "pw.in").read_text()
    assert "'vc-relax'" in text and "Fe.pbe-spn-kjpaw_psl.0.2.1.UPF" in text and "o_pbe_v1.2.uspp.F.UPF" in text
    assert "nspin            = 2" in text and "starting_magnetization(1) = 0.5" in text and str(pseudos) in text
    assert "&FCP" not in text and "\n8 8 8  0 0 0" in text
    atoms = ase.io.read(tmp_path / "in" / "c_1" / "pw.in", format="espresso-in")
    assert sorted(atoms.get_chemical_symbols()) == ["Fe", "O"]
    assert atoms.get_volume() == pytest.approx(4.3**3 / 4)
    oxygen = (tmp_path / "in" / "elements" / "O" / "pw.in").read_text()
    assert "tot_magnetization = 2.0" in oxygen and "'relax'" in oxygen and "1 1 1" in oxygen


def test_pseudopotentials_that_are_missing_or_doubled_are_named(tmp_path):
    (tmp_path / "Fe.upf").write_text("")
    assert pseudopotentials(None, ["O", "Fe"]) == {"Fe": "Fe.upf", "O": "O.upf"}
    with pytest.raises(NucleateError, match="no UPF file of F, O"):
        pseudopotentials(tmp_path, ["O", "Fe", "F"])
    (tmp_path / "fe_pbe.UPF").write_text("")
    with pytest.raises(NucleateError, match="several UPF files of Fe"):
        pseudopotentials(tmp_path, ["Fe"])
    with pytest.raises(NucleateError, match="no folder"):
        pseudopotentials(tmp_path / "nowhere", ["Fe"])


def test_an_unknown_code_is_refused(todo, tmp_path):
    with pytest.raises(NucleateError, match="vasp, qe"):
        write_inputs(todo, tmp_path, "castep")


def test_nothing_is_written_before_every_option_and_package_is_checked(todo, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "atomate2.vasp.flows.mp", None)
    out = tmp_path / "out"
    (tmp_path / "file").write_text("")
    for arguments, said in (
        ((out, "vasp", "standard", None, None, True), r"pip install 'nucleate\[atomate2\]'"),
        ((out, "qe", "standard", None, None, True), "--flow makes a flow of VASP"),
        ((out, "vasp", "standard", None, tmp_path), "--pseudos are files for pw.x"),
        ((out, "qe", "standard", None, tmp_path), "no UPF file of Fe, O"),
        ((tmp_path / "file", "vasp"), "is a file"),
    ):
        with pytest.raises(NucleateError, match=said):
            write_inputs(todo, *arguments)
    with pytest.raises(NucleateError, match="several crystals would have the folder c_1"):
        write_inputs([*todo, todo[0]], out, "vasp")
    assert not out.exists()


def test_elements_without_a_potcar_are_named(todo):
    radium = AseAtomsAdaptor.get_structure(bulk("RaO", "rocksalt", a=5.5))
    more, _ = plan_calculations([Candidate("a", structure=radium)])
    left, refused = with_known_potcars([*todo, *more], "vasp")
    assert [w.name for w in left] == ["c_1", "elements/Fe", "elements/O", "elements/O"]
    assert refused[0] == "a: the Materials Project has no POTCAR of Ra"
    assert with_known_potcars(more, "qe")[1] == []


def test_a_flow_has_a_job_for_each_crystal(todo, tmp_path):
    pytest.importorskip("atomate2", reason="atomate2 is not installed (extra atomate2)")
    write_inputs(todo, tmp_path, "vasp", flow=True)
    assert "elements/Fe Fe" in (tmp_path / "flow.json").read_text()


def test_a_number_that_is_not_finite_in_a_record_stops_nothing(tmp_path):
    salt = AseAtomsAdaptor.get_structure(bulk("NaCl", "rocksalt", a=5.6))
    odd = {"properties": {"x": float("nan"), "y": [float("inf"), 1.5]}}
    todo, _ = plan_calculations(
        [Candidate("a", structure=salt, provenance=odd), Candidate("b", structure=salt)], elements=False
    )
    write_inputs(todo, tmp_path, "vasp")
    assert (tmp_path / "b" / "INCAR").is_file()
    kept = read_json_object(tmp_path / "a" / "candidate.json")["candidate"]["provenance"]
    assert kept == {"properties": {"x": None, "y": [None, 1.5]}}


def test_crystals_of_like_names_get_folders_of_their_own():
    salt = AseAtomsAdaptor.get_structure(bulk("NaCl", "rocksalt", a=5.6))
    todo, refused = plan_calculations(
        [Candidate(i, structure=salt) for i in ("x", "../../x", "X", "y")], elements=False
    )
    assert [w.name for w in todo] == ["x", "x-2", "X-3", "y"] and not refused
