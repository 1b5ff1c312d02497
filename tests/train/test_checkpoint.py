import dataclasses

import torch

from nucleate.systems.joint import JointRecipe, NetworkConfig
from nucleate.train.checkpoint import ModelInfo, PropertyStats

NAMES = ("energy", "gap")


def info():
    """Low energies have 2 atoms, high ones 5; gaps say nothing of the size; 3 and 4 atoms never occur."""
    g = torch.Generator().manual_seed(0)
    energy = torch.randn(2000, generator=g)
    sizes = torch.where(energy < 0, 2, 5)
    values = {"energy": energy, "gap": torch.rand(2000, generator=g)}
    values["energy"][::7] = torch.nan
    return ModelInfo(
        JointRecipe(name="x", network=NetworkConfig(condition_on=NAMES)),
        (0.0,) * 6,
        (1.0,) * 6,
        (3, 8),
        tuple(torch.bincount(sizes, minlength=7).tolist()),
        {},
        {name: PropertyStats.of(name, v, sizes, 6) for name, v in values.items()},
    )


def shares(wanted):
    weights = info().size_weights(wanted)
    assert weights.shape == (7,) and weights[[0, 1, 3, 4, 6]].abs().max() == 0
    return weights / weights.sum()


def test_the_size_follows_the_wanted_property():
    plain = shares({})
    assert abs(plain[2] - 0.5) < 0.05
    assert shares({"energy": -2.0})[2] > 0.95 and shares({"energy": 2.0})[5] > 0.95
    assert shares({"energy": -99.0})[2] > 0.85  # beyond the range of the data: the same as at its end
    assert torch.allclose(shares({"gap": 0.5}), plain, atol=0.1)
    assert shares({"energy": -2.0, "gap": 0.5})[2] > 0.95


def test_statistics_survive_the_metadata():
    whole = info()
    assert ModelInfo.of("a file", whole.to_metadata()) == whole


def test_statistics_without_sizes_leave_the_sizes_as_they_are():
    stats = PropertyStats(10, 0.0, 1.0, -2.0, 2.0)
    plain, old = info(), dataclasses.replace(info(), properties={"energy": stats})
    assert torch.allclose(old.size_weights({"energy": -2.0}), plain.size_weights({}))
