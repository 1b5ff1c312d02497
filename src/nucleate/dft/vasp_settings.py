"""Tags of VASP, texts as INCAR, vasprun.xml and OUTCAR give them, as values."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping

UNSET = ("", "--", "NONE")


def word(settings: Mapping[str, str], tag: str) -> str:
    """The value of a tag in capitals; "" where the tag is not set."""
    parts = settings.get(tag, "").strip(" '\"").upper().split()
    return parts[0] if parts and parts[0] not in UNSET else ""


def switched_on(settings: Mapping[str, str], tag: str) -> bool:
    return word(settings, tag).strip(".").startswith("T")


def number(settings: Mapping[str, str], tag: str, default: float) -> float:
    """The first number of a tag; the default where there is none."""
    found = numbers(settings, tag)
    return found[0] if found and math.isfinite(found[0]) else default


def integer(settings: Mapping[str, str], tag: str, default: int) -> int:
    return int(number(settings, tag, default))


def numbers(settings: Mapping[str, str], tag: str) -> list[float]:
    """The numbers of a tag; NaN for each entry that is no number."""
    return [to_number(x) for x in settings.get(tag, "").split()]


def to_number(text: str) -> float:
    """NaN for stars and everything else that is no number."""
    with contextlib.suppress(ValueError):
        return float(text.replace("D", "E").replace("d", "e")) if "_" not in text else math.nan
    return math.nan


def merged(incar: Mapping[str, str], parameters: Mapping[str, str]) -> dict[str, str]:
    """What VASP took (parameters), and of INCAR what is not among these or is not set there.

    A switch that either of them turns on is on: such runs are never taken for plain ones.
    """
    out = dict(parameters)
    for tag, value in incar.items():
        if not word(out, tag) or switched_on(incar, tag):
            out[tag] = value
    return out
