"""`nucleate check`: formulas, lists of them and crystals, and the verdicts on each and on all."""

import csv
import json

import pytest
from pymatgen.core import Lattice, Structure

from nucleate.cli.main import main
from nucleate.pipeline.candidate_files import read_candidates

NACL = Structure.from_spacegroup(225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])


@pytest.fixture(autouse=True)
def wide(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


def check(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        main(["check", *map(str, arguments)])
    out, err = capsys.readouterr()
    return exit_.value.code, out, err


def test_every_formula_is_answered_whatever_stands_beside_it(capsys):
    bad = ["Xx2", "", "Li99999O", "Fe0O", "Na(Cl"]
    code, out, _ = check(capsys, "Fe0.95O", *bad, "O2 Ti O")
    assert code == 0 and out.count("   rejected ") == 5 and "5 rejected" in out
    for words in (
        "mixed valence Fe2+ Fe3+ O2- (icsd24)",
        "Fe +2 (17/19) and +3 (2/19), O -2",  # reduced exactly
        "'Xx' is not an element",
        "(empty)",
        "more than 10,000 atoms",
        "a number of atoms is zero",
        "never closed",
        "charge -2: Ti +4, O -2",  # an element named twice is added up
    ):
        assert words in out, words
    code, _, err = check(capsys, "Xx2")
    assert code == 2 and "'Xx2' is not a formula: 'Xx' is not an element" in err
    assert check(capsys, "")[0] == 2


def test_the_set_of_states_is_an_option(capsys):
    assert "Ti4+ O2- (smact14)" in check(capsys, "TiO2", "--states", "smact14")[1]
    assert check(capsys, "Fe3O4", "--states", "smact14")[1].count(" fail ") == 1
    code, _, err = check(capsys, "TiO2", "--states", "wiki")
    assert code == 2 and "the set of oxidation states must be icsd24, smact14 or icsd24-3, not 'wiki'" in err


LIST = ["NaCl", "MgO", "Sr Ti O O O", "Xx", "Fe0.5Mg0.5O", "NaCl3", "CuNi", "KCl"]
FILES = {
    "list.txt": "\n".join(LIST) + "\n",
    "list.csv": "name,formula\n" + "".join(f"x,{f}\n" for f in LIST),
    "list.jsonl": "".join(json.dumps({"formula": f}) + "\n" for f in LIST),
}


@pytest.mark.parametrize("name", FILES)
def test_lists_of_formulas_in_every_format_are_checked(name, capsys, tmp_path):
    (tmp_path / name).write_text(FILES[name])
    code, out, _ = check(capsys, name, "--out", "checked.csv")
    assert code == 0 and "Sr Ti O O O" in out
    with (tmp_path / "checked.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [r["charge"] for r in rows] == ["pass", "pass", "pass", "", "pass", "fail", "pass", "pass"]
    assert [r["oxidation"] for r in rows] == ["pass", "pass", "pass", "", "pass", "fail", "unknown", "pass"]
    assert rows[3]["failure"] == "formula: 'Xx' is not an element" and rows[4]["formula"] == "MgFeO2"


def test_a_long_list_is_counted(capsys, tmp_path):
    (tmp_path / "long.txt").write_text("\n".join(LIST * 5))
    out = check(capsys, "long.txt", "--out", "checked.jsonl")[1]
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert any("charge" in r and "30 (75.0%)" in r and "5 (12.5%)" in r for r in rows), out
    assert "5 rejected: formula: 'Xx' is not an element" in out and "of 40" in out and "Sr Ti O" not in out
    assert "Sr Ti O O O" in check(capsys, "long.txt", "--all")[1]
    found, problems = read_candidates([tmp_path / "checked.jsonl"])
    assert len(found) == 40 and not problems and len({c.id for c in found}) == 40
    assert found[2].composition == {"Sr": 1, "Ti": 1, "O": 3} and found[2].checks["oxidation"].verdict == "pass"
    assert "30 (75.0%)" in check(capsys, "checked.jsonl")[1]  # what was written can be checked again


def test_crystals_have_geometry_too(capsys, tmp_path):
    NACL.to(filename=str(tmp_path / "salt.cif"))
    code, out, _ = check(capsys, "salt.cif", "MgO", "--out", "both.jsonl")
    assert code == 0 and "shortest 2.82 A" in out and "Na +1, Cl -1" in out and "Mg +2, O -2" in out
    found, _ = read_candidates([tmp_path / "both.jsonl"])
    assert [set(c.checks) for c in found] == [
        {"charge", "electronegativity", "volume", "density", "distance", "oxidation"},
        {"charge", "electronegativity", "oxidation"},
    ]


def test_files_without_formulas_or_crystals_are_refused(capsys, tmp_path):
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "numbers.csv").write_text("a,b\n1,2\n")
    (tmp_path / "bytes.txt").write_bytes(b"\x00\xff\xfe")
    for name, words in {
        "empty.txt": "empty.txt is empty",
        "numbers.csv": "no column 'formula'",
        "bytes.txt": "not a text file",
        "missing.txt": "missing.txt",
        "a/b": "a/b",
    }.items():
        code, _, err = check(capsys, name)
        assert code == 2 and words in err and err.count("error:") == 1, (name, err)
