"""One TOML file that is a whole design run: its request and its settings, to be written, edited and run again."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nucleate.errors import NucleateError
from nucleate.request.request import Request, parse_request, read_request
from nucleate.settings import DesignSettings
from nucleate.settings.base import entries, read_settings

REQUEST, WORDS = "request", "words"
LIST = re.compile(r"\[\n((?:[ ]+[^\[\]\n]+,\n)+)[ ]*\]")  # of plain values, as tomli_w breaks it into lines
BOUNDED = "num_atoms", "num_elements"  # of a request, numbers or bounds


def read_run_file(path: str | Path) -> tuple[Request | None, DesignSettings]:
    """The request, None where the file has none, and the settings of a run.

    [request] holds `words`, such as "SrTiO3, 5 candidates", or the fields of a `Request` as `run_file_text` writes
    them. Raises NucleateError, which names the file and the key, for what is neither.
    """
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NucleateError(f"there is no file {path}; nucleate design ... --show-config > {path} writes one") from None
    except IsADirectoryError:
        raise NucleateError(f"{path} is a folder; nucleate show {path} --config prints the file of its run") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NucleateError(f"{path} is no TOML file: {error}") from None
    given = values.pop(REQUEST, None)
    try:
        settings = _settings(values)
        return (None if given is None else _request(given)), settings
    except NucleateError as error:
        raise NucleateError(f"{path}: {error}") from None


def _settings(values: Mapping[str, Any]) -> DesignSettings:
    known = [f.name for f in dataclasses.fields(DesignSettings)]
    if unknown := [name for name in values if name not in known]:
        raise NucleateError(f"unknown key '{unknown[0]}'; the keys are {', '.join((REQUEST, *known))}")
    return read_settings(DesignSettings, values)


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


def run_file_text(request: Request, settings: DesignSettings) -> str:
    """The TOML of a run, which `read_run_file` reads back; without the secrets that an address may hold."""
    import tomli_w

    lines = ["# nucleate design --config FILE runs this; what is left out has its default."]
    recorded = settings.recorded()
    section = ""
    asked = LIST.sub(_one_line, tomli_w.dumps({REQUEST: _asked(request)})).rstrip()
    for entry in entries(DesignSettings):
        value: Any = recorded
        for name in entry.path:
            value = value[name]
        if len(entry.path) > 1 and entry.path[0] != section:
            if not section:
                lines += ["", asked]
            section = entry.path[0]
            lines += ["", f"[{section}]"]
        about = entry.about
        lines.append(f"# {about.text}{f' Unit: {about.unit}.' if about.unit else ''}")
        name = entry.path[-1]
        if value is None:
            lines.append(f"# {name} is not given{f': {about.unset}' if about.unset else ''}")
        else:
            lines.append(tomli_w.dumps({name: value}).rstrip())
    return "\n".join(lines) + "\n"


def _one_line(found: re.Match[str]) -> str:
    return f"[{', '.join(part.strip().rstrip(',') for part in found[1].splitlines())}]"


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
