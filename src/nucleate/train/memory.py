"""Telling an error of too little memory from others."""

from __future__ import annotations


def out_of_memory(error: BaseException) -> bool:
    """Whether torch, or Python itself, had too little memory on the GPU or in the machine."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
