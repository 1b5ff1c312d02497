import os
import time

import pytest

from nucleate.errors import NucleateError
from nucleate.parallel import map_jobs


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
