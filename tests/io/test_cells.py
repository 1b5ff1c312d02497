"""No text in a table is taken for a formula by a spreadsheet, and all texts come back as they were."""

import csv

import pytest

from nucleate.io import read_structures
from nucleate.io.cells import escaped, unescaped, write_csv

HOSTILE = [
    "=1+1",
    '=HYPERLINK("http://x","y")',
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "'=1",
    "''=1",
]
HARMLESS = ["NaCl", "'quoted'", "-", "+", "", "-3.5", "+2", "-1e-3", "a=b", "Fe2+", "'", "''", "it's"]


@pytest.mark.parametrize("text", HOSTILE)
def test_formulas_are_told_to_be_text(text):
    assert escaped(text) == f"'{text}" and unescaped(escaped(text)) == text


@pytest.mark.parametrize("value", [*HARMLESS, -3.5, None, 7, True])
def test_other_texts_stay_as_they_are(value):
    assert escaped(value) == value
    if isinstance(value, str):
        assert unescaped(value) == value


def test_tables_come_back_equal(tmp_path):
    cif = "data_x\n_cell_length_a 3\n_cell_length_b 3\n_cell_length_c 3\n_cell_angle_alpha 90\n_cell_angle_beta 90\n"
    cif += "_cell_angle_gamma 90\nloop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
    cif += "Po 0 0 0\n"
    rows = [{"name": text, "cif": cif, "=note": text, "x": -1.5} for text in ["=1+1", "@a", "plain"]]
    write_csv(tmp_path / "a.csv", rows)
    with (tmp_path / "a.csv").open(newline="") as file:
        written = list(csv.reader(file))
    assert written[0][2] == "'=note" and [r[2] for r in written[1:]] == ["'=1+1", "'@a", "plain"]
    found = read_structures([tmp_path / "a.csv"]).structures
    assert [n.name for n in found] == ["=1+1", "@a", "plain"]
    assert [n.info["=note"] for n in found] == ["=1+1", "@a", "plain"] and found[0].info["x"] == -1.5
