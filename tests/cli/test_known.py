"""`nucleate known`, with the library of the package."""

import json

import pytest
from typer.testing import CliRunner

from nucleate.cli.main import app
from nucleate.io import read_structures


def call(*words):
    return CliRunner().invoke(app, ["known", *map(str, words)], env={"COLUMNS": "200"})


def test_without_a_question_it_says_what_there_is():
    text = call().stdout
    assert "known crystals of" in text and "CC-BY 4.0" in text and "nucleate known --help" in text


def test_help_names_source_and_licence():
    text = " ".join(call("--help").stdout.split())
    assert "Materials Project" in text and "OQMD" in text and "CC-BY 4.0" in text


def test_a_formula():
    text = call("SrTiO3").stdout
    lines = [line for line in text.splitlines() if line.startswith("mp-")]
    assert any("mp-5229" in line and "Pm-3m" in line and "ABC3_cP5_221_a_b_c" in line for line in lines)
    assert f"{len(lines)} known crystals" in text and "CC-BY 4.0" in text


def test_a_family_shows_the_first():
    text = call("--prototype", "garnet", "--top", 2, "--contains", "Y").stdout
    assert len([line for line in text.splitlines() if line.startswith("mp-")]) == 2 and "the first 2 shown" in text


def test_a_family_has_no_crystals_of_another_type_with_its_letters():
    assert "mp-5229" in call("SrTiO3", "--prototype", "perovskite").stdout
    refused = call("VBO3", "--prototype", "perovskite")  # calcite, whose letters are those of rhombohedral perovskites
    assert "no known crystal meets all that is asked" in str(refused.exception)
    assert "R-3c" in call("VBO3", "--prototype", "calcite").stdout


def test_crystals_of_the_oqmd_alone(tmp_path):
    text = call("--source", "oqmd", "--contains", "Tl", "--num-elements", "2..3", "--out", tmp_path / "x.csv").stdout
    assert "S. Kirklin et al." in text and "materialsproject.org" not in text and "oqmd-" in text
    table = (tmp_path / "x.csv").read_text()
    assert "oqmd.org" in table and "materialsproject.org" not in table


@pytest.mark.parametrize("ending", ["cif", "extxyz", "jsonl", "csv", ""])
def test_files_name_source_and_licence(tmp_path, ending):
    path = tmp_path / (f"out.{ending}" if ending else "folder")
    found = call("mp-149", "--out", path)
    assert found.exit_code == 0 and "1 crystal in" in found.stdout
    text = (path if ending else next(path.iterdir())).read_text()
    assert "CC-BY 4.0" in text and "materialsproject.org" in text and "mp-149" in text
    if ending != "csv":
        (read,) = read_structures([path]).structures
        assert read.structure.composition.reduced_formula == "Si"
    if ending == "jsonl":
        record = json.loads(text)
        assert record["e_above_hull"] == 0 and record["prototype"] == "A_cF8_227_a"


def test_hidden_crystals_are_not_found(tmp_path):
    assert "mp-149" in call("Si").stdout
    hidden = call("Si", "--hide", "mp-20:val")  # silicon is in this split
    assert "mp-149" not in hidden.stdout and "hidden: mp-20:val" in hidden.stdout


def test_the_nearest_to_a_crystal(tmp_path):
    call("mp-149", "--out", tmp_path / "silicon.cif")
    found = call("--like", tmp_path / "silicon.cif", "--top", 3).stdout.splitlines()
    lines = [line for line in found if line.startswith("mp-")]
    assert len(lines) == 3 and "mp-149" in lines[0] and "same structure" in lines[0]
    assert "same structure type" in lines[2]
    both = call("SrTiO3", "--like", tmp_path / "silicon.cif")
    assert both.exit_code == 1 and "--like is asked alone" in str(both.exception)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("SrTiO4",), "SrTiO4 is not among the known crystals; known with these elements: "),
        (("SrTiO3", "--space-group", "225", "--gap", "1..9"), "without --space-group"),
        (("SrTiO3", "--out", "x.doc"), "known crystals cannot be written to '.doc'"),
        (("SrTiO3", "--out", "x.cif"), "x.cif takes one crystal, and these are 4"),
    ],
)
def test_refusals(words, message):
    found = call(*words)
    assert found.exit_code == 1 and message in str(found.exception)
