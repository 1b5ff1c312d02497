"""Wanted properties: their names, their units, and how users write them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from nucleate.errors import NucleateError

# Short name -> the columns of data sets that have this property
ALIASES: Mapping[str, tuple[str, ...]] = {
    "e_form": ("formation_energy_per_atom", "heat_ref"),
    "energy": ("energy_per_atom",),
    "gap": ("band_gap", "dir_gap"),
    "e_hull": ("e_above_hull",),
}
# Column of a known data set -> unit
UNITS: Mapping[str, str] = {
    **dict.fromkeys(("formation_energy_per_atom", "e_above_hull", "energy_per_atom"), "eV/atom"),
    **dict.fromkeys(("heat_all", "heat_ref"), "eV/atom"),
    **dict.fromkeys(("band_gap", "dir_gap", "ind_gap"), "eV"),
}
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
Range = tuple[float, float]


def parse_property(text: str) -> tuple[str, Range]:
    """ "e_form=-3.2" -> ("e_form", (-3.2, -3.2)); "band_gap=1.0..1.6" -> ("band_gap", (1.0, 1.6)).

    Raises NucleateError for any other text.
    """
    match = re.fullmatch(rf"\s*([A-Za-z_][^=]*?)\s*=\s*({NUMBER})(?:\s*\.\.\s*({NUMBER}))?\s*", text)
    if not match:
        raise NucleateError(f"'{text}' is no wanted property; write e_form=-3.2 or a range, band_gap=1.0..1.6")
    low, high = float(match[2]), float(match[3] or match[2])
    if not math.isfinite(low) or not math.isfinite(high):
        raise NucleateError(f"'{text}': the value must be a finite number")
    if low > high:
        raise NucleateError(f"'{text}': the range runs from {low:g} down to {high:g}; write the smaller value first")
    return match[1], (low, high)


def parse_properties(texts: Iterable[str]) -> dict[str, Range]:
    """Name -> (lowest, highest) value of several texts. Raises NucleateError for two different values of one name."""
    out: dict[str, Range] = {}
    for text in texts:
        name, limits = parse_property(text)
        if name in out and out[name] != limits:
            raise NucleateError(f"two different values are wanted for {name}; give one, or a range")
        out[name] = limits
    return out


def short_name(column: str) -> str:
    """The short name of a column, for tables; the column itself where it has none."""
    return next((name for name, columns in ALIASES.items() if column in columns), column)


def resolve_property(name: str, known: Iterable[str]) -> str | None:
    """The column, of those in `known`, that a name of the user means, or None."""
    known = list(known)
    if name in known:
        return name
    return next((column for column in ALIASES.get(name, ()) if column in known), None)
