from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.entries.computed_entries import ComputedEntry
from rich.console import Console
from typer import Typer
from typer.testing import CliRunner, Result

from nucleate.cli.candidates import caption, show_candidates
from nucleate.cli.hull import app as hull_app
from nucleate.cli.rank import rank
from nucleate.hull.reference import Entry, ReferenceSet
from nucleate.pipeline.candidate import Candidate, Check, Energy, Failure
from nucleate.pipeline.candidate_files import read_candidates, write_candidates
from nucleate.pipeline.rank import to_rows

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
rank_app = Typer()
rank_app.command()(rank)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Candidates and a reference: Na -1, Cl -2, NaCl -3.5 eV/atom."""
    entries = [
        Entry("Na", -1, 229, "k-1", 37, 1),
        Entry("Cl", -2, 64, "k-2", 30, 4),
        Entry("NaCl", -3.5, 225, "k-4", 22, 2),
    ]
    ReferenceSet.from_entries("tiny", "m", entries).save(tmp_path / "tiny.parquet")
    ok = {"relaxed": Check("pass")}
    candidates = [
        Candidate("high", structure=SALT, energies={"energy": Energy(-3.3, "m")}, checks=ok),
        Candidate("low", structure=SALT, energies={"energy": Energy(-3.6, "m")}, checks=ok),
        Candidate("gone", failure=Failure("generate", "error", "nothing came")),
    ]
    write_candidates(tmp_path / "relaxed.jsonl", candidates)
    return tmp_path / "relaxed.jsonl", tmp_path / "tiny.parquet"


def call(app: Typer, *args: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in args], env={"COLUMNS": "200"})


def test_hull_run_then_rank(files: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    result = call(hull_app, "run", files[0], "--reference", files[1], "--out", out)
    assert result.exit_code == 0, result.output
    assert "-0.100" in result.output and "+0.200" in result.output
    for text in ("known phases", "energies: m, reference tiny", "1 rejected: generate: nothing came"):
        assert text in result.output
    found = {c.id: c for c in read_candidates([out])[0]}
    assert found["low"].energies["e_form"] == Energy(pytest.approx(-2.1), "m", "tiny")
    assert found["low"].stages == ("hull",) and found["gone"].stages == ()
    result = call(rank_app, out, "--top", 2, "--out", tmp_path / "best.csv")
    assert result.exit_code == 0, result.output
    with (tmp_path / "best.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [r["id"] for r in rows] == ["low", "high"]
    assert rows[0]["e_above_hull"].startswith("-0.1") and rows[0]["method"] == "m"
    assert call(rank_app, out, "--out", tmp_path / "best.jsonl").exit_code == 0
    assert [c.id for c in read_candidates([tmp_path / "best.jsonl"])[0]] == ["low", "high", "gone"]


def test_hull_run_needs_energies(files: tuple[Path, Path], tmp_path: Path) -> None:
    write_candidates(tmp_path / "raw.jsonl", [Candidate("a", structure=SALT)])
    result = call(hull_app, "run", tmp_path / "raw.jsonl", "--reference", files[1])
    assert result.exit_code != 0 and "nucleate relax" in str(result.exception)


def test_hull_run_refuses_another_method(files: tuple[Path, Path]) -> None:
    result = call(hull_app, "run", files[0])  # the embedded set is by CHGNet
    assert result.exit_code != 0 and "cannot be compared" in str(result.exception)


def test_hull_show(files: tuple[Path, Path], tmp_path: Path) -> None:
    result = call(hull_app, "show", "Na-Cl", "--reference", files[1], "--out", tmp_path / "a.svg")
    assert result.exit_code == 0 and "NaCl" in result.output and "-2.000" in result.output and "k-4" in result.output
    assert "AB_cF8_225" in result.output and "2 known formulas" not in result.output
    assert "3 known formulas" in result.output and (tmp_path / "a.svg").is_file()
    for system, message in (("Na-Xx", "'Xx' is not an element"), ("Na-O", "elemental O"), ("-", "chemical system")):
        result = call(hull_app, "show", "--reference", files[1], "--", system)
        assert result.exit_code != 0 and message in str(result.exception)


def test_hull_with_only_a_system_shows_it_and_draws_candidates(files: tuple[Path, Path], tmp_path: Path) -> None:
    call(hull_app, "run", files[0], "--reference", files[1], "--out", tmp_path / "hull.jsonl")
    options = ["--reference", files[1], "--out", tmp_path / "a.png", "--candidates", tmp_path / "hull.jsonl"]
    result = call(hull_app, "Na-Cl", *options)
    assert result.exit_code == 0 and "3 known formulas, 1 candidate formula" in result.output, result.output
    result = call(hull_app, "Na-Cl-K-Li-Rb", *options)
    assert result.exit_code != 0 and "2, 3 or 4 elements, not 5" in str(result.exception)
    assert "--out Na-Cl-K-Li-Rb.csv" in str(result.exception)
    options[3] = tmp_path / "a"
    result = call(hull_app, "Na-Cl", *options)
    assert result.exit_code != 0 and ".svg, .png, .pdf, a table of the phases .csv or .json" in str(result.exception)
    options[3] = tmp_path / "a.csv"
    result = call(hull_app, "Na-Cl", *options)
    assert result.exit_code == 0 and "written in" in result.output
    assert "NaCl,candidate" in (tmp_path / "a.csv").read_text()


def test_hull_asks_whether_entries_are_corrected(tmp_path: Path) -> None:
    entries = [ComputedEntry("Li2S", -12.0), ComputedEntry("Li", -1.9), ComputedEntry("S", -4.1)]
    (tmp_path / "e.json").write_text(json.dumps([e.as_dict() for e in entries]))
    options = ["Li-S", "--reference", tmp_path / "e.json", "--out", tmp_path / "a.svg"]
    result = call(hull_app, "show", *options)
    assert result.exit_code != 0 and "Li2S would take -0.168 eV/atom" in str(result.exception)
    assert "(uncorrected)" in call(hull_app, "show", *options, "--raw").output
    assert "(MP2020-corrected)" in call(hull_app, "show", *options, "--corrected").output


def test_hull_build_refuses_bad_input(tmp_path: Path) -> None:
    for args, message in (
        (["--out", tmp_path / "x.csv"], "--out must end in .parquet, not in '.csv'"),
        (["--out", tmp_path / "x.parquet", "--max-e-hull", "-1"], "must not be negative"),
        (["--out", tmp_path / "x.parquet", "--dataset", tmp_path / "no.parquet"], "no.parquet"),
    ):
        result = call(hull_app, "build", *args)
        assert result.exit_code != 0 and message in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_rank_refuses_no_candidates(files: tuple[Path, Path]) -> None:
    result = call(rank_app, files[0], "--top", "-3")
    assert result.exit_code != 0 and "at least 1" in str(result.exception)


def test_caption_counts_methods_and_failures() -> None:
    candidates = [
        Candidate("a", structure=SALT, energies={"energy": Energy(-1, "m")}),
        Candidate("b", structure=SALT, energies={"energy": Energy(-1, "m2")}),
        Candidate("c", failure=Failure("relax", "error", "[blew] up")),
        Candidate("d", failure=Failure("relax", "error", "[blew] up")),
    ]
    rows = to_rows(candidates)
    assert caption(rows) == ["energies: m (1 of 4)", "energies: m2 (1 of 4)", "2 rejected: relax: [blew] up"]
    console = Console(width=160, record=True, file=io.StringIO(), markup=False)
    show_candidates(console, candidates)
    text = console.export_text()
    assert "rejected: relax: [blew] up" in text  # brackets are text, not markup
    assert "Fm-3m" in text
