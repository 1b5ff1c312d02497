import json
import os
import signal
import subprocess
import sys
import time

import pytest
from pymatgen.core import Lattice, Structure

from nucleate.chem.verdict import PASS, Verdict
from nucleate.pipeline.candidate import Candidate, Energy
from nucleate.stages.reset import without_relaxation

N = 6
SLOW = """
import time
from ase.calculators.emt import EMT

class Slow(EMT):
    def calculate(self, *arguments):
        time.sleep(0.05)
        super().calculate(*arguments)
"""


def test_relaxing_again_drops_results_of_the_old_structure():
    checks = {k: Verdict(PASS) for k in ("charge", "relaxed", "hull", "unique", "novel", "judges", "phonons")}
    energies = {k: Energy(-1.0, "m") for k in ("energy", "e_form", "e_above_hull")}
    stages = ("generate", "check", "relax", "hull", "unique", "novelty", "second", "phonons")
    fresh = without_relaxation(Candidate("a", energies=energies, checks=checks, stages=stages))
    assert fresh.stages == ("generate", "check") and set(fresh.checks) == {"charge"} and fresh.energies == {}


@pytest.fixture
def folder(tmp_path):
    """Copper crystals, and a module with a potential that takes its time."""
    (tmp_path / "slow_potential.py").write_text(SLOW)
    (tmp_path / "raw").mkdir()
    for k in range(N):
        copper = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.7 + 0.05 * k), ["Cu"], [[0, 0, 0]])
        copper.perturb(0.15)
        copper.to(filename=str(tmp_path / "raw" / f"copper{k}.cif"))
    return tmp_path


def command(folder, *more):
    arguments = ["relax", "raw", "--potential", "ase:slow_potential:Slow", "--fmax", "0.01", "--workers", "1", *more]
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    return {"args": [sys.executable, "-m", "nucleate", *arguments], "cwd": folder, "env": environment}


def relax(folder, *more):
    return subprocess.run(**command(folder, *more), capture_output=True, text=True, timeout=120)


def records(path):
    return {row["id"]: row for row in map(json.loads, path.read_text().splitlines())}


def test_kill_9_then_the_same_command_gives_the_same(folder):
    whole = relax(folder, "--out", "whole.jsonl")
    assert whole.returncode == 0, whole.stderr
    part = folder / "killed.jsonl.part.jsonl"
    process = subprocess.Popen(
        **command(folder, "--out", "killed.jsonl"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if part.exists() and part.read_text().count("\n") > 2:  # one line of settings, and results
            break
        time.sleep(0.005)
    os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()
    assert not (folder / "killed.jsonl").exists()
    done = [json.loads(line)["result"] for line in part.read_text().splitlines()[1:]]
    assert 2 <= len(done) < N, "the kill must come in the middle"

    refused = relax(folder, "--out", "killed.jsonl", "--steps", "7")
    assert refused.returncode == 2 and "max_steps 300, now 7" in refused.stderr and "--overwrite" in refused.stderr
    again = relax(folder, "--out", "killed.jsonl")
    assert again.returncode == 0, again.stderr
    assert f"going on: {len(done)} of {N} crystals" in again.stderr and f"{N} crystals in killed.jsonl" in again.stdout
    assert not part.exists() and not (folder / ".killed.jsonl.lock").exists()
    expected, found = records(folder / "whole.jsonl"), records(folder / "killed.jsonl")
    assert list(found) == list(expected) and len(found) == N
    for name, row in found.items():
        assert row["structure"] == expected[name]["structure"] and row["energies"] == expected[name]["energies"]
        assert row["checks"] == expected[name]["checks"]
    kept = {row["id"]: row["relaxation"]["seconds"] for row in done}
    assert all(found[name]["relaxation"]["seconds"] == s for name, s in kept.items()), "relaxed twice"


def test_a_folder_of_cifs_is_resumed_too(folder):
    process = subprocess.Popen(**command(folder, "--out", "cifs"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    part, deadline = folder / "cifs.part.jsonl", time.monotonic() + 60
    while time.monotonic() < deadline and not (part.exists() and part.read_text().count("\n") > 1):
        time.sleep(0.005)
    os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()
    assert not (folder / "cifs").exists()
    out = relax(folder, "--out", "cifs")
    assert out.returncode == 0 and "going on" in out.stderr
    assert len(list((folder / "cifs").glob("*.cif"))) == N and not part.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_says_how_to_go_on(folder):
    process = subprocess.Popen(
        **command(folder, "--out", "x.jsonl"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    part, deadline = folder / "x.jsonl.part.jsonl", time.monotonic() + 60
    while time.monotonic() < deadline and not (part.exists() and part.read_text().count("\n") > 1):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command goes on from x.jsonl.part.jsonl" in err
    assert "Traceback" not in err
