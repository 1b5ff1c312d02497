"""`nucleate predict` on a library of a few crystals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure
from typer import Typer
from typer.testing import CliRunner, Result

from nucleate.cli.predict import predict
from nucleate.data.tables import table_from_items, write_table
from nucleate.io import Named, read_structures
from nucleate.pipeline.files import read_candidates

app = Typer()
app.command()(predict)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    half, quarter = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]
    items = [
        Named("halite", Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], half])),
        Named("sylvite", Structure.from_spacegroup("Fm-3m", Lattice.cubic(6.29), ["K", "Cl"], [[0, 0, 0], half])),
        Named("zincite", Structure.from_spacegroup("F-43m", Lattice.cubic(4.6), ["Zn", "O"], [[0, 0, 0], quarter])),
    ]
    file = tmp_path_factory.mktemp("known") / "known.parquet"
    write_table(table_from_items(items)[0], file)
    return file


def call(known: Path, *args: object) -> Result:
    words = [*args, "--templates", known, "--rank-by", "emd"]
    return CliRunner().invoke(app, [str(a) for a in words], env={"COLUMNS": "200"})


def test_a_table_that_says_where_each_structure_comes_from(known: Path, tmp_path: Path) -> None:
    out = tmp_path / "cifs"
    found = call(known, "KCl", "--top", 2, "--out", out)
    assert found.exit_code == 0, found.output
    lines = [line.split() for line in found.stdout.splitlines()]
    assert ["KCl-1", "Fm-3m", "8", "KCl", "sylvite", "none", "0.00", "1.00"] in lines
    assert any(line[:2] == ["KCl-2", "F-43m"] and "for" in line for line in lines)
    assert f"2 structures in {out}" in found.stdout.replace("\n", "")
    assert {s.structure.composition.reduced_formula for s in read_structures([out]).structures} == {"KCl"}


def test_a_structure_type_may_come_again(known: Path) -> None:
    once, again = call(known, "KCl"), call(known, "KCl", "--repeats")
    assert "fewer than 5: " in once.output and "2 structure types of the ratio 1:1 of KCl" in once.output
    assert "halite" not in once.stdout and "Na" in again.stdout and "halite" in again.stdout


def test_formulas_of_a_file_with_what_is_wrong_in_it(known: Path, tmp_path: Path) -> None:
    text, out = tmp_path / "formulas.txt", tmp_path / "out.jsonl"
    text.write_text("ZnO\n\nXx2O\nClK\nCaSi2O5\n")
    found = call(known, "KCl", "--file", text, "--top", 1, "--out", out)
    assert found.exit_code == 0, found.output
    candidates, _ = read_candidates([out])
    assert [c.id for c in candidates if c.failure is None] == ["KCl-1", "ZnO-1"]  # ClK is KCl and came already
    reasons = {c.id: c.failure for c in candidates if c.failure}
    assert "formulas.txt, row 3" in reasons["formula-4"] and "'Xx' is not an element" in reasons["formula-4"]
    assert "1:2:5 of CaSi2O5" in reasons["CaSi2O5-1"]
    assert "no structure of CaSi2O5: no known structure in" in found.output.replace("\n", " ")
    assert json.loads(out.read_text().splitlines()[0])["provenance"]["template"]["id"] == "sylvite"


def test_copied_volumes(known: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert call(known, "NaO", "--volume", "copy", "--top", 1, "--out", out).exit_code == 0
    (candidate,) = read_candidates([out])[0]
    assert candidate.structure.volume == pytest.approx(5.64**3, rel=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("Xx2O",), "'Xx' is not an element"),
        (("",), "the formula is empty"),
        ((), "no formula was given"),
        (("Fe71O5",), "has the ratio 5:71 of Fe71O5"),
        (("Fe0O",), "a count of zero"),
        (("Fe99999999O",), "more than 10,000 atoms"),
        (("NaCl", "--method", "magic"), "--method is template or diffusion, not 'magic'"),
        (("NaCl", "--volume", "huge"), "scaled, copy"),
    ],
)
def test_bad_input(known: Path, words: tuple[str, ...], message: str) -> None:
    found = call(known, *words)
    assert found.exit_code == 1 and message in str(found.exception)


def test_fractions_and_doubled_elements_are_one_formula(known: Path) -> None:
    for text in ("Zn0.5O0.5", "OZn", "Zn O0.5 O0.5"):
        found = call(known, text, "--top", 1)
        assert "ZnO-1" in found.stdout and "zincite" in found.stdout, found.output
