from __future__ import annotations

import bz2
import gzip
import json
import lzma
import sqlite3

import ase.db
import ase.io
import ase.io.jsonio
import numpy as np
import pytest
from ase.build import bulk
from ase.constraints import FixAtoms, FixCartesian
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar

from nucleate.errors import NucleateError
from nucleate.io import read_structures

SALT = Structure(Lattice.cubic(4.1), ["Cs", "Cl"], [[0, 0, 0], [0.5] * 3])


def rocksalt():
    atoms = bulk("NaCl", "rocksalt", 5.6)
    atoms.set_constraint([FixAtoms([1]), FixCartesian(0, [True, False, False])])
    return atoms


def is_rocksalt(named) -> None:
    s = named.structure
    assert [x.specie.symbol for x in s] == ["Na", "Cl"] and np.allclose(s.frac_coords[1] % 1, 0.5)
    assert s.volume == pytest.approx(5.6**3 / 4) and not s.site_properties


@pytest.mark.parametrize("ending", [".db", ".json"])
def test_databases_of_ase(tmp_path, ending):
    with ase.db.connect(tmp_path / f"a{ending}") as db:
        db.write(rocksalt(), band_gap=1.5, tag="x", data={"array": np.arange(3), "structure": "no"})
        db.write(bulk("Si"), name="silicon")
    result = read_structures(tmp_path / f"a{ending}")
    assert [(n.name, n.info, n.row) for n in result.structures] == [
        ("a-1", {"band_gap": 1.5, "tag": "x"}, 1),
        ("silicon", {}, 2),
    ]
    is_rocksalt(result.structures[0])
    assert result.structures[0].fixed == (1,)
    assert [r.reason for r in result.remarks] == ["constraints of ASE that are not kept: FixCartesian"]


def test_atoms_of_ase_as_json(tmp_path):
    ase.io.jsonio.write_json(tmp_path / "a.json", rocksalt())
    (found,) = read_structures(tmp_path / "a.json").structures
    is_rocksalt(found)


@pytest.mark.parametrize("column", ["data", "constraints", "key_value_pairs"])
def test_a_database_makes_no_object_that_it_names(tmp_path, monkeypatch, column):
    def never(*_args, **_kwargs):
        raise AssertionError("an object was made")

    with ase.db.connect(tmp_path / "a.db") as db:
        db.write(bulk("NaCl", "rocksalt", 5.6))
    evil = json.dumps({"x": {"__ase_objtype__": "vibrationsdata"}, "y": {"__ndarray__": [[10**12], "float64", [0]]}})
    with sqlite3.connect(tmp_path / "a.db") as db:
        db.execute(f"UPDATE systems SET {column} = ?", (evil,))
    monkeypatch.setattr("ase.io.jsonio.create_ase_object", never)
    monkeypatch.setattr("ase.io.jsonio.create_ndarray", never)
    is_rocksalt(read_structures(tmp_path / "a.db").structures[0])


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("positions", b"1234567", "the column 'positions' is damaged"),
        ("positions", np.zeros(3).tobytes(), "3 coordinates for 2 atoms"),
        ("numbers", np.array([11, 200], np.int32).tobytes(), "no element has the number 200"),
        ("numbers", np.array([11, 0], np.int32).tobytes(), "an atom is X"),
        ("numbers", None, "the column 'numbers' is damaged"),
        ("cell", np.zeros(9).tobytes(), "no cell"),
        ("cell", np.full(9, np.nan).tobytes(), "not a finite number"),
        ("pbc", 3, "periodic in 2 of 3 directions"),
    ],
)
def test_damaged_rows_of_a_database(tmp_path, column, value, words):
    with ase.db.connect(tmp_path / "a.db") as db:
        db.write(bulk("NaCl", "rocksalt", 5.6))
    with sqlite3.connect(tmp_path / "a.db") as db:
        db.execute(f"UPDATE systems SET {column} = ?", (value,))
    with pytest.raises(NucleateError, match=words):
        read_structures(tmp_path / "a.db")


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_packed_files(tmp_path, ending, pack):
    folder = tmp_path / "run-7"
    folder.mkdir()
    poscar = Poscar(SALT).get_str()
    texts = {
        "a.cif": str(CifWriter(SALT)),
        "POSCAR": poscar,
        "CONTCAR.relax2": poscar,
        "b.json": json.dumps(SALT.as_dict()),
        "c.jsonl": json.dumps(SALT.as_dict()),
    }
    for name, text in texts.items():
        (folder / f"{name}{ending}").write_bytes(pack(text.encode()))
    result = read_structures(folder)
    assert [n.name for n in result.structures] == ["CONTCAR.relax2", "run-7", "a", "b", "c-1"]
    assert [n.file for n in result.structures] == sorted(str(p) for p in folder.iterdir()) and not result.problems


def test_packed_files_that_cannot_be_read(tmp_path):
    path = tmp_path / "a.cif.gz"
    path.write_bytes(gzip.compress(str(CifWriter(SALT)).encode())[:-20])
    with pytest.raises(NucleateError, match="damaged or cut short"):
        read_structures(path)
    path.write_bytes(b"data_x\n")
    with pytest.raises(NucleateError, match="not packed, though its name ends in .gz"):
        read_structures(path)
    path.write_bytes(gzip.compress(b" " * 2**27))
    with pytest.raises(NucleateError, match="unpacks to more than 64 MB"):
        read_structures(path)
    (tmp_path / "a.tar.gz").write_bytes(b"x")
    with pytest.raises(NucleateError, match=r"structures cannot be read from 'a.tar.gz'"):
        read_structures(tmp_path / "a.tar.gz")


def test_a_deeply_nested_line_leaves_the_others(tmp_path):
    line = json.dumps(SALT.as_dict())
    (tmp_path / "a.jsonl").write_text(f"{line}\n{'[' * 100_000}\n{'9' * 10_000}\n{line}\n")
    result = read_structures(str(tmp_path / "a.jsonl"))  # a text is one path
    assert [n.row for n in result.structures] == [1, 4] and [p.row for p in result.problems] == [2, 3]
    assert "nested too deeply" in result.problems[0].reason
