"""The table at the end of both pages: settings, methods, and the versions of what was used."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from nucleate.report.markup import duration

PACKAGES = ("nucleate", "torch", "numpy", "pymatgen", "ase", "chgnet", "sevenn", "smact", "moyopy")


def facts(
    settings: Mapping[str, Any], seconds: Mapping[str, float], more: Sequence[tuple[str, str]] = ()
) -> list[tuple[str, str]]:
    """(name, text): the settings that have a value, `more` where they do not name it, the time in all, the versions of
    Python and the packages."""
    rows = dict(_flatten(settings))
    for key, text in more:
        rows.setdefault(key, text)
    if seconds:
        rows["time in all"] = duration(sum(seconds.values()))
    rows["Python"] = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    for package in PACKAGES:
        try:
            rows[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return list(rows.items())


def _flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for k, v in values.items():
        if isinstance(v, Mapping):
            out += _flatten(v, f"{prefix}{k}.")
        elif v is not None:
            out.append((f"{prefix}{k}", v if isinstance(v, str) else json.dumps(v, default=str)))
    return out
