"""The base of the typed values of a candidate, and their conversion to plain JSON values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

VERSION = 2  # of candidate records; those of the first version do not name one


class Fact:
    """Base of the frozen dataclasses that a candidate carries. When a record is read (`pipeline.record`), fields that
    they do not have, values of another type and numbers that are not finite are refused."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "allow_inf_nan": False}


def to_plain(value: Any) -> Any:
    """A dataclass as a dictionary, tuples as lists, mappings as dicts. Fields that are None or empty are left out if
    they have a default."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = ((f, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {f.name: to_plain(v) for f, v in fields if not (_holds_nothing(v) and _has_default(f))}
    if isinstance(value, Mapping):
        return {k: to_plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(v) for v in value]
    return value


def _holds_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | tuple | Mapping) and not value)


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
