"""Finds energies that no crystal can have, for instance total energies in a column of formation energies, or a number
such as -999 that stands for a missing value."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

# Of the 148,393 crystals of the Materials Project the lowest formation energy is -5.2 eV/atom (the next is -4.6), and
# the largest energy above the hull 5.7 eV/atom.
FORMATION = -6.0  # eV/atom; no formation energy, and no energy above the hull, is lower
# The total energy of an atom with all its electrons is largest for uranium, -7.6e5 eV; with pseudopotentials programs
# give only a part of it.
TOTAL = -1e6  # eV/atom
HIGHEST = 1e3  # eV/atom above the elements or the hull; even overlapping atoms have less
SHOWN = 5  # the number of rows that a message lists

LIMITS = {"energy": (TOTAL, -TOTAL), "e_form": (FORMATION, HIGHEST), "e_above_hull": (FORMATION, HIGHEST)}


def why_impossible(name: str, value: float) -> str:
    """Why no crystal can have this energy (in eV/atom), or "" if one may have it.

    name: "energy", "e_form" or "e_above_hull", also with the prefix "second_" or the suffix "_mp2020"; for other names
    the answer is always "".
    """
    kind = name.removeprefix("second_").removesuffix("_mp2020")
    if kind not in LIMITS:
        return ""
    low, high = LIMITS[kind]
    if math.isfinite(value) and low <= value <= high:
        return ""
    return f"{name} of {value:.6g} eV/atom is impossible for a crystal (it must be between {low:g} and {high:g})"


def is_formation_energy(column: str) -> bool:
    """Whether the name of a column says that it has formation energies in eV (per atom): "formation_energy_per_atom",
    "e_form", "Ef"."""
    letters = re.sub(r"[^a-z]", "", column.lower())
    if re.search(r"mev|kj|kcal|hartree|source|method|uncertain|error", letters):
        return False
    named = "formation" in letters and ("energy" in letters or "enthalpy" in letters or "heat" in letters)
    return named or letters in {"ef", "deltahf", "hform"} or letters.startswith("eform")


def impossible_formation_energies(columns: Mapping[str, Sequence[float | None]], names: Sequence[str]) -> str:
    """A message of one line about the first column with formation energies below -6 eV/atom; "" if there is none.

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
                f"{rows}{more}; are these total energies, or energies of a whole cell? Give eV per atom relative to "
                "the elements, or give the column another name (energy_per_atom)"
            )
    return ""
