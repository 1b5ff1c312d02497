from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from nucleate.data import add_files, load_table
from nucleate.errors import NucleateError
from nucleate.io import read_structures

SALT = Structure(Lattice.cubic(4.1), ["Cs", "Cl"], [[0, 0, 0], [0.5] * 3])
CIF = '"' + str(CifWriter(SALT)) + '"'


def table(header: str, *rows: str, separator: str = ",") -> str:
    """A table with the CIF as the first column."""
    return "\n".join([f"cif{separator}{header}", *(f"{CIF}{separator}{r}" for r in rows)]) + "\n"


def read(tmp_path, text: str, encoding: str = "utf-8", name: str = "a.csv"):
    (tmp_path / name).write_bytes(text.encode(encoding))
    return read_structures(tmp_path / name)


def column(result, name: str) -> list:
    return [s.info.get(name) for s in result.structures]


@pytest.mark.parametrize(
    "nothing", ["", " ", "None", "N/A", "NA", "-", "?", "nan", "NaN", "null", "#N/A", "<NA>", "--"]
)
def test_a_marker_of_nothing_is_a_missing_value(tmp_path, nothing):
    result = read(tmp_path, table("gap", "1.5", nothing, "2"))
    assert column(result, "gap") == [1.5, None, 2] and not result.problems
    said = [r.reason for r in result.remarks]
    assert said == ([f"column 'gap': no number in some rows (1 x {nothing})"] if nothing.strip() else [])


def test_numbers_that_are_not_finite_are_missing_and_reported(tmp_path):
    result = read(tmp_path, table("gap", "1.5", "inf", "-inf", "-Infinity"))
    assert column(result, "gap") == [1.5, None, None, None]
    assert "(1 x inf, 1 x -inf, 1 x -Infinity)" in result.remarks[0].reason


@pytest.mark.parametrize(
    ("cells", "named"),
    [
        (["1.5", "metal", "2"], "row 2 'metal'"),
        (["7,8", "8,1", "9"], "row 1 '7,8', row 2 '8,1'; write decimal points"),
        (["7,8", "8,1", "9,0"], "write decimal points"),
        (["3.2 eV", "1.1 eV", "0 eV"], "row 1 '3.2 eV'"),
        (["1", "1_000", "2"], "row 2 '1_000'"),
        (["1", "1e400", "2"], "row 2 '1e400'"),
        (["1.5", "1.5?", "2"], "row 2 '1.5?'"),
        (["1.5", "2.5", "007"], "row 3 '007'"),
        (["1", "2", "3", "a", "b", "c"], "row 4 'a', row 5 'b', row 6 'c'"),
    ],
)
def test_a_word_among_numbers_is_named_and_nothing_is_lost(tmp_path, cells, named):
    result = read(tmp_path, table("gap", *[f'"{c}"' for c in cells]))
    assert column(result, "gap") == cells
    (remark,) = result.remarks
    assert remark.reason.startswith("column 'gap' is text") and named in remark.reason


def test_names_and_codes_stay_text(tmp_path):
    text = table("id,sample_code,formula,label,n", "0012,12e5,1,7,12e5", "13,1_000,2,NA,3")
    result = read(tmp_path, text)
    assert [s.name for s in result.structures] == ["0012", "13"] and not result.remarks
    assert result.structures[0].info == {"sample_code": "12e5", "formula": "1", "label": "7", "n": 12e5}
    assert result.structures[1].info == {"sample_code": "1_000", "formula": "2", "label": "NA", "n": 3}


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("first", ["", "sep={}\r\n"])
def test_separators_and_encodings(tmp_path, separator, encoding, first):
    text = first.format(separator) + table(
        f" gap{separator}label", f"1{separator}a", f"2{separator}b", separator=separator
    )
    result = read(tmp_path, text, encoding, "a.tsv" if separator == "\t" else "a.csv")
    assert column(result, "gap") == [1, 2] and column(result, "label") == ["a", "b"]


def test_unusable_tables_are_refused(tmp_path):
    with pytest.raises(NucleateError, match=r"two columns are called 'gap'"):
        read(tmp_path, table("gap,x, gap", "1,2,3"))
    with pytest.raises(NucleateError, match=r"zero bytes: UTF-16 without its mark"):
        read(tmp_path, table("gap", "1"), "utf-16-le")
    with pytest.raises(NucleateError, match=r"no column 'cif' or 'structure'; the columns are: a, b"):
        read(tmp_path, "a;b\n1;2\n")
    deep = "[" * 100_000
    with pytest.raises(NucleateError, match=r"nested too deeply"):
        read(tmp_path, f"structure,x\n{deep},1\n")


def test_a_dataset_says_which_cell_is_no_number_and_so_does_training(tmp_path, monkeypatch):
    from nucleate.data import prepare

    monkeypatch.setenv("NUCLEATE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "a.csv").write_text(table("gap,e_form,note", "1.5,-1,x", "metal,-2,y", "2,None,z"))
    summary = add_files("mine", [tmp_path / "a.csv"], (1.0, 0.0, 0.0))[0]
    assert summary.rows == 3 and not summary.left_out
    assert "row 2 'metal'" in summary.remarks[0].reason and "1 x None" in summary.remarks[1].reason
    assert load_table("mine", "train").column("e_form").to_pylist() == [-1, -2, None]
    with pytest.raises(
        NucleateError, match=r"column 'gap' is text, not numbers \('metal'.*columns with numbers: e_form"
    ):
        prepare("mine", "train", properties=["gap"])
    with pytest.raises(NucleateError, match=r"no column 'colour'; columns with numbers: e_form"):
        prepare("mine", "train", properties=["colour"])


def test_formulas_of_tables_with_other_separators(tmp_path):
    from nucleate.evaluate.formulas import read_formulas

    (tmp_path / "a.csv").write_text("id;Formula;x\n1;NaCl;2,5\n2;MgO;3,5\n")
    assert read_formulas(tmp_path / "a.csv").texts == ("NaCl", "MgO")
    (tmp_path / "a.csv").write_text("formula,formula\nNaCl,MgO\n")
    with pytest.raises(NucleateError, match="two columns are called 'formula'"):
        read_formulas(tmp_path / "a.csv")


def test_cells_that_were_marked_for_spreadsheets_are_what_they_were(tmp_path):
    found = read(tmp_path, table("id,note", "'=x,'@home", "a,'plain")).structures
    assert [(s.name, s.info["note"]) for s in found] == [("=x", "@home"), ("a", "'plain")]
