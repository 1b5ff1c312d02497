"""Energies that no crystal has: a total energy under the name of a formation energy, a number that means "none"."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

# The most negative of the 148,393 crystals of the Materials Project has -5.2 eV/atom (the next -4.6: oxides of thorium
# and rare earths, as fluorides are near it), the least stable +5.7 above its hull.
FORMATION = -6.0  # eV/atom: no formation energy and no distance below a hull lies deeper
# A nucleus with all its electrons: uranium has -7.6e5 eV; programs with pseudopotentials give a part of that.
TOTAL = -1e6  # eV/atom
HIGHEST = 1e3  # eV/atom above the elements or a hull: atoms on top of each other have less
SHOWN = 5  # rows that a message names

LIMITS = {"energy": (TOTAL, -TOTAL), "e_form": (FORMATION, HIGHEST), "e_above_hull": (FORMATION, HIGHEST)}


def absurd(name: str, value: float) -> str:
    """Why nothing real has this energy ("e_above_hull of -1e+09 eV/atom"), "" where it may be.

    name: "energy", "e_form", "e_above_hull", also with "second_" before or "_mp2020" behind; others are never absurd.
    """
    kind = name.removeprefix("second_").removesuffix("_mp2020")
    if kind not in LIMITS:
        return ""
    low, high = LIMITS[kind]
    if math.isfinite(value) and low <= value <= high:
        return ""
    return f"{name} of {value:.6g} eV/atom is no crystal's (between {low:g} and {high:g})"


def is_formation_energy(column: str) -> bool:
    """Whether a column is called a formation energy in eV (per atom): "formation_energy_per_atom", "e_form", "Ef"."""
    plain = re.sub(r"[^a-z]", "", column.lower())
    if re.search(r"mev|kj|kcal|hartree|source|method|uncertain|error", plain):
        return False
    named = "formation" in plain and ("energy" in plain or "enthalpy" in plain or "heat" in plain)
    return named or plain in {"ef", "deltahf", "hform"} or plain.startswith("eform")


def too_negative(columns: Mapping[str, Sequence[float | None]], names: Sequence[str]) -> str:
    """What is wrong with formation energies below -6 eV/atom, in one line; "" where there are none.

    columns: of a table, with a value or None for each row. names: of the rows, for the message.
    """
    for column, values in columns.items():
        if not is_formation_energy(column):
            continue
        low = [i for i, v in enumerate(values) if v is not None and v < FORMATION]
        if low:
            rows = ", ".join(f"{i + 1} ({names[i]}: {values[i]:.4g})" for i in low[:SHOWN])
            more = f" and {len(low) - SHOWN} more" if len(low) > SHOWN else ""
            return (
                f"column '{column}' has formation energies below {FORMATION:g} eV/atom, which no crystal has, in row "
                f"{rows}{more}: total energies, or energies of a whole cell? Give eV per atom relative to the elements "
                "or name the column otherwise (energy_per_atom)"
            )
    return ""
