"""Real processes, with a stand-in for GPAW that is slow, crashes or writes nonsense."""

import json
import threading
import time

import pytest
from ase.build import bulk

from nucleate.dft import job, worker
from nucleate.dft.frames import to_atoms
from nucleate.dft.job import CRASHED, DONE, FAILED, GARBAGE, TIME, CalculationStopped, Runner
from nucleate.dft.programs import InstalledProgram, find_program
from nucleate.dft.settings import DFTSettings
from nucleate.errors import NucleateError

SETTINGS = DFTSettings(cutoff=400.0, wall_time=600.0)


def copper(scale=1.03):
    atoms = bulk("Cu", cubic=True)
    atoms.set_cell(atoms.cell.array * scale, scale_atoms=True)
    atoms.positions[0] += 0.2
    return atoms


def calls(log):
    return log.read_text().splitlines() if log.exists() else []


def runner(**kwargs):
    return Runner(find_program("gpaw"), DFTSettings(cutoff=400.0, **{"wall_time": 600.0, **kwargs}))


def test_a_calculation_is_done_once(gpaw, tmp_path):
    folder = tmp_path / "job"
    first = runner().run("Cu", folder, "crystal", copper())
    assert first.status == DONE and first.fresh and first.result["converged"] and first.steps > 2
    assert first.result["volume_change"] < 1 and first.energy == pytest.approx(0.54, abs=0.02)
    assert "step 0" in (folder / "log.txt").read_text()
    assert first.result["method"] == "GPAW 99.1 PBE, plane waves 400 eV, k-points 0.35/A (uncorrected)"
    n = len(calls(gpaw))
    again = runner(wall_time=1.0).run("Cu", folder, "crystal", copper())
    assert not again.fresh and again.energy == first.energy and len(calls(gpaw)) == n


def test_a_folder_with_another_calculation_is_moved_aside(gpaw, tmp_path):
    folder = tmp_path / "job"
    runner().run("Cu", folder, "static", copper())
    other = runner().run("Cu", folder, "static", copper(1.0))
    assert other.fresh and (tmp_path / "job.old-1" / "result.json").is_file()


class Clock:
    """The time of `job`, which leaps forward when it is told to, so that no test depends on a fast machine."""

    def __init__(self):
        self.leap = 0.0

    def monotonic(self):
        return time.monotonic() + self.leap


def test_a_calculation_out_of_time_is_killed_and_continues_later(gpaw, tmp_path, monkeypatch):
    folder, clock = tmp_path / "job", Clock()
    monkeypatch.setenv("FAKE_GPAW", "slow")  # from the fifth call on, which is the step after the second
    monkeypatch.setattr(job, "time", clock)

    def progress(name, steps, seconds):
        clock.leap = 7300.0 if steps == 2 else 0.0

    late = Runner(find_program("gpaw"), DFTSettings(cutoff=400.0), progress=progress)
    late = late.run("Cu", folder, "crystal", copper())
    assert late.status == TIME and late.steps == 2
    assert "not done within 7200 s, stopped after 2 steps" in late.reason
    assert json.loads((folder / "state.json").read_text())["steps"] == 2
    n = len(calls(gpaw))
    monkeypatch.setenv("FAKE_GPAW", "good")
    done = runner().run("Cu", folder, "crystal", copper())
    assert done.status == DONE and done.result["converged"]
    whole = runner().run("Cu", tmp_path / "whole", "crystal", copper())
    assert done.steps == whole.steps and done.energy == pytest.approx(whole.energy, abs=1e-9)
    assert (
        calls(gpaw)[n].split()[2] == calls(gpaw)[n - 1].split()[2]
    )  # it continued with the step in which it was killed


@pytest.mark.parametrize(
    ("manner", "status", "said"),
    [
        ("crash", CRASHED, "exit code 7 after 2 steps: MPI_ABORT was invoked"),
        ("signal", CRASHED, "SIGSEGV after 2 steps: Segmentation fault"),
        ("garbage", GARBAGE, "no result; last words: ~~~~ 42"),
        ("half", GARBAGE, "an unreadable result"),
        ("diverge", FAILED, "self-consistent field did not converge"),
    ],
)
def test_crashes_and_nonsense_are_recorded_in_one_line(gpaw, tmp_path, monkeypatch, manner, status, said):
    monkeypatch.setenv("FAKE_GPAW", manner)
    outcome = runner().run("Cu", tmp_path / "job", "crystal", copper())
    assert outcome.status == status and said in outcome.reason and outcome.result is None
    assert "\n" not in outcome.reason and outcome.reason.isprintable() and len(outcome.reason) < 300
    monkeypatch.setenv("FAKE_GPAW", "good")
    second = runner().run("Cu", tmp_path / "job", "crystal", copper())
    assert second.status == (FAILED if status == FAILED else DONE)  # a calculation that failed would fail again
    if status == FAILED:
        anew = Runner(find_program("gpaw"), SETTINGS, again=True)
        assert anew.run("Cu", tmp_path / "job", "crystal", copper()).status == DONE


def test_a_process_that_prints_too_much_is_ended(gpaw, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_GPAW", "flood")
    monkeypatch.setattr(job, "LOG_LIMIT", 1_000_000)
    outcome = runner().run("Cu", tmp_path / "job", "static", copper())
    assert outcome.status == GARBAGE and "printed 1,000,000 bytes before the first step" in outcome.reason


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"status": "done"}', '{"status": "done", "energy": NaN, "steps": 1, "seconds": 1, "atoms": {}}'],
)
def test_a_broken_result_is_calculated_again(gpaw, tmp_path, text):
    folder = tmp_path / "job"
    runner().run("Cu", folder, "static", copper())
    digest = json.loads((folder / "input.json").read_text())["digest"]
    (folder / "result.json").write_text(text.replace('"status"', f'"digest": "{digest}", "status"'))
    (folder / "state.json").write_text('{"half')
    outcome = runner().run("Cu", folder, "static", copper())
    assert outcome.status == DONE and outcome.fresh


def test_a_stop_ends_the_process_at_once(gpaw, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_GPAW", "slow")
    stop = threading.Event()
    seen = []

    def progress(name, steps, seconds):
        seen.append((name, steps))
        if steps == 2:
            stop.set()

    with pytest.raises(CalculationStopped):
        Runner(find_program("gpaw"), SETTINGS, stop, progress).run("Cu", tmp_path / "job", "crystal", copper())
    assert seen[-1] == ("Cu", 2)


def test_a_calculation_waits_for_another_process_that_does_it(gpaw, tmp_path):
    from filelock import FileLock

    folder = tmp_path / "job"
    folder.mkdir()
    lock = FileLock(str(folder / worker.LOCK), thread_local=False)
    lock.acquire()
    threading.Timer(4.0, lock.release, kwargs={"force": True}).start()
    started = time.monotonic()
    outcome = runner().run("Cu", folder, "static", copper())
    assert outcome.status == DONE and time.monotonic() - started > 3


def test_where_no_program_is_installed_the_message_says_how_to_get_one(gpaw, monkeypatch, tmp_path):
    monkeypatch.setenv("FAKE_GPAW", "absent")
    monkeypatch.setenv("NUCLEATE_ABINIT", str(tmp_path / "nowhere"))
    with pytest.raises(NucleateError, match=r"cannot import gpaw; there is no .*nowhere; install GPAW with: make dft"):
        find_program()
    with pytest.raises(NucleateError, match="auto, gpaw, abinit"):
        find_program("vasp")


def test_auto_takes_gpaw_first_and_reads_past_banners(gpaw, monkeypatch, tmp_path):
    monkeypatch.setenv("FAKE_GPAW", "banner")
    assert find_program().name == "gpaw" and find_program().version == "99.1"
    program = tmp_path / "abinit"
    program.write_text("#!/bin/sh\necho 9.6.2\n")
    program.chmod(0o755)
    monkeypatch.setenv("NUCLEATE_ABINIT", str(program))
    monkeypatch.setenv("NUCLEATE_PAW", str(tmp_path))
    assert find_program("abinit").version == "9.6.2"


def test_a_program_that_cannot_start_is_said_in_one_line(tmp_path):
    nothing = InstalledProgram("gpaw", "GPAW", "1", (str(tmp_path / "nothing"),))
    with pytest.raises(NucleateError, match="cannot be started"):
        Runner(nothing, SETTINGS).run("Cu", tmp_path / "job", "static", copper())


def test_real_gpaw_silicon(tmp_path):
    try:
        program = find_program("gpaw")
    except NucleateError as error:
        pytest.skip(str(error))
    settings = DFTSettings(cutoff=300.0, k_spacing=0.6, max_steps=4, wall_time=300.0)
    outcome = Runner(program, settings).run("Si", tmp_path / "job", "crystal", bulk("Si", a=5.43))
    assert outcome.status == DONE and outcome.result["moment"] is None, outcome.reason
    assert to_atoms(outcome.result["atoms"]).get_volume() == pytest.approx(2 * 20.4, rel=0.03)  # PBE's
