"""The device to compute on, and whether an error is one of too little memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nucleate.errors import NucleateError

if TYPE_CHECKING:
    import torch


def device_of(name: str | None = None) -> torch.device:
    """The device of a name ("cpu", "cuda", "cuda:1"); None is the first GPU (of this process), else the CPU.

    Raises NucleateError, with the devices that are here, for one that cannot be used.
    """
    import torch

    if name is None:
        name = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
    here = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if name not in (*here, "cuda", "mps") or (name == "cuda" and len(here) == 1):
        raise NucleateError(f"no device '{name}' here; there is {', '.join(here)}")
    device = torch.device(name)
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise NucleateError(f"device '{name}' cannot be used: {str(error).splitlines()[0][:200]}") from None
    return device


def out_of_memory(error: BaseException) -> bool:
    """Whether torch, or Python itself, had too little memory on the GPU or in the machine."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


@contextlib.contextmanager
def enough_memory(device: torch.device, batch_size: int, unit: str, step: int = 1) -> Iterator[None]:
    """Inside, an error of too little memory becomes a NucleateError of one line that says what to do.

    batch_size, unit: what a batch has, such as 256 crystals. step: the number of the training step at hand.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        where = "the GPU" if device.type == "cuda" else "the machine"
        raise NucleateError(
            f"{where} is out of memory at step {step} with {batch_size} {unit} a batch; "
            f"lower train.batch_size in the recipe{', or use --device cpu' if device.type == 'cuda' else ''}"
        ) from None
