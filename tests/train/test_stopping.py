"""A training run that is stopped, killed or fails: what it leaves, and that it continues exactly."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
import torch
from trained import hundred_crystals, metrics

from nucleate.errors import NucleateError
from nucleate.systems.joint import DiffusionConfig, JointRecipe, NetworkConfig
from nucleate.systems.recipe import ConditionalTraining
from nucleate.train.loop import LATEST, METRICS, WEIGHTS, Trainer
from nucleate.train.pace import Pace, Standing, TrainingLines, duration
from nucleate.train.stopping import Stopped, stop_requests
from nucleate.train.weights_file import load_tensors

TOML = """
name = "tiny"
task = "dng"
[diffusion]
species = "uniform"
[network]
dim = 16
layers = 1
heads = 2
pair_dim = 8
frequencies = 2
[train]
steps = 90
batch_size = 16
warmup = 5
precision = "float32"
checkpoint_every = 1000
log_every = 7
"""


def recipe(**train):
    network = NetworkConfig(dim=16, layers=1, heads=2, pair_dim=8, frequencies=2)
    settings = {"steps": 20, "batch_size": 16, "warmup": 5, "checkpoint_every": 1000, "log_every": 5} | train
    return JointRecipe(
        name="tiny",
        task="dng",
        diffusion=DiffusionConfig(species="uniform"),
        network=network,
        train=ConditionalTraining(**settings),
    )


@pytest.fixture(scope="module")
def crystals():
    return hundred_crystals()


def same(a, b):
    first, second = load_tensors(a / WEIGHTS)[0], load_tensors(b / WEIGHTS)[0]
    return metrics(a) == metrics(b) and all(torch.equal(first[k], second[k]) for k in first)


class Interrupting:
    """Sends this process a signal when the run stands at a step."""

    def __init__(self, trainer, step, number):
        self.trainer, self.step, self.number, real = trainer, step, number, trainer.batch_loss
        trainer.batch_loss = lambda *a: self(*a, real)

    def __call__(self, model, index, step, real):
        if step == self.step:
            os.kill(os.getpid(), self.number)
        return real(model, index, step)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [0, 3, 11])
def test_a_stopped_run_has_saved_the_step_at_hand_and_goes_on_exactly(crystals, tmp_path, number, step):
    Trainer(recipe(), crystals, tmp_path / "whole").run()
    trainer = Trainer(recipe(), crystals, tmp_path / "parts")
    Interrupting(trainer, step, number)
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as stopped:
        trainer.run()
    assert stopped.value.exit_code == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert signal.getsignal(number) is before
    again = Trainer(recipe(), crystals, tmp_path / "parts")
    assert again.step == step + 1
    again.run()
    assert same(tmp_path / "whole", tmp_path / "parts")


def test_a_stop_in_the_last_step_is_the_end(crystals, tmp_path):
    trainer = Trainer(recipe(steps=4), crystals, tmp_path)
    Interrupting(trainer, 3, signal.SIGINT)
    trainer.run()
    assert Trainer(recipe(steps=4), crystals, tmp_path).step == 4


def test_a_second_interrupt_does_not_wait():
    with pytest.raises(KeyboardInterrupt), stop_requests() as request:
        os.kill(os.getpid(), signal.SIGINT)
        while request.number is None:
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)


def test_any_until_leaves_the_metrics_of_the_whole_run(crystals, tmp_path):
    Trainer(recipe(), crystals, tmp_path / "whole").run()
    for until in (3, 4, 17, 20):
        Trainer(recipe(), crystals, tmp_path / "parts").run(until=until)
    assert same(tmp_path / "whole", tmp_path / "parts")


def test_checkpoints_come_by_the_clock_as_well(crystals, tmp_path):
    trainer = Trainer(recipe(), crystals, tmp_path, save_every=1e-6)
    saved = []
    real = trainer.save
    trainer.save = lambda: (saved.append(trainer.step), real())
    trainer.run()
    assert saved == list(range(1, 21))
    with pytest.raises(NucleateError, match="must be positive"):
        Trainer(recipe(), crystals, tmp_path / "b", save_every=0)


def test_killed_at_any_moment_a_run_goes_on_exactly(crystals, tmp_path):
    (tmp_path / "tiny.toml").write_text(TOML)
    crystals.save(tmp_path / "data.safetensors")
    command = [sys.executable, "-m", "nucleate.train", "tiny.toml", "--data", "data.safetensors", "--threads", "1"]
    command += ["--save-every", "0.0001", "--out"]
    subprocess.run([*command, "whole"], cwd=tmp_path, check=True, capture_output=True)
    steps = []
    for number, lines in ((signal.SIGKILL, 2), (signal.SIGINT, 4), (signal.SIGKILL, 7)):
        killed = subprocess.Popen([*command, "killed"], cwd=tmp_path, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and killed.poll() is None:
            if (tmp_path / "killed" / METRICS).exists() and len(metrics(tmp_path / "killed")) >= lines:
                break
            time.sleep(0.002)
        killed.send_signal(number)
        code = killed.wait()
        assert code == (130 if number == signal.SIGINT else -number)
        steps.append(json.loads(load_tensors(tmp_path / "killed" / LATEST)[1]["state"])["step"])
    assert steps == sorted(steps) and steps[0] > 0 and steps[-1] < 90, "the kills must come in the middle of the run"
    subprocess.run([*command, "killed"], cwd=tmp_path, check=True, capture_output=True)
    assert same(tmp_path / "whole", tmp_path / "killed")
    assert sorted(p.name for p in (tmp_path / "killed").iterdir() if p.name != ".lock") == [LATEST, METRICS, WEIGHTS]


def test_two_trainers_in_one_folder_refuse_each_other(crystals, tmp_path):
    first = Trainer(recipe(), crystals, tmp_path)
    with pytest.raises(NucleateError, match=rf"another process \(pid {os.getpid()}\) is training in .*--out"):
        Trainer(recipe(), crystals, tmp_path)
    first.run(until=2)
    Trainer(recipe(), crystals, tmp_path).close()
    (tmp_path / "file").write_text("")
    with pytest.raises(NucleateError, match="cannot write into"):
        Trainer(recipe(), crystals, tmp_path / "file")


def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint(crystals, tmp_path):
    trainer = Trainer(recipe(checkpoint_every=1, log_every=50), crystals, tmp_path)
    real = trainer.batch_loss

    def broken(model, index, step):
        losses = real(model, index, step)
        return {k: v * float("nan") for k, v in losses.items()} if step == 6 else losses

    trainer.batch_loss = broken
    with pytest.raises(NucleateError, match="not finite at step 7; lower train.learning_rate; .* step 6"):
        trainer.run()
    again = Trainer(recipe(checkpoint_every=1, log_every=50), crystals, tmp_path)
    assert again.step == 6 and all(bool(p.isfinite().all()) for p in again.model.parameters())


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory. Tried"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_too_little_memory_is_one_line(crystals, tmp_path, error):
    trainer = Trainer(recipe(), crystals, tmp_path)

    def broken(*_):
        raise error

    trainer.batch_loss = broken
    with pytest.raises(NucleateError, match="out of memory at step 1 with 16 crystals a batch; lower train.batch_size"):
        trainer.run()


def test_an_estimate_of_the_duration_changes_no_result(crystals, tmp_path):
    Trainer(recipe(), crystals, tmp_path / "a").run()
    trainer = Trainer(recipe(), crystals, tmp_path / "b")
    assert 0 < trainer.estimate() < 100
    assert trainer.estimate(until=10) < 2 * trainer.estimate()
    trainer.run()
    assert trainer.estimate() == 0 and same(tmp_path / "a", tmp_path / "b")


def test_a_damaged_checkpoint_is_one_line(crystals, tmp_path):
    Trainer(recipe(), crystals, tmp_path).run(until=3)
    data = (tmp_path / LATEST).read_bytes()
    (tmp_path / LATEST).write_bytes(data[:-100])
    with pytest.raises(NucleateError, match=rf"{LATEST} is not a safetensors file, or is incomplete"):
        Trainer(recipe(), crystals, tmp_path)
    (tmp_path / LATEST).write_bytes(data[:-5] + b"\x01" + data[-4:])
    with pytest.raises(NucleateError, match=f"{LATEST} is damaged: its tensors"):
        Trainer(recipe(), crystals, tmp_path)


def test_where_a_run_stands_in_words():
    said = []
    lines = TrainingLines("tiny", said.append, every=1000)
    lines(Standing(1200, 20_000, 1.25, "crystals", 812.3, 7800.0))
    lines(Standing(1300, 20_000, 1.25, "crystals", 812.3, 7700.0))
    assert said == ["tiny: step 1,200 of 20,000, loss 1.2500, 812 crystals/s, 2 h 10 min to go"]
    spans = {0: "0 s", 99: "99 s", 100: "2 min", 3600: "60 min", 7200: "2 h", 180_000: "2 d 2 h"}
    assert {s: duration(s) for s in spans} == spans
    pace = Pace(16, "crystals")
    assert not pace.due(1)
    pace.shown -= 100
    assert pace.due(2) and not pace.due(3)
    assert re.fullmatch(r"step 3 of 9, loss 0\.5000, .* crystals/s, .* to go", str(pace.standing(3, 9, 0.5)))


@pytest.mark.parametrize("name", ["cuda:97", "gpu", "cpu:x", ""])
def test_a_device_that_is_not_here_is_named_with_those_that_are(crystals, tmp_path, name):
    with pytest.raises(NucleateError, match=f"this machine has no device '{name}'; it has cpu"):
        Trainer(recipe(), crystals, tmp_path, name)
