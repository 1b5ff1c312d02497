"""Conditions as plain JSON values, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from nucleate.generators.base import Condition, Fixed


def condition_to_dict(condition: Condition) -> dict[str, Any]:
    """The fields that are set, as plain JSON values."""
    return {k: v for k, v in dataclasses.asdict(condition).items() if v}


def condition_from_dict(values: Mapping[str, Any]) -> Condition:
    """The inverse of `condition_to_dict`."""
    lists = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
    return Condition(**{**values, **lists, "fixed": fixed_from_dict(values.get("fixed"))})


def fixed_from_dict(values: Mapping[str, Any] | None) -> Fixed | None:
    """`Fixed` from plain JSON values."""
    return Fixed(**{k: _tuples(v) for k, v in values.items()}) if values else None


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list | tuple) else value
