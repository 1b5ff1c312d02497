"""Values of VASP's tags, from the texts in INCAR, vasprun.xml and OUTCAR."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping

UNSET = ("", "--", "NONE")


def tag_word(settings: Mapping[str, str], tag: str) -> str:
    """The value of a tag in capitals; "" where the tag is not set."""
    parts = settings.get(tag, "").strip(" '\"").upper().split()
    return parts[0] if parts and parts[0] not in UNSET else ""


def tag_is_on(settings: Mapping[str, str], tag: str) -> bool:
    """Whether the value of a tag is .TRUE."""
    return tag_word(settings, tag).strip(".").startswith("T")


def tag_number(settings: Mapping[str, str], tag: str, default: float) -> float:
    """The first number of a tag; the default where there is none."""
    found = tag_numbers(settings, tag)
    return found[0] if found and math.isfinite(found[0]) else default


def tag_integer(settings: Mapping[str, str], tag: str, default: int) -> int:
    """The first number of a tag as an integer; the default where there is none."""
    return int(tag_number(settings, tag, default))


def tag_numbers(settings: Mapping[str, str], tag: str) -> list[float]:
    """All numbers of a tag; NaN for an entry that is no number."""
    return [to_number(x) for x in settings.get(tag, "").split()]


def to_number(text: str) -> float:
    """A number as VASP prints it; NaN for stars and everything else that is no number."""
    with contextlib.suppress(ValueError):
        return float(text.replace("D", "E").replace("d", "e")) if "_" not in text else math.nan
    return math.nan


def merged_tags(incar: Mapping[str, str], parameters: Mapping[str, str]) -> dict[str, str]:
    """The values of `parameters` (what VASP used), and those of INCAR for tags that have no value there.

    A switch that either of them turns on is on, so that such a run is never taken for one without it.
    """
    out = dict(parameters)
    for tag, value in incar.items():
        if not tag_word(out, tag) or tag_is_on(incar, tag):
            out[tag] = value
    return out
