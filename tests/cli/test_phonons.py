"""`nucleate phonons` on crystals whose stability is known; for the frequencies see tests/pipeline/test_phonons.py."""

import importlib.util
import json

import pytest
from pymatgen.core import Lattice, Structure

from nucleate.cli.main import main

EMT = "ase:ase.calculators.emt:EMT"


@pytest.mark.skipif(not importlib.util.find_spec("phonopy"), reason="phonopy is not installed")
def test_a_table_and_a_file_with_the_check(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    stable = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])
    unstable = Structure.from_spacegroup("Im-3m", Lattice.cubic(2.87), ["Cu"], [[0, 0, 0]])
    foreign = Structure(Lattice.cubic(3), ["Xe"], [[0, 0, 0]])
    for name, structure in (("a", stable), ("b", unstable), ("c", foreign)):
        structure.to(filename=f"{name}.cif")
    arguments = ["phonons", "a.cif", "b.cif", "c.cif", "--potential", EMT, "--workers", "1", "--out", "out.jsonl"]
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    shown = capsys.readouterr()
    assert exit_.value.code == 0, shown.err
    rows = {row["id"]: row for row in map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())}
    assert {k: v["checks"]["phonons"]["verdict"] for k, v in rows.items()} == {"a": "pass", "b": "fail", "c": "unknown"}
    assert all(v["failure"] is None and v["stages"] == ["phonons"] for v in rows.values()), "a verdict informs"
    lowest = {k: v["phonons"].get("lowest_thz") for k, v in rows.items()}
    lines = {line.split()[0]: line for line in shown.out.splitlines() if line.split()}
    assert lines["b"].split()[2:4] == [f"{lowest['b']:+.2f}", "fail"]
    assert lines["a"].split()[2:4] == [f"{lowest['a']:+.2f}", "pass"]
    assert "unknown" in lines["c"] and "phonons by ASE calculator" in shown.out

    with pytest.raises(SystemExit):
        main(arguments)
    assert "out.jsonl exists; use --overwrite" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*arguments, "--overwrite", "--limit", "-9"])
    rows = {row["id"]: row for row in map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())}
    assert rows["b"]["checks"]["phonons"]["verdict"] == "pass"
