"""Options made from classes of settings, where a field is an option with no further line, and files of settings:
`--show-config` prints one, which is edited and run again by `--config`."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from nucleate.settings.base import Settings, SettingsValue, WrongValueError, entries

if TYPE_CHECKING:
    from nucleate.request.request import Request

S = TypeVar("S", bound=Settings)
GIVEN = "given"  # the parameter of a command that takes what its options from settings said


def with_settings(
    cls: type[Settings],
    *,
    without: Collection[str] = (),
    names: Mapping[str, str] | None = None,
    texts: Mapping[str, str] | None = None,
    **defaults: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator of commands: an option for each value in settings, and the parameter `given`, which gets those that
    the command line has, by the names that `Settings.of` takes. The help shows them where this parameter stands. A
    wrong value is refused with the name of its option.

    without: values that become no options, by these names. names: of options that are called otherwise in this command.
    texts: of their help, where those of the fields say too little. defaults: what the command takes where nothing is
    given, for the help alone; the command passes it on.
    """
    chosen = [e for e in entries(cls) if e.key not in without]
    called = {e.key: (names or {}).get(e.key, e.key) for e in chosen}

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())
        place = [p.name for p in own].index(GIVEN)
        added = [_parameter(e, called[e.key], _help(e, (texts or {}).get(e.key), defaults)) for e in chosen]

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

        parameters = [*own[:place], *added, *own[place + 1 :]]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


def _parameter(entry: SettingsValue, name: str, help_text: str) -> inspect.Parameter:
    """A parameter of a command, None where its option is not given."""
    about, kind, flag = entry.about, _plain(entry.kind), _flag(name)
    if kind is bool:
        flag += f"/{_flag(about.off or f'no-{name}')}"
    panel = about.panel or entry.owner.PANEL or None
    flags = (flag, about.short) if about.short else (flag,)
    option = typer.Option(*flags, help=help_text, show_default=False, rich_help_panel=panel)
    annotation = Annotated[kind | None, option]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _switch(entry: SettingsValue, value: bool) -> str:
    """The option that gives a boolean setting this value."""
    return _flag(entry.key if value else entry.about.off or f"no-{entry.key}")


def _plain(kind: Any) -> Any:
    """The type that a word of the command line becomes; its limits and choices are checked by the settings."""
    if hasattr(kind, "__metadata__"):
        return _plain(kind.__origin__)
    if typing.get_origin(kind) is tuple:  # of any length: the option may be given repeatedly
        return list[_plain(typing.get_args(kind)[0])]  # type: ignore[misc]
    if typing.get_origin(kind) is Literal:
        return type(typing.get_args(kind)[0])
    if isinstance(kind, types.UnionType):
        return _plain(next(a for a in kind.__args__ if a is not type(None)))
    return kind


def _help(entry: SettingsValue, text: str | None, defaults: Mapping[str, Any]) -> str:
    """What an option is, its unit, and what holds where it is not given."""
    about, default = entry.about, defaults.get(entry.key, entry.default)
    text = text or about.text
    text = f"{text} Unit: {about.unit}." if about.unit else text
    if default in ("", None, ()):
        return f"{text} Default: {about.unset}." if about.unset else text
    if isinstance(default, bool):
        return f"{text} Default: {_switch(entry, default)}."
    return f"{text} Default: {default}."


Config = Annotated[
    Path | None,
    typer.Option(help="Take everything that --show-config prints from this TOML file; options beside it win."),
]
ShowConfig = Annotated[
    bool,
    typer.Option("--show-config", help="Print what is asked for and all settings as a TOML file, and run nothing."),
]


def settings_from(
    config: Path | None,
    cls: type[S],
    command: str,
    given: Mapping[str, Any],
    task: Collection[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> tuple[S, dict[str, Any]]:
    """The settings, from the file if there is one, where options that are given win, which is said; and what the file
    holds under the keys of the task (`settings.files`).

    defaults: values that the command has in place of those of the class, where there is no file.
    """
    from nucleate.cli.tables import output_console
    from nucleate.settings.files import read_settings_file

    if config is None:
        return cls.of(**{**(defaults or {}), **given}), {}
    settings, found = read_settings_file(config, cls, command, task)
    before = settings.flat()
    for entry in entries(cls):
        value = given.get(entry.key, before[entry.key])
        if value != before[entry.key]:
            option = _switch(entry, value) if isinstance(value, bool) else f"{_flag(entry.key)} {value}"
            say = f"{option} in place of {before[entry.key]!r} in {config}"
            output_console(stderr=True).print(say, soft_wrap=True)
    return settings.replaced(**given), found


def request_from(
    config: Path | None,
    cls: type[S],
    command: str,
    given: Mapping[str, Any],
    asked: Mapping[str, Any],
    candidates: int | None,
    number: str = "candidates",
) -> tuple[Request | None, S]:
    """The same for a command that works on a request: the request of the file, None where there is none.

    asked: the argument and options of a request, which contradict a file with a request where they are not empty.
    candidates: the number that is given, which wins; number: the name of its option.
    """
    from nucleate.cli.tables import output_console
    from nucleate.errors import NucleateError
    from nucleate.tasks.run_file import REQUEST, read_task

    settings, found = settings_from(config, cls, command, given, [REQUEST])
    if REQUEST not in found:
        return None, settings
    if others := [name for name, value in asked.items() if value]:
        option = "a request" if others[0] == "request" else _flag(others[0])
        raise NucleateError(f"{config} has a [request]; leave {option} out, or take [request] out of the file")
    wanted = read_task(str(config), found[REQUEST])
    if candidates is not None and candidates != wanted.candidates:
        say = f"{_flag(number)} {candidates} in place of {wanted.candidates} in {config}"
        output_console(stderr=True).print(say, soft_wrap=True)
        wanted = _with_count(wanted, candidates)
    return wanted, settings


def _with_count(wanted: Request, candidates: int) -> Request:
    """The request for another number of crystals; raises NucleateError for one that cannot be made."""
    from nucleate.request.parse import parse_request

    return dataclasses.replace(wanted, candidates=parse_request("anything", candidates=candidates).candidates)
