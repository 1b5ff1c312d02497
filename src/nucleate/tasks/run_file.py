"""One TOML file that is a whole run: its request and its settings, to be written, edited and run again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from nucleate.errors import NucleateError
from nucleate.request.parse import parse_request
from nucleate.request.request import Request, read_request
from nucleate.settings.base import Settings
from nucleate.settings.files import read_settings_file, settings_text

S = TypeVar("S", bound=Settings)
REQUEST, WORDS = "request", "words"
BOUNDED = "num_atoms", "num_elements"  # of a request, numbers or bounds


def read_run_file(path: str | Path, cls: type[S], command: str) -> tuple[Request | None, S]:
    """The request, None where the file has none, and the settings of a run of `command`, such as "nucleate design".

    [request] holds `words`, such as "SrTiO3, 5 candidates", or the fields of a `Request` as `run_file_text` writes
    them. Raises NucleateError, which names the file and the key, for what is neither.
    """
    settings, task = read_settings_file(path, cls, command, [REQUEST])
    return read_task(str(path), task[REQUEST]) if REQUEST in task else None, settings


def read_task(path: str, values: Any) -> Request:
    """The request that the table [request] of the file is."""
    try:
        return _request(values)
    except NucleateError as error:
        raise NucleateError(f"{path}: {error}") from None


def _request(values: Any) -> Request:
    if not isinstance(values, Mapping):
        raise NucleateError(f"'{REQUEST}' is a table, not {values!r}")
    known = [f.name for f in dataclasses.fields(Request)]
    if unknown := [name for name in values if name not in (WORDS, *known)]:
        raise NucleateError(f"unknown key '{REQUEST}.{unknown[0]}'; the keys are {', '.join((WORDS, *known))}")
    if WORDS in values:
        if others := [name for name in values if name not in (WORDS, "candidates")]:
            raise NucleateError(
                f"'{REQUEST}.{WORDS}' says what is wanted; say {others[0]} in these words, or leave it out"
            )
        words, number = values[WORDS], values.get("candidates")
        if not isinstance(words, str) or not (number is None or type(number) is int):
            raise NucleateError(f"'{REQUEST}.{WORDS}' is a text, and '{REQUEST}.candidates' a number")
        return parse_request(words, candidates=number)
    ranges = values.get("properties", {})
    if isinstance(ranges, Mapping):
        ranges = {k: (v, v) if isinstance(v, int | float) else v for k, v in ranges.items()}
    bounds = {name: _bounds(name, values[name]) for name in BOUNDED if isinstance(values.get(name), str)}
    try:
        return read_request({"text": "", "candidates": 5, **values, **bounds, "properties": ranges})
    except NucleateError as error:
        raise NucleateError(f"'{REQUEST}': {error}") from None


def _bounds(name: str, text: str) -> tuple[int | None, int | None]:
    low, dots, high = (part.strip() for part in text.partition(".."))
    if not dots or not (low or high) or not all(part == "" or part.isdigit() for part in (low, high)):
        raise NucleateError(
            f"'{REQUEST}.{name}' is a number, or bounds such as '4..20', '4..' and '..20', not '{text}'"
        )
    return (int(low) if low else None, int(high) if high else None)


def run_file_text(request: Request, settings: Settings, command: str) -> str:
    """The TOML of a run, which `read_run_file` reads back; without the secrets that an address may hold."""
    return settings_text(settings, command, {REQUEST: _asked(request)})


def _asked(request: Request) -> dict[str, Any]:
    """The fields of a request that say something, as plain values."""
    empty = Request(request.text, request.candidates)
    kept = {f.name for f in dataclasses.fields(Request) if getattr(request, f.name) != getattr(empty, f.name)}
    values = dataclasses.asdict(request)
    out = {"text": request.text, "candidates": request.candidates, **{k: _plain(values[k]) for k in sorted(kept)}}
    for name in BOUNDED:
        if isinstance(bounds := getattr(request, name), tuple):
            out[name] = "..".join("" if n is None else str(n) for n in bounds)
    return out


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
