"""Models for nucleate that reproduce tables of papers. nucleate finds them once this package is installed."""

from __future__ import annotations

from pathlib import Path


def weights_folder() -> Path:
    """The folder of the weights (NAME.safetensors) and their cards (NAME.md); the entry point of this package."""
    return Path(__file__).parent / "weights"
