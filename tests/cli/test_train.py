import builtins
import os
import re
import signal

import pytest
import torch

from nucleate.cli.main import main
from nucleate.cli.train import tensorboard_writer
from nucleate.crystal.batch import CrystalBatch
from nucleate.errors import NucleateError

RECIPE = """
name = "tiny"
[network]
dim = 16
layers = 1
heads = 2
pair_dim = 8
frequencies = 2
[train]
steps = 10
batch_size = 8
precision = "float32"
log_every = 5
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(RECIPE)
    z = torch.randint(1, 20, (32, 4))
    CrystalBatch(torch.eye(3) * 5 + torch.rand(32, 3, 3), torch.rand(32, 4, 3), z).save(tmp_path / "data.safetensors")
    return tmp_path


def call(*arguments):
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    return exit_.value.code


def test_train_writes_weights_metrics_and_tensorboard(folder):
    pytest.importorskip("tensorboard")
    assert call("train", "tiny.toml", "--data", "data.safetensors", "--out", "run", "--tensorboard") == 0
    assert (folder / "run" / "weights.safetensors").is_file()
    assert len((folder / "run" / "metrics.jsonl").read_text().splitlines()) == 2
    (events,) = (folder / "run").glob("events.out.tfevents.*")
    assert b"frac_coords" in events.read_bytes()


def test_stop_and_resume_from_the_command_line(folder, capsys):
    assert call("train", "tiny.toml", "--data", "data.safetensors", "--out", "run", "--until", "5") == 0
    assert call("train", "tiny.toml", "--data", "data.safetensors", "--out", "run") == 0
    assert "resuming run at step 5" in capsys.readouterr().err


def test_a_pipe_is_told_how_long_it_takes_and_where_it_stands(folder, capsys, monkeypatch):
    monkeypatch.setattr("nucleate.train.pace.SHOW_EVERY", 0.0)
    assert call("train", "tiny.toml", "--data", "data.safetensors", "--out", "run", "--save-every", "0.5") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(r"10 steps of 8 crystals on \w+: about \d+ s", said)
    assert re.search(r"tiny: step \d+ of 10, loss \d+\.\d+, [\d,.]+ crystals/s, \d+ s to go", said)


def test_a_stopped_training_says_what_is_saved(folder, capsys, monkeypatch):
    from nucleate.train.loop import Trainer

    real = Trainer.batch_loss

    def stopped(self, model, index, step):
        if self._lock is not None and step == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(self, model, index, step)

    monkeypatch.setattr(Trainer, "batch_loss", stopped)
    assert call("train", "tiny.toml", "--data", "data.safetensors", "--out", "run") == 143
    assert "stopped by SIGTERM at step 5, saved; the same command goes on" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert call("train", "tiny.toml", "--data", "data.safetensors", "--out", "run") == 0
    assert "resuming run at step 5" in capsys.readouterr().err


def test_a_changed_recipe_is_refused(folder, capsys):
    assert call("train", "tiny.toml", "--data", "data.safetensors", "--out", "run") == 0
    (folder / "tiny.toml").write_text(RECIPE.replace("steps = 10", "steps = 12"))
    assert call("train", "tiny.toml", "--data", "data.safetensors", "--out", "run") == 2
    assert "another recipe" in capsys.readouterr().err


def test_missing_data_names_the_command_that_gets_it(folder, capsys, monkeypatch):
    monkeypatch.setenv("NUCLEATE_DATA", str(folder / "empty"))
    assert call("train", "tiny.toml", "--out", "run") == 2
    assert "nucleate data get mp-20" in capsys.readouterr().err and not (folder / "run").exists()


def test_missing_tensorboard_names_the_extra(tmp_path, monkeypatch):
    real = builtins.__import__

    def refuse(name, *a, **k):
        if name.startswith("torch.utils.tensorboard"):
            raise ImportError
        return real(name, *a, **k)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(NucleateError, match=r"nucleate\[tensorboard\]"):
        tensorboard_writer(tmp_path)


def test_fine_tuning_from_the_command_line(folder, monkeypatch):
    import numpy as np
    from pymatgen.core import Lattice, Structure

    from nucleate.generators import load_generator
    from nucleate.io import Named, write_structures

    monkeypatch.setenv("NUCLEATE_DATA", str(folder / "home"))
    (folder / "home").mkdir()
    rng = np.random.default_rng(0)
    named = [
        Named(f"c{i}", Structure(Lattice(5 * np.eye(3)), ["Na", "Cl"], rng.random((2, 3))), {"hardness": float(i)})
        for i in range(20)
    ]
    write_structures(folder / "mine.extxyz", named)
    assert call("data", "add", "mine", "mine.extxyz") == 0
    arguments = ["--from", "mp20-dng", "--property", "hardness", "--dataset", "mine", "--steps", "2", "--rank", "2"]
    assert call("train", "--out", "run", *arguments) == 0
    tuned = load_generator(folder / "run" / "weights.safetensors")
    assert tuned.name == "mp20-dng-hardness" and "hardness" in tuned.info.conditions
    assert len(tuned.info.elements) > 80  # the base model's elements are kept


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("softness", "mine has no column 'softness'; columns with numbers: hardness"),
        ("label", "mine: column 'label' is text, not numbers ('soft'"),
        ("mixed", "mine: column 'mixed' is text, not numbers ('about 3')"),
        ("same", "property 'same' has 16 values in the data, and they do not vary"),
    ],
)
def test_a_column_that_cannot_be_trained_on_says_why(folder, monkeypatch, capsys, column, words):
    import numpy as np
    from pymatgen.core import Lattice, Structure

    from nucleate.io import Named, write_structures

    monkeypatch.setenv("NUCLEATE_DATA", str(folder / "home"))
    (folder / "home").mkdir()
    rng = np.random.default_rng(0)
    named = []
    for i in range(20):
        info = {"hardness": float(i), "label": ["soft", "hard"][i % 2], "same": 2.5}
        info["mixed"] = "about 3" if i == 7 else str(float(i))
        named.append(Named(f"c{i}", Structure(Lattice(5 * np.eye(3)), ["Na", "Cl"], rng.random((2, 3))), info))
    write_structures(folder / "mine.jsonl", named)
    assert call("data", "add", "mine", "mine.jsonl") == 0
    arguments = ["--from", "mp20-dng", "--property", column, "--dataset", "mine", "--steps", "2", "--rank", "2"]
    assert call("train", "--out", "run", *arguments) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert words in said, said
