"""Executors with stages that fail or crash. The stages are in a module of their own, so that workers can import it."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # spawned workers inherit it
import engine_stages as stages  # noqa: E402

from nucleate.engine.local import Processes, Serial, executor  # noqa: E402
from nucleate.errors import NucleateError, reason_of  # noqa: E402
from nucleate.parallel import usable_cores  # noqa: E402
from nucleate.pipeline.candidate import Candidate  # noqa: E402
from nucleate.pipeline.run import run_stages  # noqa: E402
from nucleate.pipeline.stage import Stage  # noqa: E402


def candidates(*ids):
    return [Candidate(i, seed=k) for k, i in enumerate(ids)]


def by_id(results):
    return {c.id: c for c in results}


class NoStore:
    def save_many(self, candidates):
        pass


@pytest.fixture(params=["serial", "processes"])
def machine(request):
    return Serial() if request.param == "serial" else Processes(2)


def test_results_and_exceptions(machine):
    out = by_id(machine.map(stages.Misbehaves(), candidates("a", "raise", "b", "c")))
    assert set(out) == {"a", "raise", "b", "c"}
    assert str(out["raise"].failure) == "odd: ZeroDivisionError: on purpose"
    assert out["a"].failure is None and out["a"].provenance["seen"] == 0 and out["c"].provenance["seen"] == 3


def test_a_memory_error_gets_a_readable_reason():
    for error in (MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 20 GiB\nmore")):
        assert reason_of(error) == "not enough memory; use fewer --workers, or leave this one out"
    assert reason_of(ValueError("one\ntwo")) == "ValueError: one" and reason_of(KeyError()) == "KeyError"


def test_serial_and_processes_agree():
    todo = candidates(*"abcdefgh")
    one, two = (by_id(m.map(stages.Misbehaves(), todo)) for m in (Serial(), Processes(2)))
    assert {k: v.provenance["seen"] for k, v in one.items()} == {k: v.provenance["seen"] for k, v in two.items()}
    assert {v.provenance["pid"] for v in one.values()} == {os.getpid()}
    assert os.getpid() not in {v.provenance["pid"] for v in two.values()}


def test_workers_have_one_thread_and_the_parent_keeps_its_own(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    out = by_id(Processes(2).map(stages.Misbehaves(), candidates("a", "b")))
    assert {c.provenance["threads"] for c in out.values()} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "3" and "OPENBLAS_NUM_THREADS" not in os.environ


def test_a_bad_setting_ends_the_run_in_one_line(machine):
    with pytest.raises(NucleateError, match="no such potential"):
        list(machine.map(stages.Misbehaves(), candidates("a", "setting", "b")))
    assert not multiprocessing.active_children()


def test_a_worker_that_dies_fails_its_own_candidate_alone(tmp_path):
    out = by_id(Processes(2).map(stages.Misbehaves(), candidates("a", "exit", "b", "kill", "c", "d")))
    assert set(out) == {"a", "exit", "b", "kill", "c", "d"}
    assert "died" in str(out["exit"].failure) and "exit code 7" in str(out["exit"].failure)
    assert "SIGKILL" in str(out["kill"].failure) if os.name == "posix" else out["kill"].failure
    assert all(out[k].failure is None for k in "abcd")
    assert not multiprocessing.active_children()


def test_a_candidate_whose_worker_died_once_is_tried_again(tmp_path):
    stage = stages.DiesOnce(str(tmp_path / "mark"))
    out = by_id(Processes(2).map(stage, candidates("a", "b", "c")))
    assert len(out) == 3 and all(c.failure is None for c in out.values())
    assert (tmp_path / "mark").exists()


def test_a_stage_that_loses_a_candidate_is_an_error(machine):
    with pytest.raises(RuntimeError, match="lost 1"):
        run_stages(candidates("a", "lose", "b"), [stages.Misbehaves()], machine, NoStore())


class OnGpu(stages.Misbehaves):
    resource = "gpu"


def test_only_slow_stages_of_grain_one_on_a_cpu_use_worker_processes():
    for stage in (stages.Batched(), stages.Quick(), OnGpu()):
        out = list(Processes(2).map(stage, candidates("a", "b", "c")))
        assert {c.provenance["pid"] for c in out} == {os.getpid()}
    assert {c.provenance["n"] for c in Processes(2).map(stages.Batched(), candidates("a", "b"))} == {2}
    (alone,) = Processes(2).map(stages.Misbehaves(), candidates("a"))
    assert alone.provenance["pid"] == os.getpid()


def test_a_map_that_is_closed_early_leaves_no_worker():
    results = Processes(2).map(stages.Misbehaves(), candidates("a", "sleep", "b"))
    assert next(results).id in ("a", "b")
    started = time.monotonic()
    results.close()
    assert time.monotonic() - started < 5 and not multiprocessing.active_children()


def test_a_stage_of_the_main_script_is_refused_in_one_line():
    class Local(Stage):
        name, grain, cost, resource = "local", "one", "slow", "cpu"

        def __call__(self, todo):
            return todo

    Local.__qualname__ = "Missing"
    Local.__module__ = "engine_stages"
    stages.Missing = Local  # workers do not have it
    try:
        with pytest.raises(NucleateError, match="cannot import the job"):
            list(Processes(2).map(Local(), candidates("a", "b")))
    finally:
        del stages.Missing


def test_numbers_of_workers():
    assert usable_cores() >= 1
    assert isinstance(executor(1), Serial) and executor(3).workers == 3
    for wrong in (0, -2):
        with pytest.raises(NucleateError, match="at least 1"):
            executor(wrong)


SCRIPT = """
import sys, time
sys.path.insert(0, {here!r})
import engine_stages as stages
from nucleate.engine.local import Processes
from nucleate.pipeline.candidate import Candidate

if __name__ == "__main__":
    for done in Processes(2).map(stages.Misbehaves(), [Candidate(i) for i in ("a", "sleep", "sleep-2")]):
        print("WORKERS", done.id, flush=True)
"""


def script(tmp_path, text):
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(text))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, str(path)], env=environment, start_new_session=True, **pipes)


def group_is_empty(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.skipif(os.name != "posix", reason="process groups")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_and_kill_leave_no_worker_processes(tmp_path, how):
    process = script(tmp_path, SCRIPT.format(here=str(HERE)))
    try:
        assert process.stdout.readline().startswith("WORKERS a")
        started = time.monotonic()
        if how is signal.SIGINT:
            os.killpg(process.pid, how)  # as a terminal does: to parent and workers
            _, err = process.communicate(timeout=20)
            assert err.count("Traceback") == 1, err  # the parent's own KeyboardInterrupt, none of the workers
        else:
            process.kill()
            process.wait(20)
        while not group_is_empty(process.pid):  # workers see the closed pipe when their task (2 s) is done
            assert time.monotonic() - started < 20, "a worker outlived its parent"
            time.sleep(0.05)
    finally:
        if not group_is_empty(process.pid):
            os.killpg(process.pid, signal.SIGKILL)


def test_a_script_with_a_stage_of_its_own_and_no_main_guard_gets_one_line(tmp_path):
    text = SCRIPT.format(here=str(HERE)).replace('if __name__ == "__main__":', "if True:")
    text = text.replace("\nif True:", "\nclass Own(stages.Misbehaves):\n    pass\n\nif True:")
    text = text.replace("map(stages.Misbehaves()", "map(Own()")
    process = script(tmp_path, text)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0 and "__main__" in err.splitlines()[-1] and "NucleateError" in err.splitlines()[-1]


def test_a_candidate_that_takes_longer_than_the_stage_allows_is_failed_and_the_others_go_on():
    stage = stages.Impatient()
    out = by_id(Processes(2).map(stage, candidates("a", "sleep", "b")))
    assert str(out["sleep"].failure) == "odd: took longer than 1 s"
    assert out["a"].failure is None and out["b"].failure is None
