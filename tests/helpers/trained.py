"""Random crystals to train on, and what a training run leaves that must not depend on how often it was stopped."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from nucleate.crystal.batch import CrystalBatch
from nucleate.train.loop import METRICS


def hundred_crystals() -> CrystalBatch:
    """100 crystals of 8 atoms, every other one of 5."""
    g = torch.Generator().manual_seed(0)
    z = torch.randint(1, 30, (100, 8), generator=g)
    z[::2, 5:] = 0
    frac = torch.rand(100, 8, 3, generator=g) * (z > 0)[..., None]
    return CrystalBatch(torch.eye(3) * 5 + torch.rand(100, 3, 3, generator=g), frac, z)


def metrics(folder: Path) -> list[dict]:
    """The lines of metrics of a run, without the time they took."""
    lines = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "crystals_per_s")} for line in lines]
