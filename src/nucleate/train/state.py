"""The state of a training run as named tensors and back, and its lines of metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from nucleate.io import replacing


def part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors called "NAME.something", by "something"."""
    return {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}


def pack(model: nn.Module, ema: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Parameters, their running means and the optimiser's moments."""
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()} | {f"ema.{k}": v for k, v in ema.items()}
    for i, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{k}": v for k, v in state.items()}
    return tensors


def unpack(tensors: Mapping[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Fill model and optimiser with what `pack` wrote; the running means are returned."""
    model.load_state_dict(part(tensors, "model"))
    own, moments = optimizer.state_dict(), part(tensors, "optimizer")
    own["state"] = {
        i: {name: moments[f"{i}.{name}"] for name in ("step", "exp_avg", "exp_avg_sq")}
        for i in range(sum(p.requires_grad for p in model.parameters()))
        if f"{i}.step" in moments
    }
    optimizer.load_state_dict(own)
    return part(tensors, "ema")


def cut_metrics(path: Path, step: int) -> None:
    """Drop the lines written after `step`: the resumed run writes them again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(errors="replace").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, KeyError, TypeError):  # a killed process may leave a part of a line
            continue
    with replacing(path) as temporary:
        temporary.write_text("".join(line + "\n" for line in kept))
