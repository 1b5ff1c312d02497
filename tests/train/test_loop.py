import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from trained import hundred_crystals, metrics

import nucleate
from nucleate.config import TrainConfig
from nucleate.crystal.batch import CrystalBatch
from nucleate.errors import NucleateError
from nucleate.generators import read_info
from nucleate.systems.joint import DiffusionConfig, JointRecipe, NetworkConfig
from nucleate.systems.recipe import ConditionalTraining
from nucleate.train.loop import WEIGHTS, Trainer
from nucleate.train.schedule import batches, learning_rate
from nucleate.train.weights_file import load_tensors

TOML = """
name = "tiny"
system = "joint"
task = "dng"
[diffusion]
species = "absorbing"
[network]
dim = 16
layers = 1
heads = 2
pair_dim = 8
frequencies = 2
conditioning = "adaln"
norm = "pre"
condition_on = ["chemical_system"]
[train]
steps = 60
batch_size = 16
warmup = 5
precision = "float32"
checkpoint_every = 10
log_every = 5
"""


def recipe(**train):
    network = NetworkConfig(dim=16, layers=1, heads=2, pair_dim=8, frequencies=2, condition_on=("chemical_system",))
    settings = {"steps": 20, "batch_size": 16, "warmup": 5, "checkpoint_every": 5, "log_every": 5} | train
    return JointRecipe(
        name="tiny",
        task="dng",
        diffusion=DiffusionConfig(species="uniform"),
        network=network,
        train=ConditionalTraining(**settings),
    )


@pytest.fixture
def crystals():
    return hundred_crystals()


def test_training_lowers_the_loss(crystals, tmp_path):
    Trainer(recipe(steps=200, log_every=50, learning_rate=3e-3), crystals, tmp_path).run()
    lines = metrics(tmp_path)
    assert [line["step"] for line in lines] == [50, 100, 150, 200]
    assert lines[-1]["loss"] < 0.9 * lines[0]["loss"]


def test_a_resumed_run_has_the_same_losses_and_weights(crystals, tmp_path):
    Trainer(recipe(), crystals, tmp_path / "whole").run()
    Trainer(recipe(), crystals, tmp_path / "parts").run(until=10)
    again = Trainer(recipe(), crystals, tmp_path / "parts")
    assert again.step == 10
    again.run()
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "parts")
    a, b = (load_tensors(tmp_path / name / WEIGHTS)[0] for name in ("whole", "parts"))
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_two_processes_compute_the_gradient_of_one(crystals, tmp_path):
    (tmp_path / "tiny.toml").write_text(TOML.replace("steps = 60", "steps = 10"))
    crystals.save(tmp_path / "data.safetensors")
    arguments = ["-m", "nucleate.train", "tiny.toml", "--data", "data.safetensors", "--device", "cpu", "--out"]
    subprocess.run([sys.executable, *arguments, "one"], cwd=tmp_path, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", port]
    subprocess.run([*torchrun, *arguments, "two"], cwd=tmp_path, check=True, capture_output=True)
    a, b = (load_tensors(tmp_path / name / WEIGHTS)[0] for name in ("one", "two"))
    # Adam turns rounding in near-zero gradients into whole steps of single weights, so the mean is compared
    difference = torch.cat([(a[k] - b[k]).abs().flatten() for k in a]).mean()
    assert difference < 2e-6, "a step is about 1e-3: halves that were not averaged would show"


def test_batches_cover_each_epoch_once_and_resume_anywhere():
    sizes = torch.randint(1, 20, (103,))
    stream = batches(sizes, 10, seed=3)
    first = [next(stream) for _ in range(25)]
    assert len(torch.cat(first[:10]).unique()) == 100
    resumed = batches(sizes, 10, seed=3, step=13)
    assert all(torch.equal(next(resumed), b) for b in first[13:])


def test_batches_of_like_sizes_carry_little_padding():
    sizes = torch.randint(1, 21, (4000,))
    stream = batches(sizes, 50, seed=0)
    padded = sum(int(sizes[b].max()) * len(b) for b in (next(stream) for _ in range(80)))
    assert padded < 1.1 * int(sizes.sum())


def test_learning_rate_warms_up_and_decays():
    config = TrainConfig(steps=100, warmup=10, learning_rate=1.0, final_learning_rate=0.1)
    rates = [learning_rate(config, i) for i in range(101)]
    assert rates[0] == 0.1 and max(rates) == rates[10] == 1.0 and abs(rates[100] - 0.1) < 1e-12


def test_a_run_of_another_recipe_is_not_overwritten(crystals, tmp_path):
    Trainer(recipe(steps=5), crystals, tmp_path).run()
    with pytest.raises(NucleateError, match="another recipe"):
        Trainer(recipe(steps=6), crystals, tmp_path)


def test_weights_carry_all_that_sampling_needs(crystals, tmp_path):
    Trainer(recipe(steps=5), crystals, tmp_path).run()
    info = read_info(tmp_path / WEIGHTS)
    assert info.recipe == recipe(steps=5) and info.training["steps"] == 5
    assert set(info.elements) == set(crystals.atomic_numbers[crystals.mask].tolist())
    assert info.num_atoms_counts[5] == 50 and info.num_atoms_counts[8] == 50


def test_starting_from_weights_takes_the_layers_that_fit(crystals, tmp_path):
    Trainer(recipe(steps=5), crystals, tmp_path / "a").run()
    start = str(tmp_path / "a" / WEIGHTS)
    b = Trainer(recipe(steps=5, start_from=start), crystals, tmp_path / "b")
    source = load_tensors(start)[0]
    assert all(torch.equal(v, source[k]) for k, v in b.model.state_dict().items())
    with pytest.raises(NucleateError, match="no weights at"):
        Trainer(recipe(steps=5, start_from="nowhere"), crystals, tmp_path / "c")


def test_no_crystals_and_unknown_elements_are_refused(crystals, tmp_path):
    with pytest.raises(NucleateError, match="no crystals"):
        Trainer(recipe(), crystals[torch.tensor([], dtype=torch.int64)], tmp_path)
    heavy = CrystalBatch(crystals.lattice, crystals.frac_coords, crystals.atomic_numbers * 4)
    with pytest.raises(NucleateError, match="raise codec.num_elements"):
        Trainer(recipe(), heavy, tmp_path)


def test_training_imports_no_chemistry_package(tmp_path):
    heavy = "('pymatgen', 'ase', 'pyarrow', 'typer', 'rich', 'smact')"
    code = f"import sys, nucleate.train.loop; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_there_is_one_training_loop():
    root = Path(nucleate.__file__).parent
    loops = [
        p.name for p in sorted(root.rglob("*.py")) if "optim.Adam" in p.read_text() or ".backward()" in p.read_text()
    ]
    assert loops == ["steps.py"]
