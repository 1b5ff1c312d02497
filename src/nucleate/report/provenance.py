"""The table at the end of reports: settings, methods, and versions of the software."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from nucleate.report.markup import duration_text

PACKAGES = ("nucleate", "torch", "numpy", "pymatgen", "ase", "chgnet", "sevenn", "smact", "moyopy")


def provenance_rows(
    settings: Mapping[str, Any], seconds: Mapping[str, float], more: Sequence[tuple[str, str]] = ()
) -> list[tuple[str, str]]:
    """The rows (name, text) of the table: settings that have a value, total time, versions of Python and of packages.

    seconds: by stage. more: further rows, which give way to settings of the same name.
    """
    rows = dict(_flatten(settings))
    for key, text in more:
        rows.setdefault(key, text)
    if seconds:
        rows["time in all"] = duration_text(sum(seconds.values()))
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
