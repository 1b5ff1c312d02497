from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
from pymatgen.entries.computed_entries import ComputedEntry, ComputedStructureEntry

from nucleate.errors import NucleateError
from nucleate.hull.entries import VASP_RAW, from_computed_entries
from nucleate.hull.load import load_reference
from nucleate.hull.reference import Entry, ReferenceSet
from nucleate.hull.sources import materials_project, with_correction_endings
from nucleate.pipeline.candidate import Candidate, Check, Energy, Failure
from nucleate.pipeline.candidate_files import write_candidates

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
CSV = "formula,energy,method,source\nNa,-1,m,a\nCl2,-2,m,b\nNa2Cl2,-3.5,m,c\n"


def test_a_table_of_energies(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(CSV)
    found = load_reference(tmp_path / "mine.csv")
    assert (found.name, found.method, found.formulas) == ("mine", "m", ("Na", "Cl2", "NaCl"))
    assert found.energies.tolist() == [-1, -2, -3.5] and found.sources == ("a", "b", "c")
    own = {"method": "m", "entries": [{"formula": "Na", "energy": -1}, {"formula": "Ca(OH)2", "energy": -5}]}
    (tmp_path / "mine.json").write_text(json.dumps(own))
    assert load_reference(tmp_path / "mine.json").formulas == ("Na", "CaH2O2")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "formula,energy\nNa,-1\n", "lacks column 'method'"),
        ("a.csv", "formula,energy,method\nNa,-1,m\nCl,-2,other\n", "one method"),
        ("a.csv", "formula,energy,method\nNa,much,m\n", "entry 1"),
        ("a.csv", "formula,energy,method\nNaX,-1,m\n", "entry 1"),
        ("a.csv", "", "lacks column 'formula'"),
        ("a.json", "{", "not JSON"),
        ("a.json", "[1]", "holds no energies"),
        ("a.txt", "x", "no reference set"),
        ("a.csv", "formula,energy,method\nNa,-1_0,m\n", "'-1_0' is not a finite number"),
        ("a.csv", "formula,energy,method\nNa,nan,m\n", "'nan' is not a finite number"),
        ("a.csv", "formula,energy,method,unit\nNa,-1,m,kJ/mol\n", "in kJ/mol; give them in eV/atom"),
        ("a.csv", "formula,energy,method,num_atoms\nNa,-1,m,-2\n", "not positive"),
        ("a.csv", "formula,energy,method\nNa,1,m\nCl,2,m\nNaCl,3.5,m\n", "all energies of .* are positive"),
        ("a.json", '{"method": "m", "entries": [{"formula": "Na", "energy": true}]}', "'True' is not a finite number"),
        ("a.json", '{"method": "m", "unit": "eV/f.u.", "entries": []}', "eV/f.u.; give them in eV/atom"),
        ("a.json", '{"method": ["m"], "entries": []}', "'method' must be a text"),
    ],
)
def test_the_fault_of_a_table_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(NucleateError, match=message):
        load_reference(tmp_path / name)


def run_folder(folder: Path, method: str = "m") -> Path:
    folder.mkdir()
    ok, energies = {"relaxed": Check("pass")}, {"energy": Energy(-3.6, method)}
    candidates = [
        Candidate("good", structure=SALT, energies=energies, checks=ok),
        Candidate(
            "stopped", structure=SALT, energies={"energy": Energy(-9, method)}, checks={"relaxed": Check("fail")}
        ),
        Candidate(
            "gone",
            structure=SALT,
            energies={"energy": Energy(-9, method)},
            checks=ok,
            failure=Failure("relax", "error", "blew up"),
        ),
    ]
    write_candidates(folder / "candidates.jsonl", candidates)
    return folder


def test_a_previous_run_joins_a_set(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(CSV)
    run = run_folder(tmp_path / "run")
    found = load_reference(f"{tmp_path / 'mine.csv'},{run}")
    assert found.name == "mine+run" and found.sources == ("a", "b", "c", "run/good")
    assert found[3] == Entry("NaCl", pytest.approx(-3.6), 225, "run/good", pytest.approx(SALT.volume / 8, rel=1e-6), 8)
    assert len(load_reference(run)) == 1
    with pytest.raises(NucleateError, match="cannot be compared"):
        load_reference(f"{tmp_path / 'mine.csv'},{run_folder(tmp_path / 'other', 'else')}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NucleateError, match="is no run"):
        load_reference(tmp_path / "empty")


def test_a_raw_run_joins_a_corrected_set(tmp_path: Path) -> None:
    base = ReferenceSet.from_entries("c", "n (PBE+U, MP2020-corrected)", [Entry("Na", -1, 229, "a", 37, 1)])
    base.save(tmp_path / "c.parquet")
    run = run_folder(tmp_path / "run", "n (PBE+U, uncorrected)")
    joined = load_reference(f"{tmp_path / 'c.parquet'},{run}")
    assert joined[1].energy == pytest.approx(-3.6 - 0.307) and joined[1].correction == pytest.approx(-0.307)


def mp_entries(correct: bool = True) -> list[Any]:
    parameters = {"run_type": "GGA", "hubbards": {}, "software": "other"}
    entries: list[Any] = [
        ComputedStructureEntry(SALT, -3.2 * 8, parameters=parameters, entry_id="mp-1"),
        ComputedEntry("Na", -1.3, parameters=parameters, entry_id="mp-2"),
        ComputedEntry("Cl4", -7.4, parameters=parameters, entry_id="mp-3"),
    ]
    if correct:
        MaterialsProject2020Compatibility(check_potcar=False).process_entries(entries, inplace=True)
    return entries


def test_entries_of_pymatgen_keep_their_corrections(tmp_path: Path) -> None:
    found = from_computed_entries(mp_entries(), "mp")
    assert found.method.endswith("(MP2020-corrected)") and found.formulas == ("NaCl", "Na", "Cl2")
    assert found[0].energy == pytest.approx(-3.2 - 0.307) and found[0].correction == pytest.approx(-0.307)
    assert from_computed_entries(mp_entries(correct=False), "mp").method == VASP_RAW
    (tmp_path / "entries.json").write_text(json.dumps([e.as_dict() for e in mp_entries()]))
    read = load_reference(tmp_path / "entries.json")
    assert read.method == found.method and read.energies.tolist() == found.energies.tolist()


def test_mixed_entries_are_refused() -> None:
    mixed = [mp_entries()[0], *mp_entries(correct=False)]
    with pytest.raises(NucleateError, match="corrected and uncorrected"):
        from_computed_entries(mixed, "mp")
    other = mp_entries()
    other[1].parameters["run_type"] = "R2SCAN"
    with pytest.raises(NucleateError, match="R2SCAN"):
        from_computed_entries(other, "mp")


def hand_made(folder: Path, *entries: tuple[str, float], **more: Any) -> Path:
    """Entries with energies in eV per formula unit and nothing that says where they come from."""
    rows = [ComputedEntry(formula, energy, **more).as_dict() for formula, energy in entries]
    (folder / "entries.json").write_text(json.dumps(rows))
    return folder / "entries.json"


COMPOUNDS = [
    "Li2S",
    "Li3N",
    "LiH",
    "LiBr",
    "LiI",
    "Mg2Si",
    "Li2Se",
    "Li2Te",
    "Li3Sb",
    "Li2O2",
    "FeF3",
    "Na2SO4",
    "CsCl",
]


@pytest.mark.parametrize("formula", COMPOUNDS)
def test_entries_that_do_not_say_whether_they_are_corrected_are_refused(tmp_path: Path, formula: str) -> None:
    file = hand_made(tmp_path, (formula, -8.0), ("Li", -1.9))
    with pytest.raises(NucleateError, match=r"does not say whether .* FILE:corrected or FILE:raw"):
        load_reference(file)
    assert load_reference(f"{file}:raw").method == "energies of entries (uncorrected)"
    assert load_reference(f"{file}:corrected").method == "energies of entries (MP2020-corrected)"
    computed = hand_made(tmp_path, (formula, -8.0), parameters={"run_type": "GGA", "hubbards": {}})
    assert load_reference(computed).method == VASP_RAW  # an entry made of a program's output, without an adjustment


def test_alloys_and_elements_are_raw_and_corrected_alike(tmp_path: Path) -> None:
    file = hand_made(tmp_path, ("TiAl", -10.0), ("Ti", -7.8), ("O2", -9.9), parameters={"run_type": "GGA"})
    assert load_reference(file).method == VASP_RAW
    corrected = from_computed_entries(mp_entries(), "mp")
    corrected.save(tmp_path / "mp.parquet")
    assert load_reference(f"{tmp_path / 'mp.parquet'},{file}").method == corrected.method
    with pytest.raises(NucleateError, match="cannot be compared"):
        load_reference(
            f"{tmp_path / 'mp.parquet'},{hand_made(tmp_path, ('NaBr', -6.0), parameters={'run_type': 'GGA'})}"
        )


def test_a_correction_without_the_scheme_s_name_is_compared_with_the_scheme(tmp_path: Path) -> None:
    right = ComputedEntry("NaCl", -6.4, correction=-0.614, parameters={"run_type": "GGA"})
    assert from_computed_entries([right], "mine").method.endswith("(MP2020-corrected)")
    other = ComputedEntry("NaCl", -6.4, correction=-0.5, parameters={"run_type": "GGA"})
    with pytest.raises(NucleateError, match=r"NaCl carries -0.250 eV/atom .* not the MP2020 correction \(-0.307\)"):
        from_computed_entries([other], "mine")
    assert from_computed_entries([other], "mine", corrected=True).method.endswith("(MP2020-corrected)")
    with pytest.raises(NucleateError, match="is called raw, but NaCl"):
        from_computed_entries([right], "mine", corrected=False)


def test_the_user_can_say_whether_a_table_is_corrected(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(CSV)
    assert load_reference(f"{tmp_path / 'mine.csv'}:raw").method == "m (uncorrected)"
    (tmp_path / "known.csv").write_text(CSV.replace(",m,", ",net (uncorrected),"))
    assert load_reference(f"{tmp_path / 'known.csv'}:raw").method == "net (uncorrected)"
    with pytest.raises(NucleateError, match="its own text says the opposite"):
        load_reference(f"{tmp_path / 'known.csv'}:corrected")
    with pytest.raises(NucleateError, match="only tables are called so"):
        load_reference(f"{run_folder(tmp_path / 'run')}:raw")
    assert with_correction_endings("chgnet-mp, a.json,b.csv:corrected", False) == "chgnet-mp,a.json:raw,b.csv:corrected"
    assert with_correction_endings("chgnet-mp", None) == "chgnet-mp"
    with pytest.raises(NucleateError, match="tables of energies"):
        with_correction_endings("chgnet-mp", True)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("NaCl,-28.0,m,c", r"entry 3 \(NaCl\): e_form of -26.5 eV/atom"),  # the energy of a cell
        ("NaCl,-1e9,m,c", "energy of -1e[+]09 eV/atom"),
    ],
)
def test_energies_that_no_crystal_has_are_refused(tmp_path: Path, row: str, words: str) -> None:
    (tmp_path / "a.csv").write_text("formula,energy,method,source\nNa,-1,m,a\nCl2,-2,m,b\n" + row + "\n")
    with pytest.raises(NucleateError, match=words):
        load_reference(tmp_path / "a.csv")


class Rester:
    """A stand-in for the client of the Materials Project."""

    asked: ClassVar[list[Any]] = []
    db_version = "2026.1"

    def __init__(self, **options: Any) -> None: ...
    def __enter__(self) -> Rester:
        return self

    def __exit__(self, *error: object) -> None: ...
    def get_entries_in_chemsys(self, elements: list[str], additional_criteria: dict[str, Any]) -> list[Any]:
        if elements == ["K"]:
            raise RuntimeError("the key is not valid\nmore")
        self.asked.append((elements, additional_criteria))
        return mp_entries()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = types.ModuleType("mp_api.client")
    module.MPRester = Rester  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mp_api", types.ModuleType("mp_api"))
    monkeypatch.setitem(sys.modules, "mp_api.client", module)
    monkeypatch.setattr("nucleate.data.catalog.user_cache", lambda: tmp_path)
    monkeypatch.setenv("MP_API_KEY", "0" * 32)
    Rester.asked.clear()


def test_the_materials_project_is_asked_once(client: None) -> None:
    found = load_reference("mp:Na-Cl")
    assert found.name == "mp-Cl-Na" and found.elements == {"Na", "Cl"}
    assert materials_project("Cl-Na").sources == found.sources
    assert Rester.asked == [(["Cl", "Na"], {"thermo_types": ["GGA_GGA+U"]})]


def test_errors_of_the_materials_project_take_one_line(client: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NucleateError, match=r"did not answer: the key is not valid$"):
        materials_project("K")
    with pytest.raises(NucleateError, match="'Xx' is not an element"):
        materials_project("Xx-O")
    monkeypatch.delenv("MP_API_KEY")
    with pytest.raises(NucleateError, match="MP_API_KEY"):
        materials_project("Na-Cl")
    monkeypatch.setitem(sys.modules, "mp_api.client", None)
    with pytest.raises(NucleateError, match=r"nucleate\[mp\]"):
        materials_project("Na-Cl")
