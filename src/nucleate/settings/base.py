"""Classes of settings: documented fields, checked values, sections within sections, and a flat way to write them."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, TypeVar

from nucleate.errors import NucleateError

S = TypeVar("S", bound="Settings")


@dataclass(frozen=True)
class About:
    """What is said of a field of settings, in its annotation: `Annotated[int, Ge(0), About("...")]`.

    text: what it is; the help text of its option. unit: of its value. name: of its option and in `Settings.of`, where
    that is not the name of the field. short: a second name of the option, such as "-n". off: of a boolean option, its
    name for "no", where that is not "no-" and its name. panel: the heading under which the help of a command shows it,
    where that is not the `PANEL` of its class. unset: what holds where there is no value, for the help. names: of what
    the value is a name, as `search.names.require_names` has it, empty where it is none. words: what may stand in place
    of such a name.
    """

    text: str
    unit: str = ""
    name: str = ""
    short: str = ""
    off: str = ""
    panel: str = ""
    unset: str = ""
    names: str = ""
    words: tuple[str, ...] = ()


class WrongValueError(NucleateError):
    """A setting has a value that it cannot have. The message names the setting as whoever gave the value wrote it:
    as an argument in Python, as a key in a file, as an option on the command line.

    path: the fields that lead to the setting, of the class that was made last. complaint: the message without the name.
    key: the name of the setting in `Settings.of`, empty where it was not given by that name.
    """

    def __init__(self, path: tuple[str, ...], complaint: str, name: str, key: str = "") -> None:
        super().__init__(f"{name} {complaint}")
        self.path, self.complaint, self.name, self.key = path, complaint, name, key

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.complaint, self.name, self.key)  # so that it can come from another process

    def named(self, name: str) -> WrongValueError:
        """The same, with another name of the setting in the message."""
        return WrongValueError(self.path, self.complaint, name, self.key)


def section(cls: type[S], **defaults: Any) -> Any:
    """A field that is itself a class of settings, with defaults of its own where they are given."""
    return dataclasses.field(default_factory=lambda: cls(**defaults), metadata={"defaults": defaults})


@dataclass(frozen=True)
class SettingsValue:
    """One value somewhere in settings. path: of fields that lead to it. key: its name among all of them, which is
    also that of its option, with underscores."""

    path: tuple[str, ...]
    key: str
    kind: Any
    about: About
    default: Any
    owner: type[Settings]

    @property
    def place(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True)
class Settings:
    """Base of all settings: values are checked when they are made, and cannot be changed (`replaced` makes others)."""

    # names that fields had in earlier versions -> where they are now
    FORMER: ClassVar[Mapping[str, str]] = {}
    # the heading under which the help of a command shows the options made from this class
    PANEL: ClassVar[str] = ""

    def __new__(cls, *args: Any, **named: Any) -> Any:
        own = {f.name for f in dataclasses.fields(cls)}
        for name in named:
            if name not in own:
                raise NucleateError(_stranger(cls, name))
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            object.__setattr__(self, f.name, _checked(type(self), f.name, getattr(self, f.name)))

    @classmethod
    def of(cls: type[S], **flat: Any) -> S:
        """Settings from the names of their options, wherever in the sections they belong:
        `DesignSettings.of(seed=1, potential="sevennet")`. Raises NucleateError for a name that there is not."""
        sections = {f.name: f.default_factory for f in dataclasses.fields(cls) if "defaults" in f.metadata}
        found: dict[str, Any] = {}
        with _named_by_keys(cls):
            for name, value in _placed(cls, flat).items():
                make: Any = sections.get(name)
                found[name] = _merged(make(), value, (name,)) if make else value
            return cls(**found)

    def replaced(self: S, **flat: Any) -> S:
        """These settings with other values, by the names that `of` takes."""
        with _named_by_keys(type(self)):
            return _merged(self, _placed(type(self), flat))

    def flat(self) -> dict[str, Any]:
        """All values by the names that `of` takes."""
        out = {}
        for entry in entries(type(self)):
            value: Any = self
            for name in entry.path:
                value = getattr(value, name)
            out[entry.key] = value
        return out

    def plain(self) -> dict[str, Any]:
        """Plain values, nested as the sections are, which `read_settings` reads."""
        return dataclasses.asdict(self)

    def recorded(self) -> dict[str, Any]:
        """The same for a file, without secrets."""
        return self.plain()


def _placed(cls: type[Settings], flat: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the names of options, nested as the sections are."""
    known = {entry.key: entry for entry in entries(cls)}
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        if key not in known:
            raise NucleateError(_stranger(cls, key))
        inner = tree
        for name in known[key].path[:-1]:
            inner = inner.setdefault(name, {})
        inner[known[key].path[-1]] = value
    return tree


def _merged(settings: S, tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> S:
    changes = {}
    for name, value in tree.items():
        inner: Any = getattr(settings, name)
        changes[name] = _merged(inner, value, (*path, name)) if isinstance(inner, Settings) else value
    try:
        return dataclasses.replace(settings, **changes)
    except WrongValueError as error:
        raise WrongValueError((*path, *error.path), error.complaint, error.path[-1]) from None


@contextmanager
def _named_by_keys(cls: type[Settings]) -> Iterator[None]:
    """A setting that has a wrong value is named as `Settings.of` takes it."""
    try:
        yield
    except WrongValueError as error:
        key = next((e.key for e in entries(cls) if e.path == error.path), error.path[-1])
        raise WrongValueError(error.path, error.complaint, key, key) from None


def read_settings(cls: type[S], values: Mapping[str, Any], where: str = "") -> S:
    """Settings from plain nested values, such as those of a TOML file; what is not there has its default.

    Raises NucleateError, which names the key and the keys that there are, for one that does not exist, and for a value
    that is none.
    """
    own = {f.name: f for f in dataclasses.fields(cls)}
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name not in own:
            raise NucleateError(f"unknown key '{where}{name}'; {_keys(cls, where)}")
        inner = own[name].default_factory
        if "defaults" in own[name].metadata and callable(inner):
            if not isinstance(value, Mapping):
                raise NucleateError(f"'{where}{name}' is a table of settings, not {value!r}")
            kind = hints(cls)[name]
            found[name] = read_settings(kind, {**own[name].metadata["defaults"], **value}, f"{where}{name}.")
        else:
            found[name] = tuple(value) if isinstance(value, list) else value
    missing = [f.name for f in own.values() if _default(f) is dataclasses.MISSING and f.name not in found]
    if missing:
        raise NucleateError(f"the key '{where}{missing[0]}' is missing")
    try:
        return cls(**found)
    except WrongValueError as error:
        raise error.named(f"'{where}{error.path[-1]}'") from None


def _keys(cls: type[Settings], where: str) -> str:
    names = ", ".join(f.name for f in dataclasses.fields(cls))
    return f"the keys {f'of [{where[:-1]}]' if where else 'here'} are {names}"


def entries(cls: type[Settings], path: tuple[str, ...] = (), **defaults: Any) -> Iterator[SettingsValue]:
    """All values in a class of settings, section by section."""
    for f in dataclasses.fields(cls):
        kind = hints(cls)[f.name]
        if "defaults" in f.metadata:
            yield from entries(kind, (*path, f.name), **f.metadata["defaults"])
            continue
        about = next(a for a in typing.get_args(kind) if isinstance(a, About))
        default = defaults.get(f.name, _default(f))
        yield SettingsValue((*path, f.name), about.name or f.name, kind, about, default, cls)


def _default(f: dataclasses.Field) -> Any:
    if f.default is not dataclasses.MISSING or f.default_factory is dataclasses.MISSING:
        return f.default
    return None if "defaults" in f.metadata else f.default_factory()


def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls, include_extras=True)


# the annotations of a class of settings, with what stands beside the types
hints: Callable[[type], dict[str, Any]] = cache(_hints)


def _stranger(cls: type[Settings], name: str) -> str:
    """What is said of a name that the class has not, and where what was meant is."""
    known = {entry.key: entry for entry in entries(cls)}
    if place := cls.FORMER.get(name):
        key = next((e.key for e in known.values() if e.place == place), name)
        return f"{cls.__name__} has {place} in place of '{name}'; write {cls.__name__}.of({key}=...)"
    if name in known:
        return f"{cls.__name__} has '{name}' as {known[name].place}; write {cls.__name__}.of({name}=...)"
    return f"{cls.__name__} has no '{name}'; there are {', '.join(known)}"


def _checked(cls: type[Settings], name: str, value: Any) -> Any:
    from pydantic import ValidationError

    kind = hints(cls)[name]
    if isinstance(kind, type) and issubclass(kind, Settings):
        if not isinstance(value, kind):
            raise NucleateError(f"{name} must be {kind.__name__}, not {value!r}")
        return value
    try:
        return _adapter(cls, name).validate_python(value, strict=not isinstance(value, list | tuple | Mapping))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        inner = ".".join(map(str, first["loc"]))
        complaint = f"{f'({inner}) ' if inner else ''}{_complaint(first)}, not {first['input']!r}"
        raise WrongValueError((name,), complaint, name) from None


def _make_adapter(cls: type, name: str) -> Any:
    from pydantic import ConfigDict, TypeAdapter

    return TypeAdapter(hints(cls)[name], config=ConfigDict(allow_inf_nan=False))


_adapter: Callable[[type, str], Any] = cache(_make_adapter)


LIMITS = {"ge": "at least", "gt": "greater than", "le": "at most", "lt": "less than"}


def _complaint(error: Any) -> str:
    """What a value must be, after pydantic's finding."""
    context = error.get("ctx", {})
    for key, words in LIMITS.items():
        if key in context:
            return f"must be {words} {context[key]:g}"
    if "expected" in context:
        choices = context["expected"].replace(" or ", ", ").replace("'", "")
        return f"must be one of {choices.removeprefix(', ')}"
    message = str(error["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")
    return f"must be {message}"
