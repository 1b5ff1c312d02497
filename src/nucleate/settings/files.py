"""Settings in TOML files: what `--show-config` prints and `--config` reads."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from nucleate.errors import NucleateError
from nucleate.settings.base import Settings, entries, read_settings

S = TypeVar("S", bound=Settings)
LIST = re.compile(r"\[\n((?:[ ]+[^\[\]\n]+,\n)+)[ ]*\]")  # of plain values, as tomli_w breaks it into lines


def read_settings_file(
    path: str | Path, cls: type[S], command: str, task: Collection[str] = ()
) -> tuple[S, dict[str, Any]]:
    """The settings in a file, and what else of it is the task of the command.

    command: what runs the file, for messages, such as "nucleate design". task: keys beside those of the settings, which
    say what the command works on, such as "request". Raises NucleateError, which names the file and the key, for what
    is neither.
    """
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NucleateError(f"there is no file {path}; {command} ... --show-config > {path} writes one") from None
    except IsADirectoryError:
        raise NucleateError(f"{path} is a folder; nucleate show {path} --config prints the file of its run") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NucleateError(f"{path} is no TOML file: {error}") from None
    given = {key: values.pop(key) for key in task if key in values}
    known = [f.name for f in dataclasses.fields(cls)]
    try:
        if unknown := [name for name in values if name not in known]:
            raise NucleateError(f"unknown key '{unknown[0]}'; the keys are {', '.join((*task, *known))}")
        return read_settings(cls, values), given
    except NucleateError as error:
        raise NucleateError(f"{path}: {error}") from None


def settings_text(settings: Settings, command: str, task: Mapping[str, Any]) -> str:
    """The TOML that `read_settings_file` reads back, with a comment for each setting; without the secrets that an
    address may hold."""
    recorded = settings.recorded()
    lines = [f"# {command} --config FILE runs this; what is left out has its default."]
    lines += [toml_line(key, value) for key, value in task.items() if not isinstance(value, Mapping)]
    tables = {key: value for key, value in task.items() if isinstance(value, Mapping)}
    every = list(entries(type(settings)))
    for entry in every:
        if len(entry.path) == 1:
            lines += _commented(entry.path[-1], recorded[entry.path[0]], entry.about)
    lines += [f"\n{_dumped({key: value})}" for key, value in tables.items()]
    section = ""
    for entry in every:
        if len(entry.path) == 1:
            continue
        if entry.path[0] != section:
            section = entry.path[0]
            lines += ["", f"[{section}]"]
        value: Any = recorded
        for name in entry.path:
            value = value[name]
        lines += _commented(entry.path[-1], value, entry.about)
    return "\n".join(lines) + "\n"


def _commented(name: str, value: Any, about: Any) -> list[str]:
    """What a setting is, and its value."""
    said = f"# {about.text}{f' Unit: {about.unit}.' if about.unit else ''}"
    if value is None:
        return [said, f"# {name} is not given{f': {about.unset}' if about.unset else ''}"]
    return [said, toml_line(name, value)]


def toml_line(name: str, value: Any) -> str:
    """One line of TOML, in which tables and lists are written within the line."""
    if isinstance(value, Mapping):
        return f"{name} = {{ {', '.join(toml_line(k, v) for k, v in value.items())} }}" if value else f"{name} = {{}}"
    return _dumped({name: value})


def _dumped(values: Mapping[str, Any]) -> str:
    import tomli_w

    return LIST.sub(_one_line, tomli_w.dumps(values)).rstrip()


def _one_line(found: re.Match[str]) -> str:
    return f"[{', '.join(part.strip().rstrip(',') for part in found[1].splitlines())}]"
