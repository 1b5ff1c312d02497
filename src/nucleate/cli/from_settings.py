"""Options made from classes of settings: a field is an option, with no further line."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Literal

import typer

from nucleate.settings.base import Settings, SettingsValue, WrongValueError, entries

GIVEN = "given"  # the parameter of a command that takes what its options from settings said


def with_settings(
    cls: type[Settings],
    *,
    only: Collection[str] = (),
    without: Collection[str] = (),
    names: Mapping[str, str] | None = None,
    **defaults: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator of commands: an option for each value in settings, and the parameter `given`, which gets those that
    the command line has, by the names that `Settings.of` takes. A wrong value is refused with the name of its option.

    only, without: the values that become options, by these names; default: all. names: of options that are called
    otherwise in this command. defaults: what the command takes where nothing is given, for the help alone; the command
    passes it on.
    """
    chosen = [e for e in entries(cls) if (not only or e.key in only) and e.key not in without]
    called = {e.key: (names or {}).get(e.key, e.key) for e in chosen}

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != GIVEN]
        added = [_parameter(e, called[e.key], defaults.get(e.key, e.default)) for e in chosen]

        @functools.wraps(command)
        def run(**values: Any) -> Any:
            found = {key: values.pop(name) for key, name in called.items()}
            given = {key: value for key, value in found.items() if value is not None}
            try:
                return command(**values, given=given)
            except WrongValueError as error:
                if error.key not in given:
                    raise
                raise error.named(_flag(called[error.key])) from None

        run.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*own, *added)}
        return run

    return decorate


def _parameter(entry: SettingsValue, name: str, default: Any) -> inspect.Parameter:
    """A parameter of a command, None where its option is not given."""
    about, kind, flag = entry.about, _plain(entry.kind), _flag(name)
    if kind is bool:
        flag += f"/{_flag(about.off or f'no-{name}')}"
    panel = about.panel or entry.owner.PANEL or None
    flags = (flag, about.short) if about.short else (flag,)
    option = typer.Option(*flags, help=_help(entry, default), show_default=False, rich_help_panel=panel)
    annotation = Annotated[kind | None, option]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _plain(kind: Any) -> Any:
    """The type that a word of the command line becomes; its limits and choices are checked by the settings."""
    if hasattr(kind, "__metadata__"):
        return _plain(kind.__origin__)
    if typing.get_origin(kind) is Literal:
        return type(typing.get_args(kind)[0])
    if isinstance(kind, types.UnionType):
        return _plain(next(a for a in kind.__args__ if a is not type(None)))
    return kind


def _help(entry: SettingsValue, default: Any) -> str:
    about = entry.about
    text = f"{about.text} Unit: {about.unit}." if about.unit else about.text
    if default in ("", None):
        return f"{text} Default: {about.unset}." if about.unset else text
    if isinstance(default, bool):
        named = entry.key if default else about.off or f"no-{entry.key}"
        return f"{text} Default: {_flag(named)}."
    return f"{text} Default: {default}."
