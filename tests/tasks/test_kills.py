"""A run that is killed (-9) at any step on files ends as the uninterrupted one, by --resume or the same command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# A process that has imported everything, and forks: each child does the work and kills itself at its nth step on files.
SCRIPT = '''
import json, os, signal, sys
from pathlib import Path

from pymatgen.core import Lattice, Structure
import ase.db, filelock, nucleate.report.run_page
from nucleate.engine.local import Serial
from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate, Check, Energy
from nucleate.pipeline.candidate_files import write_candidates
from nucleate.pipeline.run import run_stages
from nucleate.tasks import design as module
from nucleate.tasks.blueprint import Blueprint
from nucleate.pipeline.stage import Stage
from nucleate.store.part import PartFile, remove_leftovers

STEPS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "sqlite3.connect", "os.truncate"}
SALT = Structure(Lattice.cubic(3.4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


class Make(Stage):
    name, grain, cost, resource = "generate", "one", "slow", "cpu"

    def __call__(self, candidates):
        for c in candidates:
            yield c.with_(structure=SALT, energies={"energy": Energy(-3.0, "stub")}, checks={"relaxed": Check("pass")})


blanks = [Candidate(f"c{i}", i) for i in range(2)]


def planned(request, settings):
    return Blueprint(request, settings, blanks, [], [Make()], [], None, (), None, {})


module.blueprint = planned


def designed(out):
    return module.design("NaCl, 2 candidates", out, executor=Serial())


def resumed(out):
    return module.resume(out, executor=Serial())


def replaced(out):
    return module.design("NaCl, 2 candidates", out, executor=Serial(), overwrite=True)


def filed(out):
    out = out / "x.jsonl"
    if out.exists():
        remove_leftovers(out)
        return
    with PartFile(out, {"fmax": 1}) as part:
        done = run_stages(part.resumed(blanks), [Make()], Serial(), part)
        write_candidates(out, done)
        part.finish()


def steps_of(work, out, stop):
    """Do the work in a child; returns how many steps it took, or None where it was killed at step `stop`."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        count = 0

        def hook(event, arguments):
            nonlocal count
            if event in STEPS and str(out) in str(arguments[0] if arguments else ""):
                count += 1
                if count == stop:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            work(out)
            os.write(writer, str(count).encode())
        except BaseException as error:
            os.write(writer, f"failed: {type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(writer)
    text = os.read(reader, 10_000).decode()
    os.close(reader)
    os.waitpid(child, 0)
    if text.startswith("failed"):
        raise AssertionError(f"{work.__name__}, step {stop}: {text}")
    return int(text) if text else None


def contents(out):
    files = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.name not in (".lock", "candidates.db-journal"))
    texts = {f: (out / f).read_text() for f in files if f.endswith((".cif", ".jsonl", ".extxyz"))}
    return files, texts


def finish(out):
    """What a user does: --resume, and the same command where that is said."""
    try:
        resumed(out)
    except NucleateError as error:
        assert "give the command that began it again" in str(error) or "no run to resume" in str(error), error
        designed(out)


base = Path(sys.argv[1])
kinds = {"design": designed, "resume": resumed, "overwrite": replaced, "files": filed}
for kind, work in kinds.items():
    def begin(out):
        out.mkdir()
        if kind == "resume":
            designed(out)
        if kind == "overwrite":
            designed(out)
            (out / "cif" / "of-an-old-run.cif").write_text("")

    whole = base / f"{kind}-whole"
    begin(whole)
    total = steps_of(work, whole, -1)
    expected = contents(whole)
    # the first steps make the folder, the last ones write its files; testing all those between would take a minute
    for stop in [n for n in range(1, total + 1) if n <= 16 or n > total - 8 or n % 4 == 0]:
        out = base / f"{kind}-{stop}"
        begin(out)
        assert steps_of(work, out, stop) is None, (kind, stop)
        if kind == "files":
            filed(out)
            if (out / "x.jsonl").exists():
                filed(out)
        elif kind == "overwrite":
            replaced(out)
        else:
            finish(out)
        assert contents(out) == expected, (kind, stop, contents(out)[0], expected[0])
    print(kind, total)
'''


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_kill_at_any_step_on_files(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    steps = {kind: int(count) for kind, count in (line.split() for line in done.stdout.splitlines())}
    assert set(steps) == {"design", "resume", "overwrite", "files"} and all(n >= 10 for n in steps.values()), steps
