"""How the typed values of a candidate become plain JSON values and are read again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

VERSION = 2  # of the records of candidates that are written; those before had none


class Fact:
    """Base of the frozen dataclasses that a candidate carries. A record with a field that they do not have, with a
    value of another type or with a number that is not finite is refused when it is read (`pipeline.record`)."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "allow_inf_nan": False}


def to_plain(value: Any) -> Any:
    """A dataclass as a dictionary, tuples as lists, mappings as dicts. Fields that hold nothing (None, an empty text,
    list or table) and may be left out are left out."""
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
