"""The floating-point precision of training: what `train.precision` of a recipe means."""

from __future__ import annotations

import contextlib
from typing import Any

import torch


def computes_bf16(device: torch.device) -> bool:
    """Whether bf16 saves time, as it does on GPUs and on CPUs with instructions for it. Other CPUs emulate it, which is
    much slower than float32."""
    if device.type != "cpu":
        return True
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of torch lack it
    return any(able is True for name, able in known.items() if name.endswith("bf16"))


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager:
    """A context in which networks compute in bf16 if `precision` is "bf16", or if it is "auto" and bf16 saves time
    there; otherwise in float32."""
    if precision == "bf16" or (precision == "auto" and computes_bf16(device)):
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()
