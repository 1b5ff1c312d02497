"""Wanted properties as tensors for a trained network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nucleate.generators.base import Condition
from nucleate.generators.properties import resolve_property
from nucleate.train.checkpoint import ModelInfo


def wanted_columns(info: ModelInfo, condition: Condition) -> dict[str, float]:
    """The wanted properties by the names of the model's columns."""
    return {resolve_property(k, info.conditions) or k: v for k, v in condition.properties.items()}


def property_tensors(info: ModelInfo, conditions: Sequence[Condition], device: torch.device) -> dict[str, Tensor]:
    """For each wanted property its standardised values (B, 1) under the column's name, and under "COLUMN_present" a
    mask (B,) of the conditions that ask for it. Properties that no condition asks for are left out."""
    out: dict[str, Tensor] = {}
    values = [wanted_columns(info, c) for c in conditions]
    for column, stats in info.conditions.items():
        targets = [v.get(column) for v in values]
        if any(v is not None for v in targets):
            numbers = torch.tensor([stats.mean if v is None else v for v in targets])
            out[column] = stats.standardise(numbers)[:, None].to(device)
            out[f"{column}_present"] = torch.tensor([v is not None for v in targets]).to(device)
    return out
