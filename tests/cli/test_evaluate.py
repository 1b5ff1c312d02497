"""`nucleate evaluate` as its user meets it: printed tables, files, errors in one line."""

import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from nucleate.cli.main import app, main
from nucleate.errors import NucleateError
from nucleate.io import Named, write_structures

CRYSTALS = [
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [m, x], [[0, 0, 0], [0.5] * 3])
    for a, m, x in ((5.64, "Na", "Cl"), (4.21, "Mg", "O"), (4.81, "Ca", "O"), (5.14, "Li", "Cl"))
]


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A folder of generated crystals, and the same ones as a data set; the cache is kept out of the user's home."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    infos = [{"e_above_hull": 0.05 * i, "e_form": -2.0 + 0.1 * i} for i in range(4)]
    names = [Named(f"c{i}", s, info) for i, (s, info) in enumerate(zip(CRYSTALS, infos, strict=True))]
    write_structures(tmp_path / "made.extxyz", names)
    columns = {
        "material_id": [f"k{i}" for i in range(4)],
        "atomic_numbers": [list(s.atomic_numbers) for s in CRYSTALS],
        "frac_coords": [s.frac_coords.ravel().tolist() for s in CRYSTALS],
        "lengths": [list(s.lattice.lengths) for s in CRYSTALS],
        "angles": [list(s.lattice.angles) for s in CRYSTALS],
        "formula": [s.composition.reduced_formula for s in CRYSTALS],
    }
    pq.write_table(pa.table(columns), tmp_path / "known.parquet")
    return tmp_path


def run(*args):
    result = CliRunner().invoke(app, ["evaluate", *args], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_dng_prints_tables_and_writes_both_reports(world):
    base = ["--reference", "known.parquet", "--known", "known.parquet", "--no-energies", "--workers", "1"]
    text = run("dng", "made.extxyz", *base, "--out", "report")
    for words in (
        "ltol 0.2; stol 0.3",
        "mp-20 0.4/10",
        "cdvae-2022: validity",
        "COV-P, joint",
        "S.U.N.",
        "UniMat",
        "as given",
        "space groups, JS",
    ):
        assert words in " ".join(text.split()), words
    found = json.loads((world / "report" / "report.json").read_text())
    metrics = {m["name"]: m for s in found["sections"] for m in s["metrics"]}
    assert metrics["cov_precision"]["value"] == 1 and metrics["cov_precision"]["floor"] == 1
    assert metrics["stable"]["value"] == 3 / 4 and metrics["sun"]["value"] == 0
    assert found["protocol"]["cdvae-2022"]["cov_cutoffs"]["mp-20"] == [0.4, 10.0]
    page = (world / "report" / "report.html").read_text()
    assert "made.extxyz" in page and "<svg" in page


def test_compositions_compare_and_optimisation(world):
    (world / "formulas.txt").write_text("NaCl\nnonsense!\nMgO\nK2O\n")
    text = run("compositions", "formulas.txt", "--train", "known.parquet", "--test", "none", "--no-oxidation-states")
    assert "75.00 %" in text  # three of four can be read
    text = " ".join(run("compare", "made.extxyz", "made.extxyz").split())
    assert "0.0000 eV/atom" in text
    text = run("optimisation", "made.extxyz", "--value", "e_form", "--workers", "1")
    assert "SR5" in text.replace(" ", "") or "SR" in text


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["dng", "made.extxyz", "--protocol", "cdvae"], "no protocol 'cdvae'"),
        (["dng", "nothing.extxyz"], "no file or folder"),
        (["dng", "made.extxyz", "--relax", "3"], "--relax needs --out"),
        (["dng", "made.extxyz", "--e-above-hull", "hull"], "has a number in the column 'hull'"),
        (["optimisation", "made.extxyz", "--dataset", "carbon-24"], "give --value COLUMN"),
        (["optimisation", "made.extxyz", "--value", "gap"], "has a value in the column 'gap'"),
    ],
)
def test_errors_say_what_is_wrong(world, args, message):
    with pytest.raises(NucleateError, match=message):
        CliRunner().invoke(app, ["evaluate", *args], catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["dng", "a.jsonl", "--reference", "a.jsonl", "--floor", "none", "--known", "nosuch"],
            "no dataset 'nosuch'",
        ),
        (["dng", "a.jsonl", "--reference", "a.jsonl", "--out", "a.jsonl"], "a.jsonl is a file; choose a folder"),
        (["compositions", "f.txt", "--column", "x", "--train", "f.txt"], "is no table .*: it has no column 'x'"),
        (["compositions", "f.txt", "--out", "f.txt/x"], "f.txt is a file, not a folder"),
        (["compare", "a.jsonl", "a.jsonl", "--out", "f.txt"], "f.txt is a file; choose a folder"),
        (["compare", "a.jsonl", "a.jsonl", "--e-form", "x"], "neither .* has a number in the column 'x'"),
        (["optimisation", "a.jsonl", "--group", "x"], "1 crystals have no value in the column 'x'"),
        (["csp", "--predictions", "a.jsonl", "--out", "f.txt"], "f.txt is a file; choose a folder"),
    ],
)
def test_names_and_places_are_checked_before_the_work(tmp_path, monkeypatch, capsys, arguments, said):
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.candidate_files import write_candidates

    def never(*_, **__):
        raise AssertionError("work was done")

    monkeypatch.setattr("nucleate.evaluate.dng.measure", never)
    monkeypatch.setattr("nucleate.evaluate.measures.features.measure", never)
    monkeypatch.chdir(tmp_path)
    salt = Structure(Lattice.cubic(3.4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    write_candidates("a.jsonl", [Candidate("a", structure=salt)])
    (tmp_path / "f.txt").write_text("NaCl\n")
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", *arguments])
    assert stopped.value.code == 2 and re.search(said, " ".join(capsys.readouterr().err.split()))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl", "f.txt"]
