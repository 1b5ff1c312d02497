"""The device to compute on, and errors that mean that its memory does not suffice."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nucleate.errors import NucleateError

if TYPE_CHECKING:
    import torch


def device_of(name: str | None = None) -> torch.device:
    """The torch device of a name ("cpu", "cuda", "cuda:1"). None stands for the GPU of this process (the first one, or
    that of LOCAL_RANK under torchrun) if there is one, else for the CPU.

    Raises NucleateError, with the devices of this machine, if the device does not exist or cannot be used.
    """
    import torch

    if name is None:
        name = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
    here = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if name not in (*here, "cuda", "mps") or (name == "cuda" and len(here) == 1):
        raise NucleateError(f"this machine has no device '{name}'; it has {', '.join(here)}")
    device = torch.device(name)
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise NucleateError(f"device '{name}' cannot be used: {str(error).splitlines()[0][:200]}") from None
    return device


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the memory of the GPU or of the machine did not suffice."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


@contextlib.contextmanager
def enough_memory(device: torch.device, batch_size: int, unit: str, step: int = 1) -> Iterator[None]:
    """A context in which an out-of-memory error becomes a NucleateError of one line that says what to do.

    batch_size, unit: the size of a batch, as in 256 "crystals". step: the number of the current training step.
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
