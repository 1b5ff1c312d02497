"""Which texts are formulas, and how they are read from files of every kind."""

import json
import os

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition, Lattice, Structure

from nucleate.chem.elements import SYMBOLS
from nucleate.chem.formula import MAX_ATOMS, parse_strict
from nucleate.data.write import table_from_items, write_crystal_table
from nucleate.errors import NucleateError
from nucleate.evaluate.formulas import formula_key, key_text, read_formulas
from nucleate.io import Named, write_structures
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.candidate_files import write_candidates

NACL = Structure.from_spacegroup(225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
STO = Structure.from_spacegroup(221, Lattice.cubic(3.905), ["Sr", "Ti", "O"], [[0] * 3, [0.5] * 3, [0.5, 0.5, 0]])


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("SrTiO3", {"Sr": 1, "Ti": 1, "O": 3}),
        (" Sr Ti O O O\t", {"Sr": 1, "Ti": 1, "O": 3}),
        ("Cs3 N4 O9", {"Cs": 3, "N": 4, "O": 9}),
        ("O2Ti4", {"O": 2, "Ti": 4}),
        ("Ca(OH)2", {"Ca": 1, "O": 2, "H": 2}),
        ("K4((Fe(CN)6))1", {"K": 4, "Fe": 1, "C": 6, "N": 6}),
        ("CO", {"C": 1, "O": 1}),
        ("Co", {"Co": 1}),
        ("No", {"No": 1}),
        ("H10000", {"H": 10_000}),
    ],
)
def test_formulas(text, counts):
    assert parse_strict(text) == counts


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("Xx2O3", "'Xx' is not an element"),
        ("D2O", "'D' is not an element"),
        ("srTiO3", "unexpected 's'"),
        ("S i O2", "unexpected 'i'"),  # letters on both sides of a gap are not joined
        ("[UNK]", "unexpected '['"),  # not U, N and K in brackets
        ("Sr[MASK]O3", "unexpected '['"),
        ("Fe 2 O 3", "a number follows no element"),
        ("2H", "a number follows no element"),
        ("Fe0.95O", "not a positive whole number"),
        ("Fe2.0", "not a positive whole number"),
        ("Fe0O", "not a positive whole number"),
        ("Fe02", "not a positive whole number"),
        ("Fe-2", "unexpected '-'"),
        ("TiO₂", "unexpected '₂'"),
        ("Ti٢", "unexpected '٢'"),  # a digit, in Arabic
        ("()", "there is nothing between two brackets"),
        ("Ca(OH2", "never closed"),
        ("CaOH)2", "never opened"),
        ("H10001", "more than 10,000 atoms"),
        ("H" + "9" * 5000, "more than 10,000 atoms"),  # more digits than Python turns into an int
        ("((((H999)999)999)999)", "more than 10,000 atoms"),
        ("\x07", "unprintable"),
    ],
)
def test_texts_that_are_no_formulas_are_reported(text, reason):
    with pytest.raises(NucleateError, match=reason.replace("[", r"\[")) as caught:
        parse_strict(text)
    assert "\n" not in str(caught.value)
    assert formula_key(text) is None


@given(st.text(alphabet="SrTiOHe()0123456789. \n[]₂x", max_size=30))
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_formula_or_an_error_with_a_reason(text):
    try:
        counts = parse_strict(text)
    except NucleateError as error:
        assert str(error)
        return
    assert counts and set(counts) <= set(SYMBOLS)
    assert all(isinstance(n, int) and n > 0 for n in counts.values())
    assert sum(counts.values()) <= MAX_ATOMS
    assert {
        e.symbol: n for e, n in Composition(text).items()
    } == counts  # pymatgen reads more texts, but none differently


@given(st.dictionaries(st.sampled_from(SYMBOLS), st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_order_and_multiples_do_not_matter(counts, factor):
    forward = "".join(f"{s}{n}" for s, n in counts.items())
    backward = " ".join(f"{s}{factor * n}" for s, n in reversed(counts.items()))
    assert formula_key(forward) == formula_key(backward) == formula_key(key_text(formula_key(forward)))


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_text_files_keep_every_line(tmp_path):
    found = read_formulas(write(tmp_path / "out.txt", "SrTiO3\r\n\r\n[UNK] O\nNaCl\x0b2\n"))
    assert found.texts == ("SrTiO3", "", "[UNK] O", "NaCl\x0b2")
    assert read_formulas(write(tmp_path / "samples", "MgO")).texts == ("MgO",)


@pytest.mark.parametrize("column", ["formula", "Composition", "pretty_formula"])
def test_csv(tmp_path, column):
    text = f'id,{column},note\n1,SrTiO3,"a,b"\n\n2,,x\n3\n4,MgO,\n'
    found = read_formulas(write(tmp_path / "a.csv", text))
    assert found.texts == ("SrTiO3", "", "", "MgO")
    assert found.reasons == {2: "the row ends before its formula"}
    one = read_formulas(write(tmp_path / "b.csv", f"{column}\nMgO\n\nCaO\n"))
    assert one.texts == ("MgO", "", "CaO")  # with one column an empty line is an empty formula


def test_a_column_by_name(tmp_path):
    path = write(tmp_path / "a.csv", "formula,guess\nMgO,CaO\n")
    assert read_formulas(path, column="guess").texts == ("CaO",)
    with pytest.raises(NucleateError, match="no column 'other'; the columns are: formula, guess"):
        read_formulas(path, column="other")


def test_json(tmp_path):
    lines = ['{"formula": "MgO"}', "", "{broken", '{"id": 3}', '{"formula": 7}', '"CaO"']
    found = read_formulas(write(tmp_path / "a.jsonl", "\n".join(lines)))
    assert found.texts == ("MgO", "", "", "", "CaO")
    assert found.reasons == {1: "not JSON", 2: "no formula", 3: "not a text"}
    assert read_formulas(write(tmp_path / "a.json", json.dumps(["MgO", "CaO"]))).texts == ("MgO", "CaO")
    assert read_formulas(write(tmp_path / "b.json", json.dumps([{"composition": "MgO"}]))).texts == ("MgO",)


def test_structures_of_every_kind(tmp_path):
    crystals = [Named("a", NACL), Named("b", STO)]
    frame = pd.DataFrame({"cif": [c.structure.to(fmt="cif") for c in crystals]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    write_crystal_table(table_from_items(crystals)[0].drop(["formula"]), tmp_path / "a.parquet")
    for name in ("a.csv", "a.parquet", "a.extxyz", "a.jsonl", "a.db", "folder"):
        if not (tmp_path / name).exists():
            write_structures(tmp_path / name, crystals)
        found = read_formulas(tmp_path / name)
        assert [formula_key(t) for t in found.texts] == [formula_key("NaCl"), formula_key("SrTiO3")], name
        assert not found.reasons
    (tmp_path / "folder" / "c.cif").write_text("data_x\nnothing\n")
    (tmp_path / "folder" / "notes.md").write_text("hello")
    found = read_formulas(tmp_path / "folder")
    assert len(found) == 3
    assert read_formulas(tmp_path / "a.parquet", column="material_id").texts == ("a", "b")
    assert len(found.reasons) == 1  # the broken file counts, the notes do not
    assert found.notes == ("1 files that hold no structures were passed over",)


def test_rejected_candidates_count(tmp_path):
    lost = Candidate("b").failed("generate", "error", "out of luck")
    write_candidates(tmp_path / "c.jsonl", [Candidate("a", structure=NACL), lost])
    found = read_formulas(tmp_path / "c.jsonl")
    assert [formula_key(t) for t in found.texts] == [formula_key("NaCl"), None]
    assert "out of luck" in found.reasons[1]


def test_errors(tmp_path):
    for name, text, message in (
        ("empty.txt", "", "is empty"),
        ("mark.txt", "\ufeff", "is empty"),
        ("zero.txt", "Mg\0O", "not a text file"),
        ("a.csv", "id,energy\n1,2\n", "no column 'formula' or 'composition' or 'pretty_formula'.* are: id, energy"),
        ("b.csv", "formula\n", "no rows"),
        ("a.jsonl", '{"id": 1}\n', "columns are: id"),
        ("b.jsonl", "{broken\n", "no JSON record"),
        ("a.json", "{broken", "not JSON"),
        ("a.parquet", "nonsense", "not parquet"),
        ("a.cif", "nonsense", "no crystal can be read"),
    ):
        with pytest.raises(NucleateError, match=message) as caught:
            read_formulas(write(tmp_path / name, text))
        assert "\n" not in str(caught.value), name
    (tmp_path / "binary").write_bytes(bytes(range(128, 256)))
    with pytest.raises(NucleateError, match="not a text file"):
        read_formulas(tmp_path / "binary")
    with pytest.raises(NucleateError, match="no file"):
        read_formulas(tmp_path / "absent.txt")


@pytest.mark.skipif("NUCLEATE_DATA" not in os.environ, reason="NUCLEATE_DATA is not set")
def test_data_sets():
    found = read_formulas("mp-20:test")
    assert len(found) == 9046
    assert not found.reasons
    assert all(formula_key(t) for t in found.texts)
    with pytest.raises(NucleateError, match="no dataset"):
        read_formulas("mp-19:test")
