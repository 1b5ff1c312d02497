"""`nucleate predict` on a library of a few crystals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure
from tiny_sites import tiny_sites
from typer import Typer
from typer.testing import CliRunner, Result

from nucleate.cli.predict import predict
from nucleate.data.write import table_from_items, write_crystal_table
from nucleate.hull.reference import Entry, ReferenceSet
from nucleate.io import Named, read_structures
from nucleate.pipeline.candidate import FAIL
from nucleate.pipeline.candidate_files import read_candidates
from nucleate.pipeline.rank import verdict
from nucleate.potentials.registry import get_potential
from nucleate.stages.hull import HullStage
from nucleate.tasks.predict import METHODS

EMT = "ase:ase.calculators.emt:EMT"
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
    write_crystal_table(table_from_items(items)[0], file)
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
    assert [c.id for c in candidates if c.failure is None] == ["KCl-1", "ZnO-1"]  # ClK is KCl, which was given before
    reasons = {c.id: str(c.failure) for c in candidates if c.failure}
    assert "formulas.txt, row 3" in reasons["formula-4"] and "'Xx' is not an element" in reasons["formula-4"]
    assert "1:2:5 of CaSi2O5" in reasons["CaSi2O5-1"]
    assert "no structure of CaSi2O5: the crystals of" in found.output.replace("\n", " ")
    assert json.loads(out.read_text().splitlines()[0])["origin"]["template"]["id"] == "sylvite"


def test_volumes_of_templates_can_be_copied(known: Path, tmp_path: Path) -> None:
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
        (("Fe71O5",), "have no structure of the ratio 5:71 of Fe71O5"),
        (("Fe0O",), "a number of atoms is zero"),
        (("Fe99999999O",), "more than 10,000 atoms"),
        (("NaCl", "--method", "magic"), "unimat, compact, adaptive, random, not 'magic'"),
        (("Na-Cl", "--method", "template"), "Na-Cl is a chemical system, and templates are of a formula"),
        (("Na-Cl", "--sites", "Na"), "as in K:1,Cu:2,Si:1, element and number of sites; 'Na' is not"),
        (("Na-Cl", "--sites", "Na:1,Na:2"), "the sites of Na are given twice"),
        (("NaCl", "--space-group", "common:0"), "a number from 1 to 230, not '0'"),
        (("NaCl", "--volume", "huge"), "scaled, copy"),
        (("NaCl", "--weights", "mp20-csp"), "the method template has no weights"),
        (("NaCl", "--method", "transformer", "--weights", "nothing"), "no weights 'nothing'"),
        (("NaCl", "--method", "transformer", "--weights", "mp20-dng"), "mp20-dng takes no formula"),
        (("OsOg", "--method", "random"), "Og has no radius"),
    ],
)
def test_bad_input(known: Path, words: tuple[str, ...], message: str) -> None:
    found = call(known, *words)
    assert found.exit_code == 1 and message in str(found.exception)


def test_fractions_and_doubled_elements_are_one_formula(known: Path) -> None:
    for text in ("Zn0.5O0.5", "OZn", "Zn O0.5 O0.5"):
        found = call(known, text, "--top", 1)
        assert "ZnO-1" in found.stdout and "zincite" in found.stdout, found.output


def test_every_method_is_in_the_help() -> None:
    text = " ".join(CliRunner().invoke(app, ["--help"], env={"COLUMNS": "300"}).stdout.replace("│", " ").split())
    for name, method in METHODS.items():
        assert f"{name}: {method.what}" in text


def test_the_first_of_those_drawn(known: Path, tmp_path: Path) -> None:
    out, records = tmp_path / "cifs", tmp_path / "all.jsonl"
    found = call(known, "NaCl", "CsF", "--method", "random", "--samples", 3, "--top", 2, "--out", out)
    assert found.exit_code == 0, found.output
    assert [w for w in found.stdout.split() if w.startswith(("NaCl-", "CsF-"))] == [
        "NaCl-1",
        "NaCl-2",
        "CsF-1",
        "CsF-2",
    ]
    assert len(read_structures([out]).structures) == 4
    assert call(known, "NaCl", "--method", "random", "--samples", 3, "--top", 2, "--out", records).exit_code == 0
    candidates, _ = read_candidates([records])
    assert [c.id for c in candidates] == ["NaCl-1", "NaCl-2", "NaCl-3"]
    assert all(1 <= c.provenance["random_search"]["space_group"] <= 230 for c in candidates)


def relaxed(known: Path, tmp_path: Path, out: Path) -> Result:
    """Copper from random structures by a potential that takes milliseconds."""
    reference = tmp_path / "copper.parquet"
    if not reference.exists():
        ReferenceSet.from_entries("copper", get_potential(EMT).method, [Entry("Cu", 0.0, 225, "k", 11.7, 1)]).save(
            reference
        )
    words = "--method", "random", "--samples", 5, "--top", 2, "--relax", "--potential", EMT, "--workers", 1
    return call(known, "Cu", *words, "--reference", reference, "--out", out)


def test_equal_structures_are_one_and_counted(known: Path, tmp_path: Path) -> None:
    found = relaxed(known, tmp_path, tmp_path / "copper.jsonl")
    assert found.exit_code == 0, found.output
    candidates, _ = read_candidates([tmp_path / "copper.jsonl"])
    assert len(candidates) == 5
    counted = [c for c in candidates if c.frequency]
    best, twins = candidates[0], [c for c in candidates if verdict(c, "unique") == FAIL]
    assert best.energies["energy"].value == min(c.energies["energy"].value for c in candidates if c.energies)
    assert sum(c.frequency.found for c in counted) + sum(c.failure is not None for c in candidates) == 5
    assert twins and f"{best.frequency.found} of 5" in found.stdout
    rows = [line.split()[0] for line in found.stdout.splitlines() if line.lstrip().startswith("Cu-")]
    assert rows == [c.id for c in counted[:2]]


def test_an_interrupted_prediction_goes_on(known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert relaxed(known, tmp_path, tmp_path / "whole.jsonl").exit_code == 0

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(HullStage, "_evaluate", interrupt)
        stopped = relaxed(known, tmp_path, tmp_path / "part.jsonl")
    assert stopped.exit_code == 130 and "the same command goes on" in stopped.output
    assert not (tmp_path / "part.jsonl").exists()
    again = relaxed(known, tmp_path, tmp_path / "part.jsonl")
    assert again.exit_code == 0 and "going on: 5 of 5 structures" in again.output.replace("\n", " ")
    whole, part = ((tmp_path / f"{n}.jsonl").read_text() for n in ("whole", "part"))
    energies = [[json.loads(line)["energies"] for line in text.splitlines()] for text in (whole, part)]
    assert energies[0] == energies[1]
    assert not list(tmp_path.glob("*.part.jsonl"))


def test_a_space_group_is_read_in_any_common_spelling(known: Path) -> None:
    found = call(known, "NaCl", "--method", "random", "--space-group", "P nma", "--samples", 1)
    assert found.exit_code == 0 and "NaCl-1" in found.stdout, found.output
    refused = call(known, "NaCl", "--space-group", "Pnma", "--method", "template")
    assert "the method template cannot use a space group; adaptive, random can" in str(refused.exception)
    assert "similar ones: Pnnm (58), Pnma (62)" in str(call(known, "NaCl", "--space-group", "Pnmx").exception)


def test_sites_in_space_groups(known: Path, tmp_path: Path) -> None:
    words = ("Sr-O", "--weights", tiny_sites(tmp_path / "tiny"), "--sites", "Sr:1,O:1")
    found = call(known, *words, "--space-group", "Fm-3m,62", "--samples", 2)
    assert found.exit_code == 0 and "Sr-O-4" in found.stdout and "SrO" in found.stdout, found.output
    none = call(known, *words[:-1], "Sr:2,O:1", "--space-group", "Ia-3d")
    assert "no primitive cell of up to 20 atoms" in str(none.exception)


def retrieved(*args: object) -> Result:
    """With all known crystals, and without options of templates."""
    return CliRunner().invoke(app, [str(a) for a in args], env={"COLUMNS": "200"})


def test_a_known_crystal_is_said_first(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    found = retrieved("MgAl2O4", "--samples", 2, "--out", out)
    assert found.exit_code == 0, found.output
    lines = [line.split() for line in found.stdout.splitlines()]
    assert [
        "1",
        "MgAl2O4-1",
        "known",
        "spinel",
        "Fd-3m",
        "14",
        "+0.000",
        "known",
        "MgAl2O4",
        "mp-3536",
        "none",
    ] in lines
    assert "MgAl2O4 is known: spinel, Fd-3m, 14 atoms, on the hull; " in found.stdout
    assert "more known crystals of it: nucleate known MgAl2O4" in found.stdout
    assert "e_above_hull: of the Materials Project, for known crystals alone" in found.stdout
    assert "none of these" not in found.stdout
    first = read_candidates([out])[0][0]
    assert first.vote.id == "mp-3536" and first.energies == {}  # the height of another source is no energy of its own


def test_probabilities_of_what_is_not_known(tmp_path: Path) -> None:
    found = retrieved("MgAl2O4", "--hide", "MgAl2O4", "--samples", 3)
    assert found.exit_code == 0, found.output
    rows = [line.split() for line in found.stdout.splitlines() if "MgAl2O4-" in line]
    chances = [int(row[2]) for row in rows]
    assert [row[0] for row in rows] == ["1", "2", "3"] and all(row[3] == "%" for row in rows)
    (rest,) = [line.split() for line in found.stdout.splitlines() if line.split()[1:] == ["%", "none", "of", "these"]]
    assert abs(sum(chances) + int(rest[0]) - 100) <= 2
    assert "MgAl2O4 is not known, apart from what is hidden; the best guess, spinel as in" in found.stdout
    assert f"has {chances[0]} %" in found.stdout and "P: that a crystal near the hull has" in found.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("Og2O",), "no known crystal has Og, so OOg2 is like none of them"),
        (("Fe151O149",), "no known crystal has the ratio 149:151 of Fe151O149"),
        (
            ("LiNaKRbCsFClBrI",),
            "has the ratio 1:1:1:1:1:1:1:1:1 of CsKRbNaLiIBrClF; what needs none: --method",
        ),
        (("NaCl", "--method", "retrieval", "--rank-by", "random"), "the method retrieval takes no templates"),
        (("NaCl", "--method", "retrieval", "--space-group", "62"), "the method retrieval cannot use a space group"),
        (("NaCl", "--weights", "mp20-csp"), "the method retrieval has no weights; leave them out"),
    ],
)
def test_what_cannot_be_retrieved(words: tuple[str, ...], message: str) -> None:
    found = retrieved(*words)
    assert found.exit_code == 1 and message in str(found.exception)


def test_formulas_in_other_numbers_are_said(tmp_path: Path) -> None:
    found = retrieved("Li0.5CoO2", "Mg2Al4O8", "NaCl", "--top", 1)
    assert "Li0.5CoO2 is LiCo2O4 in the smallest whole numbers" in found.output
    assert "Mg2Al4O8 is MgAl2O4 in the smallest whole numbers" in found.output and "NaCl is NaCl" not in found.output


def test_many_formulas_have_one_sentence(tmp_path: Path) -> None:
    text, out = tmp_path / "formulas.txt", tmp_path / "out.jsonl"
    text.write_text("NaCl\nXx2O\nMgO\nFe151O149\nKCl\nMgAl2O4\nK3AuHe7\nCaTiO3\n")
    found = retrieved("--file", text, "--samples", 1, "--out", out)
    assert found.exit_code == 0, found.output
    said = "of 6 formulas 5 are known; for none of the other 1 the best guess has 50 % or more"
    assert said in found.stdout and "NaCl is known" not in found.stdout
    assert "no structure of Fe151O149: no known crystal has the ratio 149:151" in found.output.replace("\n", " ")
    assert "formulas.txt, row 2: 'Xx2O' is not a formula" in found.output.replace("\n", " ")
    again = retrieved("--file", text, "--samples", 1, "--out", out)
    assert again.exit_code == 1 and "exists" in str(again.exception)


def test_an_option_of_templates_asks_for_templates() -> None:
    found = retrieved("KCl", "--rank-by", "emd", "--samples", 1)
    assert found.exit_code == 0 and "distance" in found.stdout and "known" not in found.stdout, found.output
