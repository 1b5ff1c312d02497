"""Trained weights, shipped or a file, as a network with what is known of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from torch import nn

from nucleate.config import SampleConfig
from nucleate.errors import NucleateError
from nucleate.train.checkpoint import ModelInfo, load_network
from nucleate.train.shipped import require_weights
from nucleate.train.weights_file import read_metadata


def read_info(weights: str | Path, kind: str | None = None) -> ModelInfo:
    """What a shipped model or a checkpoint file is, without its weights; raises as `load_model`."""
    path = require_weights(weights, kind)
    return ModelInfo.of(path, read_metadata(path), kind)


def load_model(weights: str | Path, kind: str | None = None) -> tuple[nn.Module, ModelInfo]:
    """The trained network; raises NucleateError if there is none, one of another kind, or a damaged one."""
    return load_network(require_weights(weights, kind), kind)


def sampling(
    info: ModelInfo,
    samplers: tuple[str, ...],
    *,
    steps: int | None = None,
    sampler: str | None = None,
    species_temperature: float | None = None,
) -> SampleConfig:
    """The recipe's settings with those that are given in their place; `samplers` are those that the model has."""
    if steps is not None and steps < 1:
        raise NucleateError(f"steps must be at least 1, not {steps}")
    if sampler is not None and sampler not in samplers:
        raise NucleateError(f"unknown sampler '{sampler}'; known are {', '.join(samplers)}")
    if species_temperature is not None and not species_temperature > 0:
        raise NucleateError(f"the temperature (--temperature) must be above 0, not {species_temperature:g}")
    given: dict[str, Any] = {"steps": steps, "sampler": sampler, "species_temperature": species_temperature}
    return dataclasses.replace(info.recipe.sample, **{k: v for k, v in given.items() if v is not None})
