"""The state of a training run as named tensors, which can be written to a checkpoint and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from nucleate.io import replacing


def tensors_under(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors whose names begin with "NAME.", with that prefix removed from their names."""
    return {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}


def pack(model: nn.Module, ema: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Parameters ("model."), their running means ("ema.") and the optimiser's moments ("optimizer.") as tensors."""
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()} | {f"ema.{k}": v for k, v in ema.items()}
    for i, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{k}": v for k, v in state.items()}
    return tensors


def unpack(tensors: Mapping[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Put the tensors of `pack` back into the model and the optimiser, and return the running means."""
    model.load_state_dict(tensors_under(tensors, "model"))
    own, moments = optimizer.state_dict(), tensors_under(tensors, "optimizer")
    own["state"] = {
        i: {name: moments[f"{i}.{name}"] for name in ("step", "exp_avg", "exp_avg_sq")}
        for i in range(sum(p.requires_grad for p in model.parameters()))
        if f"{i}.step" in moments
    }
    optimizer.load_state_dict(own)
    return tensors_under(tensors, "ema")


def cut_metrics(path: Path, step: int) -> None:
    """Remove the lines of metrics after `step` from a file; the resumed run writes them again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(errors="replace").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, KeyError, TypeError):  # a killed process may have written only part of its last line
            continue
    with replacing(path) as temporary:
        temporary.write_text("".join(line + "\n" for line in kept))
