import csv
import json
import os
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nucleate.errors import NucleateError
from nucleate.locks import Lock
from nucleate.tasks import season as season_module
from nucleate.tasks import season_judges
from nucleate.tasks.season import BEST, LOG, RunState, read_queue, run_season

RECIPE = """
name = "{name}"
system = "joint"
task = "csp"
[data]
dataset = "{data}"
[network]
dim = 16
layers = 1
heads = 2
pair_dim = 8
frequencies = 2
[train]
steps = {steps}
batch_size = 8
warmup = 2
precision = "float32"
log_every = 1
[sample]
steps = 4
"""
QUEUE = """
[[run]]
recipe = "first.toml"
judge = "match"
validation = "{data}"
n = 4
every = 4
[[run]]
recipe = "second.toml"
judge = "match"
validation = "{data}"
n = 4
every = 4
"""


# In place of predictions, which need a trained model: a number that depends on every weight.
STUB = """
from nucleate.tasks import season_judges
from nucleate.train.weights_file import load_tensors

def measure(weights, dataset, n, cache):
    return {"match": sum(float(t.double().sum()) for t in load_tensors(weights)[0].values()) % 1}

season_judges.JUDGES["match"] = season_judges.Judge(measure, ("match",), {"match": ""})
"""


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """A queue of two runs of 12 and 8 steps on 24 rock-salt crystals that are all a little different."""
    monkeypatch.setattr(season_judges, "JUDGES", dict(season_judges.JUDGES))
    monkeypatch.setattr(season_module, "JUDGES", season_judges.JUDGES)
    exec(STUB, {})
    rng = np.random.default_rng(0)
    rows = [
        {
            "material_id": f"m{i}",
            "lengths": (5.0 + rng.uniform(-0.5, 0.5, 3)).tolist(),
            "angles": [90.0, 90.0, 90.0],
            "atomic_numbers": [11, 17],
            "frac_coords": [0.0, 0.0, 0.0, 0.5, 0.5, 0.5],
            "num_atoms": 2,
        }
        for i in range(24)
    ]
    data = tmp_path / "data.parquet"
    pq.write_table(pa.Table.from_pylist(rows), data)
    for name, steps in (("first", 12), ("second", 8)):
        (tmp_path / f"{name}.toml").write_text(RECIPE.format(name=name, data=data, steps=steps))
    (tmp_path / "queue.toml").write_text(QUEUE.format(data=data))
    return tmp_path / "queue.toml"


def rows(folder):
    """The log without the processor time that training took."""
    with open(folder / LOG) as file:
        return [{k: v for k, v in row.items() if k != "core_hours"} for row in csv.DictReader(file)]


def test_runs_are_trained_in_turn_and_validated(queue, tmp_path):
    told = []
    states = run_season(read_queue(queue), tmp_path / "out", told=told.append)
    assert {name: state.status for name, state in states.items()} == {"first": "done", "second": "done"}
    table = rows(tmp_path / "out")
    assert [(row["run"], row["step"]) for row in table] == [
        ("first", "4"), ("first", "8"), ("first", "12"), ("second", "4"), ("second", "8")
    ]  # fmt: skip
    assert all(float(row["held_out_loss"]) > 0 and 0 <= float(row["match"]) <= 1 for row in table)
    assert (tmp_path / "out" / "first" / BEST).is_file()
    assert told[0] == "first: begins with step 0 of 12"
    before = (tmp_path / "out" / LOG).read_bytes()
    run_season(read_queue(queue), tmp_path / "out", told=told.append)  # nothing is left to do
    assert (tmp_path / "out" / LOG).read_bytes() == before


def test_a_season_that_is_killed_goes_on(queue, tmp_path):
    run_season(read_queue(queue), tmp_path / "whole")
    main = (
        f"from nucleate.cli.main import main; main(['season', {str(queue)!r}, '--out', {str(tmp_path / 'killed')!r}])"
    )
    process = subprocess.Popen([sys.executable, "-c", STUB + main], stderr=subprocess.DEVNULL, env=os.environ)
    state = tmp_path / "killed" / "first" / "season.json"
    for _ in range(1200):
        if state.exists() or process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert state.exists()
    run_season(read_queue(queue), tmp_path / "killed")
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")
    for name in ("first", "second"):
        kept = [(tmp_path / folder / name / BEST).stat().st_size for folder in ("whole", "killed")]
        assert kept[0] == kept[1]


@pytest.mark.parametrize("moment", ["judging", "judged"])
def test_a_validation_that_is_killed_is_repeated(queue, tmp_path, monkeypatch, moment):
    run_season(read_queue(queue), tmp_path / "whole")
    real = season_judges.JUDGES["match"]

    class Killed(BaseException):
        pass

    def measure(*arguments):
        numbers = real.measure(*arguments) if moment == "judged" else {}
        raise Killed(numbers)

    broken = season_judges.Judge(measure, real.score, real.numbers)
    monkeypatch.setitem(season_judges.JUDGES, "match", broken)
    with pytest.raises(Killed):
        run_season(read_queue(queue), tmp_path / "killed")
    monkeypatch.setitem(season_judges.JUDGES, "match", real)
    run_season(read_queue(queue), tmp_path / "killed")
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


def test_the_best_weights_are_kept_and_a_run_without_gain_ends(queue, tmp_path, monkeypatch):
    scores = iter([0.5, 0.2, 0.1, 0.0])
    judge = season_judges.Judge(lambda *_: {"match": next(scores)}, ("match",), {"match": ""})
    monkeypatch.setitem(season_judges.JUDGES, "match", judge)
    text = queue.read_text().replace("every = 4", "every = 4\npatience = 1e-9", 1)
    queue.write_text(text)
    states = run_season(read_queue(queue), tmp_path / "out")
    first = states["first"]
    assert first.status == "flat" and first.step == 8 and first.best["step"] == 4
    from nucleate.generators import read_info

    assert read_info(tmp_path / "out" / "first" / BEST).training["steps"] == 4
    assert states["second"].status == "done"


def test_a_run_ends_after_its_hours(queue, tmp_path):
    queue.write_text(queue.read_text().replace("every = 4", "every = 4\nhours = 1e-9", 1))
    state = run_season(read_queue(queue), tmp_path / "out", only=["first"])["first"]
    assert (state.status, state.step) == ("out of time", 4)


def test_a_run_that_fails_does_not_stop_the_others(queue, tmp_path, monkeypatch):
    text = (tmp_path / "first.toml").read_text()
    (tmp_path / "first.toml").write_text(text.replace("data.parquet", "nowhere.parquet"))
    told = []
    states = run_season(read_queue(queue), tmp_path / "out", told=told.append)
    assert (states["first"].status, states["second"].status) == ("failed", "done")
    assert "nowhere.parquet" in states["first"].reason
    (tmp_path / "first.toml").write_text(text)
    assert run_season(read_queue(queue), tmp_path / "out")["first"].status == "done"


def test_weights_that_cannot_be_judged_have_no_score(queue, tmp_path, monkeypatch):
    judge = season_judges.Judge(lambda *_: 1 / 0, ("match",), {"match": ""})
    monkeypatch.setitem(season_judges.JUDGES, "match", judge)
    told = []
    state = run_season(read_queue(queue), tmp_path / "out", only=["second"], told=told.append)["second"]
    assert state.status == "done" and state.best is None
    assert any("could not be judged (ZeroDivisionError" in line for line in told)


def test_two_seasons_in_one_folder_refuse_each_other(queue, tmp_path):
    with Lock(tmp_path / "out" / ".lock", "runs", "wait"), pytest.raises(NucleateError, match="choose another folder"):
        run_season(read_queue(queue), tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('judge = "match"', 'judge = "taste"'), "'run.0.judge' must be one of crystals, match, formulas"),
        (("every = 4", "evry = 4"), "unknown key 'run.0.evry'"),
        (('recipe = "second.toml"', 'recipe = "first.toml"'), "two runs are called 'first'"),
        (('recipe = "first.toml"', 'recipe = "third.toml"'), "no recipe at"),
        (("n = 4", "n = 0"), "'run.0.n' must be at least 1"),
        (('validation = "', 'name = "'), "needs 'validation'"),
        (("[[run]]", "[[run"), "is not TOML"),
    ],
)
def test_a_wrong_queue_is_refused_with_its_file(queue, change, message):
    queue.write_text(queue.read_text().replace(*change, 1))
    with pytest.raises(NucleateError) as error:
        read_queue(queue)
    assert str(queue) in str(error.value) and message in str(error.value)


def test_an_unknown_run_is_named_with_those_there_are(queue, tmp_path):
    with pytest.raises(NucleateError, match="no run 'third'; it has first, second"):
        run_season(read_queue(queue), tmp_path / "out", only=["third"])


def test_a_damaged_state_file_is_reported(tmp_path):
    (tmp_path / "season.json").write_text("{")
    with pytest.raises(NucleateError, match="is damaged"):
        RunState.read(tmp_path)
    (tmp_path / "season.json").write_text(json.dumps({"status": "done", "colour": 1}))
    with pytest.raises(NucleateError, match="is damaged"):
        RunState.read(tmp_path)
