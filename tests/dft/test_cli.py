"""`nucleate dft` from end to end, with a stand-in for GPAW."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from ase.build import bulk
from pymatgen.io.ase import AseAtomsAdaptor

from nucleate.cli.dft import parse_duration
from nucleate.cli.main import main
from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate, Energy
from nucleate.pipeline.candidate_files import read_candidates, write_candidates


def cuau(a=4.0):
    atoms = bulk("Cu", cubic=True, a=a)
    atoms.numbers[:2] = 79
    return AseAtomsAdaptor.get_structure(atoms)


@pytest.fixture
def crystals(tmp_path):
    """Two candidates: copper, and CuAu with what a potential said of it."""
    copper = Candidate("c1", structure=AseAtomsAdaptor.get_structure(bulk("Cu", a=3.7)))
    energies = {"e_form": Energy(-0.05, "CHGNet (MP2020-corrected PBE+U)"), "energy": Energy(-3.6, "CHGNet")}
    gold = Candidate("c2", structure=cuau(), energies=energies)
    write_candidates(tmp_path / "in.jsonl", [copper, gold])
    return tmp_path / "in.jsonl"


def nucleate(tmp_path, *arguments, **environment):
    command = [sys.executable, "-m", "nucleate", "dft", *map(str, arguments), "--cache", str(tmp_path / "cache")]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )


def options(tmp_path):
    return ["--preset", "fast", "--out", tmp_path / "out", "--known", "", "--wall-time", "20m"]


def rows(tmp_path):
    with (tmp_path / "out" / "dft.csv").open() as file:
        return {r["id"]: r for r in csv.DictReader(file)}


def test_crystals_get_energies_by_the_same_settings_and_what_is_missing_is_said(gpaw, tmp_path, crystals):
    process = nucleate(tmp_path, crystals, *options(tmp_path))
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    found = rows(tmp_path)
    assert float(found["c1"]["e_form"]) == pytest.approx(0, abs=1e-4)  # its own reference
    assert float(found["c1"]["e_above_hull"]) == pytest.approx(0, abs=1e-4)
    gold = found["c2"]
    assert gold["e_above_hull"] == "" and "no dataset given" in gold["missing"] and gold["lower_bound"] == "True"
    assert float(gold["difference"]) == pytest.approx(float(gold["e_form_mp2020"]) + 0.05)
    assert "GPAW 99.1 PBE" in gold["method"] and "without" in out and "c2" in out
    (one, two), _ = read_candidates([tmp_path / "out" / "dft.jsonl"])
    assert one.energies["energy"].method == gold["method"] and one.dft.status == "done"
    assert two.provenance["before_dft"]["e_form"]["value"] == -0.05 and "e_above_hull" not in two.energies

    n = len(gpaw.read_text().splitlines())
    again = nucleate(tmp_path, "run", crystals, *options(tmp_path))
    again.communicate(timeout=600)
    assert again.returncode == 0 and len(gpaw.read_text().splitlines()) == n  # nothing is calculated twice


def test_kill_9_in_the_middle_and_go_on(gpaw, tmp_path, crystals):
    process = nucleate(tmp_path, crystals, *options(tmp_path), FAKE_GPAW="slowcompound")
    jobs = tmp_path / "out" / "dft" / "fast"
    deadline = time.monotonic() + 6000
    while time.monotonic() < deadline:
        state = jobs / "c2" / "state.json"
        reported = (tmp_path / "out" / "dft.csv").is_file()  # the report may come late on a busy machine
        if reported and state.is_file() and json.loads(state.read_text())["steps"] >= 1:
            break
        time.sleep(0.1)
    time.sleep(1.0)
    process.kill()
    process.communicate()
    n = len(gpaw.read_text().splitlines())
    steps = json.loads((jobs / "c2" / "state.json").read_text())["steps"]
    done = (jobs / "c1" / "result.json").stat().st_mtime_ns
    assert steps >= 1 and not (jobs / "c2" / "result.json").exists() and rows(tmp_path)["c1"]["status"] == "done"
    while _children(jobs / "c2") and time.monotonic() < deadline:  # the process ends with its parent
        time.sleep(0.1)
    assert not _children(jobs / "c2")

    second = nucleate(tmp_path, crystals, *options(tmp_path))
    _, err = second.communicate(timeout=600)
    assert second.returncode == 0, err
    assert (jobs / "c1" / "result.json").stat().st_mtime_ns == done
    result = json.loads((jobs / "c2" / "result.json").read_text())
    assert result["converged"]
    compounds = [x for x in gpaw.read_text().splitlines()[n:] if "Au" in x and "Cu" in x]
    assert len(compounds) <= result["steps"] - steps + 4 and len(gpaw.read_text().splitlines()) - n == len(compounds)


def _children(folder):
    out = subprocess.run(["ps", "ax", "-o", "args"], capture_output=True, text=True).stdout
    return [x for x in out.splitlines() if str(folder) in x and "nucleate.dft.worker" in x]


def test_ctrl_c_says_how_to_go_on(gpaw, tmp_path, crystals):
    process = nucleate(tmp_path, crystals, *options(tmp_path), FAKE_GPAW="slow")
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and len(gpaw.read_text().splitlines() if gpaw.exists() else []) < 4:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130 and "goes on from the last steps" in err
    assert not _children(tmp_path)


def test_every_candidate_fails_alone(gpaw, tmp_path, crystals):
    process = nucleate(tmp_path, crystals, *options(tmp_path), FAKE_GPAW="crash")
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert {r["status"] for r in rows(tmp_path).values()} == {"crashed"}
    assert "exit code 7 after" in out


def test_bad_arguments_are_one_line(gpaw, tmp_path, crystals, capsys):
    for arguments, said in (
        ([tmp_path / "nowhere.cif"], "nowhere.cif"),
        ([crystals, "--preset", "sloppy"], "fast, standard, tight"),
        ([crystals, "--engine", "vasp"], "auto, gpaw, abinit"),
        ([crystals, "--wall-time", "soon"], "no duration"),
    ):
        with pytest.raises(SystemExit) as end:
            main(["dft", *map(str, arguments)])
        err = capsys.readouterr().err
        assert end.value.code == 2 and said in " ".join(err.split()) and "Traceback" not in err


@pytest.mark.parametrize(("text", "seconds"), [("2h", 7200), ("90m", 5400), ("1h30m", 5400), ("600s", 600), ("45", 45)])
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1d", "-3", "0", "..s"])
def test_texts_that_are_no_durations_are_refused(text):
    with pytest.raises(NucleateError, match="no duration"):
        parse_duration(text)
