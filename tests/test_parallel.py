import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nucleate.errors import NucleateError
from nucleate.parallel import map_again, map_jobs


def work(kind, value=None):
    if kind == "hang":
        time.sleep(3600)
    if kind == "raise":
        raise ValueError("first line\nsecond line")
    if kind == "die":
        os._exit(7)
    if kind == "threads":
        return os.environ["OMP_NUM_THREADS"]
    return value * 2


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class DiesWhenRead:
    """A job that ends its worker while it is read, as too little memory does."""

    def __reduce__(self):
        return die, ()


def broken():
    os._exit(1)


def test_hanging_raising_and_dying_jobs_leave_the_others_whole():
    jobs = [("ok", 1), ("hang",), ("raise",), ("ok", 2), ("die",), ("threads",), ("ok", 3), ("hang",)]
    start = time.monotonic()
    outcomes = {o.index: o for o in map_jobs(work, jobs, limit=1.0, workers=2)}
    assert time.monotonic() - start < 60
    assert sorted(outcomes) == list(range(len(jobs)))
    assert [outcomes[i].value for i in (0, 3, 6)] == [2, 4, 6]
    assert outcomes[1].reason == outcomes[7].reason == "took longer than 1 s"
    assert outcomes[2].reason == "ValueError: first line"
    assert "died" in outcomes[4].reason
    assert outcomes[5].value == "1"


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_worker_that_is_killed_while_it_reads_its_job_loses_that_job_alone():
    outcomes = {o.index: o for o in map_jobs(work, [("ok", DiesWhenRead()), ("ok", 1), ("ok", 2)], workers=2)}
    assert "SIGKILL" in outcomes[0].reason and [outcomes[i].value for i in (1, 2)] == [2, 4]


def test_what_failed_is_done_again_in_another_way():
    def again(job, reason):
        return [("ok", 5), ("raise", "still")] if job == ("raise",) else []

    found = {job: o.value or o.reason for job, o in map_again(work, [("raise",), ("ok", 1)], again, workers=1)}
    assert found == {("ok", 1): 2, ("ok", 5): 10, ("raise", "still"): "ValueError: first line"}


def test_environment_is_put_back(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    assert [o.value for o in map_jobs(work, [("ok", 1)], limit=20, workers=1)] == [2]
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_nothing_to_do_starts_nothing():
    assert list(map_jobs(work, [], limit=1.0)) == []


def test_workers_that_cannot_start_are_one_clear_error():
    with pytest.raises(NucleateError, match="cannot start"):
        list(map_jobs(work, [("ok", 1)], limit=5.0, workers=1, prepare=broken))


SCRIPT = """
import os, sys, time
from pathlib import Path
from nucleate.parallel import map_jobs

def sleep(file):
    Path(file + ".part").write_text(str(os.getpid()))
    os.replace(file + ".part", file)
    time.sleep(600)

if __name__ == "__main__":
    list(map_jobs(sleep, [(sys.argv[1],)], workers=1))
"""


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # dead, and nobody has asked how yet


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_a_busy_worker_dies_with_a_killed_parent(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    parent = subprocess.Popen([sys.executable, str(tmp_path / "script.py"), str(tmp_path / "pid")])
    worker = None
    try:
        assert until(lambda: (tmp_path / "pid").is_file() or parent.poll() is not None, 60)
        worker = int((tmp_path / "pid").read_text())
        assert alive(worker)
        parent.kill()
        parent.wait()
        assert until(lambda: not alive(worker), 30)
    finally:
        parent.kill()
        parent.wait()
        if worker is not None and alive(worker):
            os.kill(worker, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_a_worker_whose_parent_is_gone_before_it_starts_ends(tmp_path):
    code = "import os; from nucleate.parallel import die_with; die_with(os.getppid() + {}); print('lives')"
    for shift, text in ((0, "lives\n"), (1, "")):
        done = subprocess.run([sys.executable, "-c", code.format(shift)], capture_output=True, text=True)
        assert done.stdout == text and done.returncode == (1 if shift else 0)


def until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@pytest.mark.parametrize("guard", ["if True:", 'if __name__ == "__main__":'])
def test_a_script_needs_no_main_guard_for_what_others_define(tmp_path, guard):
    lines = ["import math", "from nucleate.parallel import map_jobs", 'print("begins")', guard]
    call = "    print([o.value for o in map_jobs(math.sqrt, [(4.0,), (4.0,)], workers=2)])"
    (tmp_path / "script.py").write_text("\n".join([*lines, call]))
    done = subprocess.run([sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("begins\n[2.0, 2.0]\n", "")


LOCKED = """
import multiprocessing
from nucleate.parallel import map_jobs
locks = []
def work():
    locks.append(multiprocessing.get_context("spawn").RLock())
    return 1
if __name__ == "__main__":
    print([o.value for o in map_jobs(work, [()] * 2, workers=2)])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX semaphores")
def test_a_library_that_locks_in_a_worker_brings_no_complaint(tmp_path):
    (tmp_path / "script.py").write_text(LOCKED)
    done = subprocess.run([sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[1, 1]\n", "")
