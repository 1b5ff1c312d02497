from __future__ import annotations

import pytest

from nucleate.errors import NucleateError
from nucleate.io import read_structures

CELL = """%BLOCK LATTICE_CART
 4.1 0 0
 0 4.1 0
 0 0 4.1
%ENDBLOCK LATTICE_CART
%BLOCK POSITIONS_FRAC
Cs 0 0 0
Cl 0.5 0.5 0.5
%ENDBLOCK POSITIONS_FRAC
KPOINTS_MP_SPACING 0.05
"""
RES = """TITL cscl-17 0.01 68.921 -7.5 0.0 0.0 2 (Pm-3m) n - 3
REM by hand
CELL 1.54180 4.1 4.1 4.1 90 90 90
LATT -1
SFAC Cs Cl
Cs 1 0.0 0.0 0.0 1.0
Cl 2 0.5 0.5 0.5 1.0
END
"""


def read(tmp_path, ending: str, text: str):
    (tmp_path / f"a{ending}").write_text(text)
    return read_structures(tmp_path / f"a{ending}")


def is_salt(named) -> None:
    s = named.structure
    assert [x.specie.symbol for x in s] == ["Cs", "Cl"]
    assert s.volume == pytest.approx(4.1**3, rel=1e-5) and s.get_distance(0, 1) == pytest.approx(3.5507, abs=1e-3)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LATTICE_CART", "lattice_cart"),
        ("LATTICE_CART\n 4.1", "LATTICE_CART\nang\n 4.1"),
        ("Cl 0.5 0.5 0.5", "Cl:1 0.5 0.5 0.5 SPIN=1.0 LABEL=x ! site"),
        (
            "LATTICE_CART\n 4.1 0 0\n 0 4.1 0\n 0 0 4.1\n%ENDBLOCK LATTICE_CART",
            "LATTICE_ABC\nbohr\n 7.7478771 7.7478771 7.7478771\n 90 90 90\n%ENDBLOCK LATTICE_ABC",
        ),
        (
            "POSITIONS_FRAC\nCs 0 0 0\nCl 0.5 0.5 0.5\n%ENDBLOCK POSITIONS_FRAC",
            "POSITIONS_ABS\nCs 0 0 0\nCl 2.05 2.05 2.05\n%ENDBLOCK POSITIONS_ABS",
        ),
    ],
)
def test_cell_files_are_read(tmp_path, old, new):
    assert old in CELL
    result = read(tmp_path, ".cell", CELL.replace(old, new))
    is_salt(result.structures[0])
    assert not result.remarks


def test_res_files_are_read(tmp_path):
    result = read(tmp_path, ".res", RES)
    is_salt(result.structures[0])
    assert (result.structures[0].name, result.structures[0].info) == ("cscl-17", {"pressure": 0.01, "enthalpy": -7.5})
    assert [n.row for n in read(tmp_path, ".res", RES + RES).structures] == [1, 2]
    is_salt(read(tmp_path, ".res", RES.replace("Cl 2 0.5 0.5 0.5 1.0", "Cl2 2 0.5 0.5 0.5 11.0 0.05")).structures[0])


@pytest.mark.parametrize(
    ("ending", "old", "new", "words"),
    [
        (".cell", "%ENDBLOCK POSITIONS_FRAC", "", "cut short"),
        (".cell", "POSITIONS_FRAC", "POSITIONS", "no block POSITIONS_FRAC or POSITIONS_ABS"),
        (".cell", " 4.1 0 0\n", "", "LATTICE_CART has 2 lines"),
        (".cell", "Cl 0.5", "X 0.5", "line 8: 'X' is not an element"),
        (".cell", "Cl 0.5 0.5 0.5", "Cl 0.5 0.5", "line 8: three numbers"),
        (".cell", "0.5 0.5 0.5", "0.5 0.5 0.5 MIXTURE:(1 0.5)", "partial occupancy"),
        (".cell", "LATTICE_CART\n 4.1", "LATTICE_CART\nfeet\n 4.1", "'feet' is not a unit"),
        (".res", "LATT -1", "LATT 1", "line 4: a .res with symmetry"),
        (".res", "LATT -1", "SYMM -x, -y, -z", "line 4: a .res with symmetry"),
        (".res", "Cl 2 0.5", "Cl 1 0.5", "line 7: the label is Cl, element 1 of SFAC is Cs"),
        (".res", "Cl 2 0.5", "Cl 3 0.5", "line 7: element 3 of the 2"),
        (".res", "0.5 1.0", "0.5 0.5", "line 7: partial occupancy (0.5)"),
        (".res", "Cl 2 0.5 0.5 0.5 1.0\n", "", "TITL says 2 atoms, 1 follow"),
        (".res", "CELL", "CALL", "line 3: an atom should stand here"),
        (".res", "90 90 90", "90 90", "no line CELL"),
        (".res", "90 90 90", "90 90 190", "no cell has the lengths"),
        (".res", "TITL", "TITEL", "no line TITL"),
    ],
)
def test_unusable_files_are_refused(tmp_path, ending, old, new, words):
    text = CELL if ending == ".cell" else RES
    assert old in text
    with pytest.raises(NucleateError) as error:
        read(tmp_path, ending, text.replace(old, new))
    assert words in str(error.value)
