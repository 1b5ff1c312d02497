"""A number of which the lowest and the highest value are given."""

from __future__ import annotations

from collections.abc import Mapping

from nucleate.errors import NucleateError

Bounds = tuple[int | None, int | None]  # lowest and highest, both included; None: open


def within(n: int, bounds: Bounds) -> bool:
    """Whether a number lies within bounds."""
    low, high = bounds
    return (low is None or n >= low) and (high is None or n <= high)


def bounds_text(bounds: Bounds, name: str) -> str:
    """ "at most 11 atoms", "5 to 10 atoms"."""
    low, high = bounds
    if low == high:
        return f"{low} {name}"
    if low is None or high is None:
        return f"at most {high} {name}" if low is None else f"at least {low} {name}"
    return f"{low} to {high} {name}"


def units_within(units: int, composition: Mapping[str, int], atoms: Bounds) -> int:
    """The number of formula units nearest to `units` whose atoms lie within lowest and highest, both included; raises
    NucleateError where there is none."""
    low, high = atoms
    size = sum(composition.values())
    most = units if high is None else min(units, high // size)
    found = max(most, 1, -(-(low or 1) // size))
    if high is not None and found * size > high:
        least = "" if low is None else f"{low} to "
        raise NucleateError(f"{least}{high} atoms hold no whole formula units of {size} atoms")
    return found
