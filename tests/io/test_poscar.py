from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Poscar

from nucleate.errors import NucleateError
from nucleate.io import read_structures
from nucleate.io.poscar import structure_from_poscar

HEAD = "salt\n1.0\n 0 2.82 2.82\n 2.82 0 2.82\n 2.82 2.82 0\n"
SALT = HEAD + " Na Cl\n 1 1\nDirect\n 0 0 0\n 0.5 0.5 0.5\n"
TRICLINIC = Structure(
    Lattice.from_parameters(4.1, 5.2, 6.3, 81.234567, 95.7654321, 103.1),
    ["Li", "Fe", "O"],
    np.random.default_rng(1).random((3, 3)),
)


def is_salt(text: str) -> tuple[str, ...]:
    """Its remarks."""
    found = structure_from_poscar(text)
    s = found.structure
    assert [x.specie.symbol for x in s] == ["Na", "Cl"]
    assert s.volume == pytest.approx(2 * 2.82**3) and s.get_distance(0, 1) == pytest.approx(2.82)
    return found.remarks


def refused(text: str) -> str:
    with pytest.raises(NucleateError) as error:
        structure_from_poscar(text)
    return str(error.value)


@pytest.mark.parametrize("name", ["POSCAR", "CONTCAR", "x.vasp", "x.poscar", "POSCAR_007", "POSCAR.mp-1"])
def test_files_of_vasp(tmp_path, name):
    folder = tmp_path / "mycrystal"
    folder.mkdir()
    (folder / name).write_text(Poscar(TRICLINIC).get_str(significant_figures=12))
    (found,) = read_structures([folder / name]).structures
    assert np.allclose(found.structure.lattice.matrix, TRICLINIC.lattice.matrix)
    assert np.allclose(found.structure.frac_coords, TRICLINIC.frac_coords) and found.remarks == ()
    assert [s.specie.symbol for s in found.structure] == ["Li", "Fe", "O"]
    known = {"POSCAR": "mycrystal", "CONTCAR": "mycrystal", "x.vasp": "x", "x.poscar": "x"}
    assert found.name == known.get(name, name)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.0\n", "-44.851536\n"),  # the volume
        ("1.0\n 0 2.82 2.82\n 2.82 0 2.82\n 2.82 2.82 0", "-44.851536 ! volume\n 0 1 1\n 1 0 1\n 1 1 0"),
        ("1.0\n 0 2.82 2.82\n 2.82 0 2.82\n 2.82 2.82 0", "2.82 1.41 2.82\n 0 2 1\n 1 0 1\n 1 2 0"),
        ("1.0\n", "1.0 lattice constant\n"),
        ("1.0\n", "0.1D+01\n"),
        (" 0 2.82 2.82\n", " 0 2.82d0, 2.82E0 # a\n"),
        ("salt\n", "\n"),
        ("\n", "\r\n"),
        ("\n", "\r"),
        ("Na Cl", "Na_pv Cl/a82c1d"),
        ("Na Cl", "Na_sv_GW/1a2b3c Cl ! names"),
        ("Na Cl\n 1 1", "Na Cl\n 1 1 ! 2 atoms"),
        ("Na Cl\n 1 1", "Na\n Cl\n 1\n 1"),
        ("Na Cl\n 1 1", "Na Cl\n 1 1 atoms"),
        ("Na Cl\n 1 1", "Na K Cl\n 1 0 1"),
        ("Direct\n", "Direct configuration=     1\n"),
        ("Direct\n 0 0 0\n 0.5 0.5 0.5\n", "Cartesian\n 0 0 0\n 2.82 2.82 2.82"),
        ("Direct\n 0 0 0\n 0.5 0.5 0.5\n", "kartesian\n 0 0 0 Na1\n 2.82 2.82 2.82 Cl2\n"),
        ("0.5 0.5 0.5\n", "0.5 0.5 0.5\n\n 0.1 0.2 0.3\n 0 0 0\n"),
        ("0.5 0.5 0.5\n", "0.5 0.5 0.5\n\n 0 0 0\n 0 0 0\n\n1\n 0.5\n 0 0 0 0\n 1 2 3\n 1 2 3\n 1 2 3\n"),
        (
            "0.5 0.5 0.5\n",
            "0.5 0.5 0.5\nLattice velocities and vectors\n  1\n 0 0 0\n 0 0 0\n 0 0 0\n 0 2 2\n 2 0 2\n 2 2 0\n",
        ),
        ("0.5 0.5 0.5\n", "0.5 0.5 0.5 ! site\n   \n\n"),
        ("Direct\n 0 0 0\n 0.5 0.5 0.5", "Selective dynamics\nDirect\n 0 0 0 T T T\n 0.5 0.5 0.5 .TRUE. t T Cl"),
    ],
)
def test_ordinary_files_are_read_without_a_remark(old, new):
    assert old in SALT and is_salt(SALT.replace(old, new)) == ()


@pytest.mark.parametrize(
    ("old", "new", "remark"),
    [
        ("Na Cl", "na cl", "'na' is read as Na"),
        ("Na Cl", "NA CL", "'CL' is read as Cl"),
        ("Na Cl", "Na1 Cl1", "'Na1' is read as Na"),
        (
            " Na Cl\n 1 1\nDirect\n 0 0 0\n 0.5 0.5 0.5",
            "1 1\nD\n 0 0 0 Na\n .5 .5 .5 Cl",
            "taken from the ends of the lines",
        ),
        (" Na Cl\n 1 1\nDirect\n 0 0 0\n", "1 1\nS\nD\n 0 0 0 F F F Na1\n", None),
        (HEAD + " Na Cl\n", HEAD.replace("salt", "Na Cl"), "Na Cl of the comment line is taken"),
        (HEAD + " Na Cl\n", HEAD.replace("salt", "Na1 Cl1"), "Na1 Cl1 of the comment line is taken"),
        ("Direct\n 0 0 0\n", "Direct\n 0 2.0 -2.0\n", "should be fractions of the cell reach 2"),
        ("salt\n", "K1 Cl1\n", "the comment says K1 Cl1, the atoms are Na1 Cl1"),
        ("0.5 0.5 0.5\n", "0.5 0.5 0.5 T T F\n", "flags (T, F) without 'Selective dynamics' are not used"),
        ("0.5 0.5 0.5\n", "0.5 0.5 0.5\nthe end\n", "line 11 and what follows is not read"),
    ],
)
def test_unusual_files_are_read_with_a_remark(old, new, remark):
    text = SALT.replace(old, new)
    if remark is None:  # names at the ends of the lines, after the flags of selective dynamics
        text, remark = text.replace("0.5 0.5 0.5", "0.5 0.5 0.5 T T T Cl1"), "taken from the ends"
    assert old in SALT and remark in " ".join(is_salt(text))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("1.0\n", "1.0 2.0\n", "line 2: the scale"),
        ("1.0\n", "0\n", "line 2: the scale"),
        ("1.0\n", "-1 1 1\n", "line 2: the scale"),
        ("1.0\n", "nan\n", "line 2: the scale"),
        ("1.0\n", "1e999\n", "line 2: the scale"),
        ("1.0\n", "1,0\n", "line 2: the scale"),
        ("1.0\n", "1_0\n", "line 2: the scale"),
        ("1.0\n", "\n", "line 2: the scale"),
        (" 0 2.82 2.82", " 0 2.82", "line 3: vector 1 of the cell, three numbers,"),
        (" 0 2.82 2.82", " 0 2.82 2.82 90", "line 3: vector 1"),
        (" 0 2.82 2.82", " 0 2,82 2,82", "a decimal point, and no comma"),
        (" 0 2.82 2.82", " 0 2.82 ********", "line 3: vector 1"),
        (" 0 2.82 2.82", " 2.82 0 2.82", "no volume"),
        (" Na Cl\n", "", "no element names"),
        (" Na Cl\n 1 1\nDirect\n 0 0 0\n 0.5 0.5 0.5", "1 1\nD\n 0 0 0 F F F\n .5 .5 .5 T T T", "no element names"),
        (" Na Cl\n 1 1\nDirect\n 0 0 0\n 0.5 0.5 0.5", "1 1\nD\n 0 0 0 F\n .5 .5 .5 F", "no element names"),
        (" Na Cl\n 1 1\nDirect\n 0 0 0\n 0.5 0.5 0.5", "2\nD\n 0 0 0 Na\n .5 .5 .5 Cl", "different elements (Cl, Na)"),
        ("Na Cl", "Na Xx", "line 6: elements or the numbers of atoms ('Xx' is neither)"),
        ("Na Cl", "Na Vac", "'Vac' is neither"),
        ("Na Cl", "Na", "2 numbers of atoms for the 1 names Na"),
        ("Na Cl", "Na Cl O", "2 numbers of atoms for the 3 names"),
        (" 1 1\n", "", "line 7: elements or the numbers of atoms ('Direct' is neither)"),
        (" 1 1\n", " 1 1.0\n", "line 7: the numbers of atoms, whole numbers,"),
        (" 1 1\n", " 1 -1\n", "line 7: the numbers of atoms, whole numbers,"),
        (" 1 1\n", " 1 1e3\n", "whole numbers"),
        (" 1 1\n", " 1 1_0\n", "whole numbers"),
        (" 1 1\n", " 0 0\n", "0 atoms are counted"),
        (" 1 1\n", " 1 999999999999\n", "atoms are counted, the file has"),
        (" 1 1\n", " 1 2\n", "2 lines of coordinates stand here"),
        ("Direct\n", "", "line 8: Direct or Cartesian"),
        ("Direct\n", "\n", "line 8: Direct or Cartesian"),
        ("Direct\n", "Selective dynamics\n", "line 9: Direct or Cartesian"),
        ("Direct\n", "Selective dynamics\nDirect\n", "three flags (T or F)"),
        (" 0 0 0\n 0.5", " 0 0\n 0.5", "line 9: the coordinates of atom 1 of 2, three numbers,"),
        (" 0 0 0\n 0.5", " 0 0 0 1\n 0.5", "line 9: the coordinates of atom 1 of 2"),
        (" 0 0 0\n 0.5", " 0 nan 0\n 0.5", "line 9: the coordinates"),
        (" 0 0 0\n 0.5", " 0 inf 0\n 0.5", "line 9: the coordinates"),
        (" 0 0 0\n", " 0 0 0\n\n", "line 10: 2 atoms are counted, but 1 lines of coordinates stand here"),
        (" 0 0 0\n 0.5 0.5 0.5\n", " 0 0 0", "cut short: the file ends before the coordinates of atom 2 of 2"),
        (
            "0.5 0.5 0.5\n",
            "0.5 0.5 0.5\n 0 0 0.5\n 0 0.5 0\n",
            "2 atoms are counted, but 4 lines of coordinates follow",
        ),
        ("0.5 0.5 0.5\n", "0.5 0.5 0.5\n\n 0 0 0.5\n", "1 lines of three numbers stand behind an empty line"),
        (
            "0.5 0.5 0.5\n",
            "0.5 0.5 0.5\nDirect configuration=     2\n 0 0 0\n .5 .5 .5\n",
            "several frames (an XDATCAR)",
        ),
        ("0.5 0.5 0.5\n", "0.5 0.5 0.5 K\n", "line 10: an atom of the block of Cl ends in K; which of the two is it?"),
    ],
)
def test_files_with_two_meanings_or_none_are_refused(old, new, words):
    assert old in SALT and words in refused(SALT.replace(old, new, 1))


def test_blocks_keep_their_order_and_left_handed_axes_their_hand():
    found = structure_from_poscar(
        "x\n1\n4 0 0\n0 0 4\n0 4.1 0\nFe O Fe\n1 2 1\nC\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n"
    ).structure
    assert [s.specie.symbol for s in found] == ["Fe", "O", "O", "Fe"]
    assert np.linalg.det(found.lattice.matrix) < 0
    assert np.allclose(found.cart_coords, [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])


def test_three_scales_act_on_x_y_and_z():
    text = "x\n2 3 4\n1 1 0\n0 1 1\n1 0 1\nFe O\n1 1\nCartesian\n0 0 0\n0.5 0.5 0.5\n"
    found = structure_from_poscar(text).structure
    assert np.allclose(found.lattice.matrix, [[2, 3, 0], [0, 3, 4], [2, 0, 4]])
    assert np.allclose(found.cart_coords[1], [1, 1.5, 2])


def test_atoms_that_are_fixed_wholly_are_kept_and_partly_fixed_ones_named():
    text = SALT.replace("Direct\n 0 0 0\n 0.5 0.5 0.5", "Selective\nDirect\n 0 0 0 F F F\n 0.5 0.5 0.5 T T F")
    found = structure_from_poscar(text)
    assert found.fixed == (0,) and found.remarks == ("atoms fixed in some directions only are free to move: 2",)
    assert structure_from_poscar(SALT).fixed == ()
    assert not found.structure.site_properties


def test_utf16_and_a_byte_order_mark(tmp_path):
    for i, data in enumerate((SALT.encode("utf-16"), SALT.encode("utf-8-sig"))):
        (tmp_path / f"{i}.vasp").write_bytes(data)
    assert len(read_structures([tmp_path]).structures) == 2


def test_fixed_atoms_and_remarks_reach_candidates_and_datasets(tmp_path, monkeypatch, capsys):
    import typer.testing

    from nucleate.cli.main import app
    from nucleate.data import add_files
    from nucleate.io import Problem, Remark
    from nucleate.pipeline.candidate_files import read_candidates

    path = tmp_path / "a.vasp"
    path.write_text(SALT.replace("Direct\n 0 0 0\n 0.5 0.5 0.5", "Selective\nDirect\n 0 0 0 F F F\n 0.5 0.5 0.5 T T F"))
    (found,), notes = read_candidates([path])
    assert found.fixed == (0,)
    text = "atoms fixed in some directions only are free to move: 2"
    assert notes == [Remark(str(path), None, text)] and read_structures([path]).remarks == notes
    assert notes != [Problem(str(path), None, text)]
    monkeypatch.setenv("NUCLEATE_DATA", str(tmp_path / "data"))
    summary = add_files("mine", [path])[0]
    assert summary.remarks == tuple(notes) and not summary.problems and summary.rows == 1 and not summary.left_out
    for command in ("check", "show"):
        shown = typer.testing.CliRunner().invoke(app, [command, str(path)])
        assert f"note: {path}: {text}" in shown.output + shown.stderr
