"""Two listeners to one run, and a token that stops it."""

import multiprocessing
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "engine"))  # spawned workers inherit it
import engine_stages as stages

from nucleate.cli.interrupts import going_on
from nucleate.cli.progress import progress_shown
from nucleate.engine.local import Processes, Serial
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.events import Cancel, Cancelled, CandidateChanged, Progress, StageBegan, StageEnded, Watch
from nucleate.pipeline.run import run_stages
from nucleate.store.database import RunStore


class Page:
    """What a web page would show: the latest state of each candidate, and the progress of the stages."""

    def __init__(self):
        self.candidates, self.stages = {}, {}

    def __call__(self, event):
        match event:
            case StageBegan(stage, done, total) | Progress(stage, done, total):
                self.stages[stage] = f"{done}/{total}"
            case CandidateChanged(_, candidate):
                self.candidates[candidate.id] = candidate
            case StageEnded(stage, total, seconds):
                self.stages[stage] = f"{total} in {seconds >= 0}"


def blanks(n):
    return [Candidate(f"c{i}", seed=i) for i in range(n)]


@pytest.mark.parametrize("machine", [Serial(), Processes(2)], ids=["serial", "processes"])
def test_two_listeners_hear_of_a_run_and_a_token_stops_it(tmp_path, machine, capsys):
    page, stop = Page(), Cancel()

    def button(event):
        if isinstance(event, CandidateChanged) and len(page.candidates) == 2:
            stop()

    with RunStore(tmp_path / "run") as store:
        store.save_many(blanks(5))
        with pytest.raises(Cancelled, match="continues it from what is stored"), progress_shown() as terminal:
            watch = Watch(*terminal.listeners, page, button, cancel=stop)
            run_stages(store.load(), [stages.Misbehaves()], machine, store, watch)
        assert not multiprocessing.active_children()
    assert "odd: 2 of 5" in capsys.readouterr().err or page.stages["odd"] == "1/5"
    with RunStore(tmp_path / "run") as store:
        have = store.load()
        assert sum("odd" in c.stages for c in have) == 2  # all that was finished is stored
        done = run_stages(have, [stages.Misbehaves()], Serial(), store, Watch(page))
    assert all(c.stages == ("odd",) for c in done) and page.stages["odd"] == "5 in True"
    assert set(page.candidates) == {f"c{i}" for i in range(5)}


def test_results_of_a_quick_stage_are_stored_when_it_is_cancelled(tmp_path):
    stop, seen = Cancel(), []

    def listener(event):
        seen.append(event)
        if len(seen) == 4:  # the events are: stage, candidate, progress, candidate
            stop()

    with RunStore(tmp_path) as store, pytest.raises(Cancelled):
        run_stages(blanks(3), [stages.Quick()], Serial(), store, Watch(listener, cancel=stop))
    with RunStore(tmp_path, read_only=True) as store:
        assert [c.id for c in store.load()] == ["c0", "c1"]


def test_a_cancelled_token_stops_later_work_too():
    stop = Cancel()
    count = Watch(cancel=stop).counter("reading")
    count(1, 2)
    stop()
    with pytest.raises(Cancelled):
        count(2, 2)


@pytest.mark.parametrize("error", [KeyboardInterrupt, Cancelled])
def test_a_stopped_command_says_how_to_continue(error, capsys):
    import typer

    with pytest.raises(typer.Exit) as ended, going_on("the same command goes on from here"):
        raise error
    assert ended.value.exit_code == 130
    assert capsys.readouterr().err.strip() == "interrupted; the same command goes on from here"
