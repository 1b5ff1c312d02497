from __future__ import annotations

import json
import os

import ase.db
import ase.io
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from nucleate.errors import NucleateError
from nucleate.io import Named, read_structures, safe_name, write_structures

NACL = Structure.from_spacegroup(
    225, Lattice.cubic(5.6402), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]
).get_primitive_structure()
TRICLINIC = Structure(
    Lattice.from_parameters(4.1, 5.2, 6.3, 81.234567, 95.7654321, 103.1),
    ["Li", "Fe", "O"],
    np.random.default_rng(1).random((3, 3)),
)
INFO = {
    "e_form": -1.234567891,
    "e_form_method": "a method",
    "note": 'with "quotes" = and\nlines',
    "count": 3,
    "good": True,
}
NAMED = [Named("007", NACL, INFO), Named("mp-2 (b)/x", TRICLINIC, {"e_form": 0.5})]


def cif(structure: Structure) -> str:
    return str(CifWriter(structure))


def same(a: Structure, b: Structure) -> None:
    assert [s.specie.Z for s in a] == [s.specie.Z for s in b]
    assert np.allclose(a.lattice.parameters, b.lattice.parameters, atol=1e-5)
    d = a.frac_coords - b.frac_coords
    assert np.abs(d - d.round()).max() < 1e-5


def reasons(path) -> str:
    with pytest.raises(NucleateError) as error:
        read_structures([path])
    return str(error.value)


@pytest.mark.parametrize("ending", ["", ".extxyz", ".xyz", ".jsonl", ".db"])
def test_write_then_read(tmp_path, ending):
    path = tmp_path / "new" / f"out{ending}"
    write_structures(path, NAMED)
    result = read_structures([path])
    assert not result.problems
    for before, after in zip(NAMED, result.structures, strict=True):
        same(before.structure, after.structure)  # in the same order too
    names = [n.name for n in result.structures]
    assert names == (["007_NaCl", "mp-2_b_x_LiFeO"] if ending == "" else ["007", "mp-2 (b)/x"])
    if ending:
        info = result.structures[0].info
        assert info["e_form"] == pytest.approx(-1.234567891, abs=1e-9)
        assert info["count"] == 3 and info["good"] is True and info["e_form_method"] == "a method"
        assert info["note"].split() == INFO["note"].split()
    assert sorted(os.listdir(tmp_path / "new")) == [path.name]  # nothing temporary is left
    write_structures(path, NAMED[:1])  # a file is replaced, a folder is added to
    assert len(read_structures([path]).structures) == (2 if ending == "" else 1)


def test_a_folder_of_cif_holds_scalars_as_remarks_and_names_never_collide(tmp_path):
    write_structures(tmp_path / "out", [NAMED[0], NAMED[0], Named("007", NACL, {})])
    assert sorted(os.listdir(tmp_path / "out")) == ["007_NaCl-2.cif", "007_NaCl-3.cif", "007_NaCl.cif"]
    assert "# e_form: -1.234567891\n# e_form_method: a method\n" in (tmp_path / "out" / "007_NaCl.cif").read_text()
    assert safe_name("../../etc/passwd") == "etc_passwd" and safe_name("...") == "structure"


def test_ase_reads_what_we_write(tmp_path):
    write_structures(tmp_path / "a.extxyz", NAMED)
    atoms = ase.io.read(tmp_path / "a.extxyz", index=0)
    assert atoms.info["e_form"] == pytest.approx(-1.234567891) and atoms.pbc.all()
    write_structures(tmp_path / "a.db", NAMED)
    row = next(ase.db.connect(tmp_path / "a.db").select(e_form=-1.234567891))
    assert row.formula == "NaCl" and row.e_form_method == "a method"


def test_writing_refuses(tmp_path):
    with pytest.raises(NucleateError, match=r"'.foo'.*\.extxyz"):
        write_structures(tmp_path / "a.foo", NAMED)
    with pytest.raises(NucleateError, match="no structures"):
        write_structures(tmp_path / "a.db", [])
    (tmp_path / "file").write_text("")
    with pytest.raises(NucleateError, match="cannot write"):
        write_structures(tmp_path / "file" / "a.extxyz", NAMED)


@pytest.mark.parametrize("ending", ["out", "a.extxyz", "a.jsonl", "a.db"])
def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path, ending, monkeypatch):
    path = tmp_path / ending
    if ending != "out":
        write_structures(path, NAMED[:1])

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(NucleateError, match=r"cannot write .*No space left"):
        write_structures(path, NAMED)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ([] if ending == "out" else [ending])
    if ending != "out":
        assert len(read_structures([path]).structures) == 1


def test_cif_of_several_blocks(tmp_path):
    text = "data_global\n_journal_name 'x'\n" + cif(NACL) + "\n" + cif(TRICLINIC)
    (tmp_path / "a.cif").write_bytes(("# M\xfcller\n" + text).encode("latin-1"))
    result = read_structures([tmp_path / "a.cif"])
    assert [n.name for n in result.structures] == ["a-NaCl", "a-LiFeO"] and not result.problems
    same(result.structures[1].structure, TRICLINIC)
    twice = cif(NACL) + cif(NACL).replace("5.6402", "6.0")  # one header, two crystals
    (tmp_path / "b.cif").write_text(twice + cif(NACL).replace("_cell_length_a ", "_cell_broken_a "))
    result = read_structures([tmp_path / "b.cif"])
    assert [n.name for n in result.structures] == ["b-1", "b-2"]
    assert [(p.row, p.file) for p in result.problems] == [(3, str(tmp_path / "b.cif"))]


def test_csv(tmp_path):
    path = tmp_path / "a.csv"
    row = '"' + cif(NACL).replace('"', '""') + '"'
    mixed = '"' + cif(Structure(NACL.lattice, [{"Na": 0.5}, "Cl"], NACL.frac_coords)) + '"'
    path.write_text(
        ",material_id,gap,cif,label\n"
        f"0,mp-1,1.5,{row},salt\n"
        "1,mp-2,2,garbage,x\n"
        f"2,mp-3,,{row}\n"  # too few columns
        f"3,mp-4,,{mixed},\n"
        '4,mp-5,0,"broken"quote,x\n'
        "5,mp-6,0,,empty\n"
        f"6,7,3,{row},\n"
    )
    result = read_structures([path])
    assert [(n.name, n.row, n.info) for n in result.structures] == [
        ("mp-1", 1, {"gap": 1.5, "label": "salt"}),
        ("7", 7, {"gap": 3}),
    ]
    found = {p.row: p.reason for p in result.problems}
    assert sorted(found) == [2, 3, 4, 5, 6] and all(p.file == str(path) for p in result.problems)
    assert "no data_ block" in found[2] and found[3] == "4 columns instead of 5" and "partial occupancy" in found[4]
    assert "not CSV" in found[5] and found[6] == "no structure"
    assert str(result.problems[1]) == f"{path}, row 3: 4 columns instead of 5"


def test_csv_cut_in_the_last_column(tmp_path):
    row = '"' + cif(TRICLINIC) + '"'
    (tmp_path / "a.csv").write_text(f"id,cif\na,{row}\nb,{row[:-60]}")
    result = read_structures([tmp_path / "a.csv"])
    assert [n.name for n in result.structures] == ["a"]
    assert [p.row for p in result.problems] == [2]


def test_csv_with_json_and_wrong_columns(tmp_path):
    quoted = '"' + json.dumps(NACL.as_dict()).replace('"', '""') + '"'
    (tmp_path / "a.csv").write_text(f"structure\n{quoted}\n")
    same(read_structures([tmp_path / "a.csv"]).structures[0].structure, NACL)
    (tmp_path / "b.csv").write_text("formula,energy\nNaCl,1\n")
    assert "no column 'cif' or 'structure'; the columns are: formula, energy" in reasons(tmp_path / "b.csv")


def test_json(tmp_path):
    d = NACL.as_dict()
    for i, value in enumerate(
        [d, [d, {"material_id": "mp-1", "structure": d, "gap": 2.0}], {"structure": d, "name": "n"}]
    ):
        (tmp_path / f"{i}.json").write_text(json.dumps(value))
    assert [n.name for n in read_structures([tmp_path]).structures] == ["0", "1-1", "mp-1", "n"]
    (tmp_path / "bad.json").write_text(json.dumps([d, {"a": 1}, 3, d]))
    result = read_structures([tmp_path / "bad.json"])
    assert [p.row for p in result.problems] == [2, 3] and len(result.structures) == 2
    (tmp_path / "cut.json").write_text(json.dumps(d)[:-10])
    assert "not JSON" in reasons(tmp_path / "cut.json")


def test_jsonl_goes_on_after_a_bad_line(tmp_path):
    line = json.dumps({"id": "c1", "structure": NACL.as_dict(), "energies": {"e_form": {"value": -2.0, "method": "m"}}})
    failed = json.dumps({"id": "c2", "structure": None, "failure": "generate: too large"})
    (tmp_path / "a.jsonl").write_text(f"{line}\n\n{line[:-5]}\n{failed}\n{line}\n")
    result = read_structures([tmp_path / "a.jsonl"])
    assert [(n.name, n.row, n.info) for n in result.structures] == [
        ("c1", 1, {"e_form": -2.0}),
        ("c1", 5, {"e_form": -2.0}),
    ]
    assert [p.row for p in result.problems] == [3, 4]
    assert "no structure (generate: too large)" in result.problems[1].reason


def test_extxyz_goes_on_after_a_bad_frame(tmp_path):
    path = tmp_path / "a.extxyz"
    atoms = bulk("NaCl", "rocksalt", 5.6)
    atoms.calc = SinglePointCalculator(atoms, energy=-3.5)
    ase.io.write(path, [atoms] * 4 + [molecule("H2O")])
    lines = path.read_text().splitlines()
    lines[6] = lines[6].replace("0.0", "garbage", 1)
    path.write_text("\n".join(lines) + "\n2\ncut short\nH 0 0 0\n")
    result = read_structures([path])
    assert [(n.name, n.row) for n in result.structures] == [("a-1", 1), ("a-3", 3), ("a-4", 4)]
    assert result.structures[0].info == {"energy": -3.5}
    found = {p.row: p.reason for p in result.problems}
    assert (
        sorted(found) == [2, 5, 6] and found[5].startswith("no cell") and found[6].startswith("cut short: 1 of 2 atoms")
    )


def test_db_of_others(tmp_path):
    with ase.db.connect(tmp_path / "a.db") as db:
        atoms = bulk("Si")
        atoms.calc = SinglePointCalculator(atoms, energy=-5.0)
        db.write(atoms, band_gap=1.1)
        db.write(molecule("H2O"), name="water")
    result = read_structures([tmp_path / "a.db"])
    assert [(n.name, n.info) for n in result.structures] == [("a-1", {"energy": -5.0, "band_gap": 1.1})]
    assert [(p.row, p.reason) for p in result.problems] == [(2, "no cell")]
    (tmp_path / "b.db").write_bytes(b"garbage" * 500)
    assert "not an ASE database" in reasons(tmp_path / "b.db")


def test_parquet(tmp_path):
    rows = [
        {"material_id": "a", "atomic_numbers": [11, 17], "frac_coords": [0.0] * 3 + [0.5] * 3, "gap": 1.0},
        {"material_id": "b", "atomic_numbers": None, "frac_coords": None, "gap": 1.0},
        {"material_id": "c", "atomic_numbers": [11, 17], "frac_coords": [0.0] * 3, "gap": 1.0},
        {"material_id": "d", "atomic_numbers": [11], "frac_coords": [0.0, float("nan"), 0.0], "gap": 1.0},
    ]
    table = pa.Table.from_pylist([r | {"lengths": [4.0] * 3, "angles": [90.0] * 3} for r in rows])
    pq.write_table(table, tmp_path / "a.parquet")
    result = read_structures([tmp_path / "a.parquet"])
    assert [(n.name, n.info, n.structure.formula) for n in result.structures] == [("a", {"gap": 1.0}, "Na1 Cl1")]
    assert [p.row for p in result.problems] == [2, 3, 4]
    assert "3 coordinates for 2 atoms" in result.problems[1].reason and "finite" in result.problems[2].reason
    pq.write_table(table.drop_columns(["lengths"]), tmp_path / "b.parquet")
    assert "no column 'lengths'" in reasons(tmp_path / "b.parquet")
    (tmp_path / "c.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-50])
    assert "not parquet" in reasons(tmp_path / "c.parquet")


def test_folder(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a.cif").write_text(cif(NACL))
    (tmp_path / "b.CIF").write_text(cif(TRICLINIC))
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / ".hidden.cif").write_text("x")
    (tmp_path / "empty.cif").write_text("")
    result = read_structures([tmp_path])
    assert [n.name for n in result.structures] == ["b", "a"]
    assert sorted((os.path.basename(p.file), p.reason) for p in result.problems) == [
        ("empty.cif", "not a CIF file (no data_ block)"),
        ("notes.txt", "skipped, not a structure file"),
    ]


def test_what_is_refused_as_a_whole(tmp_path):
    assert "no file or folder" in reasons(tmp_path / "nothing.cif")
    assert "empty" in reasons(tmp_path)
    (tmp_path / "a.foo").write_text("x")
    assert "none of a known kind" in reasons(tmp_path)
    assert "'.foo'; known are a folder, .cif" in reasons(tmp_path / "a.foo")
    (tmp_path / "e.cif").write_text("")
    assert "is empty" in reasons(tmp_path / "e.cif")
    (tmp_path / "e.cif").write_bytes(b"\x00\xff\x01" * 100)
    assert "not a CIF file" in reasons(tmp_path / "e.cif")
    (tmp_path / "e.cif").write_text(cif(NACL)[:300])  # cut short
    assert "no usable crystal" in reasons(tmp_path / "e.cif")
    (tmp_path / "d.cif").write_text(cif(NACL).replace("Cl0", "Xx0").replace("Cl1", "Xx1").replace(" Cl ", " Xx "))
    assert "no usable crystal" in reasons(tmp_path / "d.cif")


def test_unusual_extxyz_files(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text('1\nLattice="0 0 0 0 0 0 0 0 0" pbc="T T T"\nH 0 0 0\n')
    assert "no cell" in reasons(path)
    path.write_text('1\nLattice="3 0 0 3 0 0 0 0 3" pbc="T T T"\nH 0 0 0\n')
    assert "no volume" in reasons(path)
    path.write_text('1\nLattice="3 0 0 0 3 0 0 0 3" pbc="T T F"\nH 0 0 0\n')
    assert "periodic in 2 of 3 directions" in reasons(path)
    path.write_text('1\nLattice="3 0 0 0 3 0 0 0 3"\nH nan 0 0\n')
    assert "not a finite number" in reasons(path)
    path.write_text('1\nLattice="3 0 0 0 3 0 0 0 3"\nX 0 0 0\n')
    assert "not an element" in reasons(path)
    path.write_text('0\nLattice="3 0 0 0 3 0 0 0 3"\n')
    assert "no usable crystal" in reasons(path)
    path.write_text('-2\nLattice="3 0 0 0 3 0 0 0 3"\n')
    assert "a number of atoms should stand here" in reasons(path)
    path.write_text("hello\n")
    assert "a number of atoms should stand here" in reasons(path)


@pytest.mark.parametrize("ending", ["", ".extxyz", ".jsonl", ".db"])
def test_a_left_handed_crystal_is_not_written_as_its_mirror_image(tmp_path, ending):
    left = Structure(Lattice(-NACL.lattice.matrix + np.diag([0.3, 0.2, 0.1])), ["Li", "Fe", "O"], TRICLINIC.frac_coords)
    assert np.linalg.det(left.lattice.matrix) < 0
    write_structures(tmp_path / f"out{ending}", [Named("a", left)])
    (found,) = read_structures(tmp_path / f"out{ending}").structures

    before, after = (s.get_sorted_structure() for s in (left, found.structure))
    assert np.allclose(before.distance_matrix, after.distance_matrix, atol=1e-6)
    sign = np.sign(np.linalg.det(after.lattice.matrix)) * np.sign(np.linalg.det(before.lattice.matrix))
    d = before.frac_coords - sign * after.frac_coords
    assert np.abs(d - d.round()).max() < 1e-6


def test_a_name_with_line_breaks_takes_no_other_crystal_along(tmp_path):
    write_structures(tmp_path / "a.extxyz", [Named("a\nb\r\nc", NACL, {}), Named("d", NACL, {})])
    read = read_structures([tmp_path / "a.extxyz"])
    assert [n.name for n in read.structures] == ["a b c", "d"] and not read.problems
