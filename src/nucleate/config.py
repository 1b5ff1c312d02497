"""Sections of configuration: frozen models that are read from tables. Whatever is wrong in a table is reported in one
line.

A recipe (`nucleate.systems`) consists of such sections. An unknown key is refused with the keys that exist, and a value
of the wrong type is refused, so that a typing error never trains the wrong model.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nucleate.errors import NucleateError

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class ConfigSection(BaseModel):
    """A table of settings. Values must have exactly the declared types, except that an integer may stand for a
    float."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """The section from a table of values, such as TOML gives. Raises NucleateError that names the wrong key."""
        try:
            return cls.parsed(values)
        except ValidationError as error:
            raise NucleateError(complaint(cls, error)) from None

    @classmethod
    def parsed(cls, values: Mapping[str, Any]) -> Self:
        """As `read`, but raises pydantic's own ValidationError."""
        # In JSON mode pydantic takes a list for a tuple and 1 for 1.0, and is strict otherwise.
        return cls.model_validate_json(json.dumps(values, default=str))

    def changed(self, **values: Any) -> Self:
        """A copy with some values replaced. A mapping for the name of an inner section replaces only the values that it
        names there. Raises NucleateError as `read` does."""
        table = self.model_dump()
        for key, value in values.items():
            section: Any = table.get(key)
            value = value.model_dump() if isinstance(value, BaseModel) else value
            joins = isinstance(section, dict) and isinstance(value, Mapping)
            table[key] = {**section, **value} if joins else value
        return self.read(table)


class DataConfig(ConfigSection):
    """Which crystals or formulas a model is trained on."""

    dataset: str = "mp-20"  # what `nucleate.data.prepare` takes: "mp-20", "perov-5+perov-5:val[:3387]", a parquet file
    max_atoms: Count = 20  # crystals (or formulas) with more atoms are left out, and their number is recorded
    exclude: tuple[str, ...] = ()  # datasets whose (reduced) compositions are kept out of training
    frame: Literal["reduced", "canonical", "canonical-reduced"] = "reduced"  # cell and origin (`nucleate.data.frames`)


class TrainConfig(ConfigSection):
    """How a network is optimised."""

    steps: Count = 20_000
    batch_size: Count = 256
    learning_rate: NotNegative = 1e-3
    final_learning_rate: NotNegative = 1e-5
    warmup: Annotated[int, Field(ge=0)] = 500  # steps
    weight_decay: NotNegative = 0.0
    clip: Positive = 1.0  # the largest norm of the gradient
    ema: Share = 0.999  # decay of the running mean of the parameters, which becomes the trained network
    precision: Literal["auto", "float32", "bf16"] = "auto"  # "auto": bf16 where the hardware has instructions for it
    seed: int = 0
    checkpoint_every: Count = 500  # steps
    log_every: Count = 50  # steps


def read_toml(path: str | Path) -> dict[str, Any]:
    """The tables of a TOML file that holds a recipe. Raises NucleateError, with the path, if the file is missing or is
    not TOML."""
    try:
        return tomllib.loads(Path(path).read_text())
    except FileNotFoundError:
        raise NucleateError(f"no recipe at {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NucleateError(f"{path} is not TOML: {error}") from None


def complaint(section: type[BaseModel], error: ValidationError) -> str:
    """What is wrong with the values of a section, in one line: the first of pydantic's errors, where unknown keys come
    before all other errors."""
    found = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")[0]
    path = [str(key) for key in found["loc"]]
    where, kind, context = ".".join(path), found["type"], found.get("ctx", {})
    given = found["input"] if isinstance(found["input"], str | int | float | bool | None) else "a table or a list"
    if kind == "extra_forbidden":
        return f"unknown key '{where}'; known here: {', '.join(sorted(keys_at(section, path[:-1])))}"
    if kind == "missing":
        return f"missing key '{where}'"
    if kind == "too_short":
        return f"'{where}' must not be empty"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return (
            f"'{where}' must be one of {context['expected'].replace(' or ', ', ').replace(chr(39), '')}, not {given!r}"
        )
    bounds = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    for key, words in bounds.items():
        if key in context:
            return f"'{where}' must be {words} {context[key]:g}, not {given!r}"
    names = {"int": "int", "float": "float", "string": "str", "bool": "bool", "tuple": "a list", "model": "a table"}
    name = names.get(kind.split("_")[0])
    return f"'{where}' must be {name}, not {found['input']!r}" if name else f"'{where}': {found['msg']}"


def keys_at(section: type[BaseModel], path: list[str]) -> set[str]:
    """The keys of a section, or of the section at a path of keys inside it; empty if there is no such section."""
    inner: Any = section
    for key in path:
        inner = inner.model_fields[key].annotation if key in getattr(inner, "model_fields", {}) else None
    return set(getattr(inner, "model_fields", {}))


def from_dict(cls: type, values: dict[str, Any], where: str = "") -> Any:
    """The dataclass `cls` from a table of values, such as JSON gives. where: the path of keys to the table, for
    messages. Raises NucleateError that names the wrong key."""
    hints = typing.get_type_hints(cls)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise NucleateError(f"unknown key '{where}{unknown[0]}'; known here: {', '.join(sorted(hints))}")
    required = [f.name for f in dataclasses.fields(cls) if _is_required(f) and f.name not in values]
    if required:
        raise NucleateError(f"missing key '{where}{required[0]}'")
    return cls(**{k: _convert(hints[k], v, where + k) for k, v in values.items()})


def _is_required(f: dataclasses.Field) -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING


def _convert(hint: Any, value: Any, where: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, ConfigSection) and isinstance(value, hint):
        return value
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise NucleateError(f"'{where}' must be a table, not {value!r}")
        return from_dict(typing.cast(type, hint), value, where + ".")
    if isinstance(hint, types.GenericAlias) and hint.__origin__ is tuple:
        if not isinstance(value, list | tuple):
            raise NucleateError(f"'{where}' must be a list, not {value!r}")
        return tuple(_convert(hint.__args__[0], v, where) for v in value)
    if isinstance(hint, types.GenericAlias) and hint.__origin__ in (dict, Mapping):
        if not isinstance(value, dict):
            raise NucleateError(f"'{where}' must be a table, not {value!r}")
        kind = hint.__args__[1]
        return value if kind is Any else {k: _convert(kind, v, f"{where}.{k}") for k, v in value.items()}
    if isinstance(hint, types.UnionType):  # X | None
        return None if value is None else _convert(next(a for a in hint.__args__ if a is not type(None)), value, where)
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint:
        raise NucleateError(f"'{where}' must be {hint.__name__}, not {value!r}")
    return value
