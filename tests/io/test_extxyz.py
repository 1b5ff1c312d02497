from __future__ import annotations

import numpy as np
import pytest

from nucleate.errors import NucleateError
from nucleate.io import read_structures

CELL = 'Lattice="4.1 0 0 0 4.1 0 0 0 4.1"'
COLUMNS = "Properties=species:S:1:pos:R:3"
SALT = f"2\n{CELL} {COLUMNS}\nCs 0 0 0\nCl 2.05 2.05 2.05\n"


def read(tmp_path, text: str):
    (tmp_path / "a.extxyz").write_text(text, newline="")
    return read_structures([tmp_path / "a.extxyz"])


def is_salt(named) -> None:
    s = named.structure
    assert [x.specie.symbol for x in s] == ["Cs", "Cl"] and s.volume == pytest.approx(4.1**3)
    assert np.allclose(s.frac_coords, [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Lattice", "lattice"),
        ("Lattice", "LATTICE"),
        ("Properties", "properties"),
        (CELL, 'cell="[[4.1, 0, 0], [0, 4.1, 0], [0, 0, 4.1]]"'),
        (CELL, 'Lattice = "4.1 0 0 0 4.1 0 0 0 4.1"'),
        (COLUMNS, COLUMNS + " pbc=[T, T, T]"),
        (COLUMNS, COLUMNS + ' pbc="true TRUE 1"'),
        (COLUMNS, COLUMNS + ' note="say \\"2\\" = pbc=F" x=y'),
        (COLUMNS, ""),
        (COLUMNS, COLUMNS + f" {CELL}"),
        ("Cs 0 0 0", "Cs 0 0.0d0 -.0e+2"),
        ("\n", "\r\n"),
        ("\n", "\r"),
        (f"{COLUMNS}\nCs 0 0 0\nCl 2.05 2.05 2.05", "Properties=Z:I:1:pos:R:3\n55 0 0 0\n17 2.05 2.05 2.05"),
        (f"{COLUMNS}\nCs 0 0 0\nCl 2.05 2.05 2.05", "Properties=species:S:1:pos:R:3\n55 0 0 0\n17 2.05 2.05 2.05"),
        (f"{COLUMNS}\nCs 0 0 0\nCl 2.05 2.05 2.05", "Properties=species:S:1:frac_coords:R:3\nCs 0 0 0\nCl .5 .5 .5"),
        (
            f"{COLUMNS}\nCs 0 0 0\nCl 2.05 2.05 2.05",
            "Properties=f:R:1:pos:R:3:scaled_positions:R:3:species:S:1:Z:I:1\n"
            "9 0 0 0 0 0 1 Cs 55\n9 2.05 2.05 2.05 .5 .5 .5 Cl 17",
        ),
    ],
)
def test_what_is_read_without_a_word(tmp_path, old, new):
    assert old in SALT
    result = read(tmp_path, SALT.replace(old, new))
    (found,) = result.structures
    is_salt(found)
    assert not result.problems and not result.remarks


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (CELL, "", "no cell"),
        (CELL, 'Lattice="4.1 0 0 0 4.1 0 0 04.1"', "Lattice must hold 9 numbers"),
        (CELL, 'Lattice="4.1 4.1 4.1"', "Lattice must hold 9 numbers"),
        (CELL, 'Lattice="4.1 0 0 0 4.1 0 0 0 nan"', "Lattice must hold 9 numbers"),
        (CELL, 'Lattice="4.1 0 0 0 4.1 0 0 0 4_1"', "Lattice must hold 9 numbers"),
        (CELL, CELL + ' lattice="5 0 0 0 5 0 0 0 5"', "lattice occurs twice in the second line"),
        (CELL, CELL + ' pbc="F F F"', "periodic in 0 of 3 directions"),
        (CELL, CELL + ' pbc="T T F"', "periodic in 2 of 3 directions"),
        (CELL, CELL + " pbc=F", "periodic in 0 of 3"),
        (CELL, CELL + " pbc=maybe", "pbc must be three of T and F"),
        ("pos:R:3", "forces:R:3", "no column pos; the columns are: species, forces"),
        ("pos:R:3", "pos:R:2", "the column pos must hold three numbers"),
        ("pos:R:3", "pos:R:3:pos:R:3", "Properties name the column pos twice"),
        ("pos:R:3", "pos:R", "Properties must be name:type:columns"),
        ("pos:R:3", "pos:R:3:f:R:3", "line 3: 7 values should stand here, not 'Cs 0 0 0'"),
        ("species:S:1", "label:S:1", "no column species"),
        ("species:S:1:pos", "species:S:1:Z:I:1:pos", "line 3: 5 values"),
        ("Cl 2.05", "X 2.05", "line 4: 'X' is not an element"),
        ("Cl 2.05", "Xx 2.05", "line 4: 'Xx' is not an element"),
        ("Cl 2.05", "CL 2.05", "line 4: 'CL' is not an element"),
        ("Cl 2.05", "Wat 2.05", "line 4: 'Wat' is not an element"),
        ("Cl 2.05", "0 2.05", "line 4: '0' is not an element"),
        ("Cl 2.05", "119 2.05", "line 4: '119' is not an element"),
        ("Cl 2.05 2.05", "Cl 2.05 nan", "should be three coordinates"),
        ("Cl 2.05 2.05", "Cl 2.05 1_0", "should be three coordinates"),
        ("Cl 2.05 2.05", "Cl 2.05 2,05", "should be three coordinates"),
        ("Cl 2.05 2.05 2.05\n", "", "cut short: 1 of 2 atoms (line 1)"),
        ("Cl 2.05 2.05 2.05\n", "Cl 2.05 2.05 2.05\nH 1 1 1\n", "line 1: 2 atoms are counted, 3 follow"),
        (
            f"{COLUMNS}\nCs 0 0 0\nCl 2.05 2.05 2.05",
            "Properties=species:S:1:Z:I:1:pos:R:3\nCs 55 0 0 0\nCl 35 2.05 2.05 2.05",
            "line 4: one column says Cl, another one Br",
        ),
        (
            f"{COLUMNS}\nCs 0 0 0\nCl 2.05 2.05 2.05",
            "Properties=species:S:1:pos:R:3:frac:R:3\nCs 0 0 0 0 0 0\nCl 2.05 2.05 2.05 .5 .5 .4",
            "positions and fractional coordinates are different places",
        ),
    ],
)
def test_what_is_refused(tmp_path, old, new, words):
    assert old in SALT
    with pytest.raises(NucleateError) as error:
        read(tmp_path, SALT.replace(old, new, 1))
    assert words in str(error.value)


def test_labels_and_ions_are_elements_with_a_remark(tmp_path):
    result = read(tmp_path, SALT.replace("Cs 0", "Cs1 0").replace("Cl 2", "Cl1- 2"))
    is_salt(result.structures[0])
    assert [p.reason for p in result.remarks] == ["labels are read as elements: Cs1 as Cs, Cl1- as Cl"]


def test_values_are_what_they_are_written_as(tmp_path):
    pairs = (
        'id=0012 sample_code=12e5 count=1_000 n=1e3 k=5 zeros=007 e=-1.5D0 on=T off=False flag name="" vec="1 2 3" '
        'arr={1 2} more=[1, 2] text="a b" none=None na=N/A gap=inf x=nan url=http://a?b=c empty= last=9 far = 8'
    )
    result = read(tmp_path, SALT.replace(COLUMNS, f"{COLUMNS} {pairs}"))
    (found,) = result.structures
    is_salt(found)
    assert found.name == "0012"
    assert found.info == {
        "sample_code": "12e5", "count": "1_000", "n": 1000.0, "k": 5, "zeros": "007", "e": -1.5, "on": True,
        "off": False, "flag": True, "text": "a b", "url": "http://a?b=c", "last": 9, "far": 8,
    }  # fmt: skip
    assert [p.reason for p in result.remarks] == [
        "gap=inf is not a finite number and is left out",
        "x=nan is not a finite number and is left out",
    ]
    result = read(tmp_path, SALT.replace(COLUMNS, f"{COLUMNS} energy=-1 energy=-1 gap=1 gap=2"))
    assert result.structures[0].info == {"energy": -1}
    assert [p.reason for p in result.remarks] == ["gap occurs twice (1 and 2) and is left out"]


def test_a_line_separator_of_unicode_is_no_end_of_line(tmp_path):
    note = COLUMNS + ' note="a\u2028b\x0bc\x85d\x1ee"'
    assert len(read(tmp_path, SALT.replace(COLUMNS, note) + SALT).structures) == 2


def test_one_broken_frame_leaves_the_others(tmp_path):
    less = SALT.replace("Cl 2.05 2.05 2.05\n", "")
    more = SALT + "H 1 1 1\n\n"
    result = read(tmp_path, f"{SALT}{less}{SALT}\n\n{more}{SALT}words\nmore words\n{SALT}{SALT}5\n")
    assert [n.row for n in result.structures] == [1, 3, 6, 7]
    found = {p.row: p.reason for p in result.problems}
    assert found[2] == "cut short: 1 of 2 atoms (line 5)" and "2 atoms are counted, 3 follow" in found[4]
    assert "2 atoms are counted, 4 follow" in found[5] and found[8] == "cut short: 0 of 5 atoms (line 34)"


def test_atoms_that_may_not_move(tmp_path):
    text = SALT.replace("pos:R:3", "pos:R:3:move_mask:L:1").replace("0 0 0\n", "0 0 0 F\n").replace("05\n", "05 T\n")
    assert read(tmp_path, text).structures[0].fixed == (0,)
    text = (
        SALT.replace("pos:R:3", "pos:R:3:move_mask:L:3")
        .replace("0 0 0\n", "0 0 0 F F F\n")
        .replace("05\n", "05 T F T\n")
    )
    result = read(tmp_path, text)
    assert result.structures[0].fixed == (0,)
    assert [p.reason for p in result.remarks] == ["atoms fixed in some directions only are free to move: 2"]
