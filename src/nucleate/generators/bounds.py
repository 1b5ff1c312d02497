"""Numbers of which only a lowest and a highest value are given."""

from __future__ import annotations

from collections.abc import Mapping

from nucleate.errors import NucleateError

Bounds = tuple[int | None, int | None]  # lowest and highest, both included; None means no bound


def within(n: int, bounds: Bounds) -> bool:
    """Whether a number lies within bounds."""
    low, high = bounds
    return (low is None or n >= low) and (high is None or n <= high)


def bounds_text(bounds: Bounds, name: str) -> str:
    """The bounds as words, such as "at most 11 atoms" or "5 to 10 atoms"."""
    low, high = bounds
    if low == high:
        return f"{low} {name}"
    if low is None or high is None:
        return f"at most {high} {name}" if low is None else f"at least {low} {name}"
    return f"{low} to {high} {name}"


def units_within(units: int, composition: Mapping[str, int], atoms: Bounds) -> int:
    """The number of formula units closest to `units` for which the number of atoms lies within the bounds `atoms`.

    composition: of one formula unit. Raises NucleateError where there is none.
    """
    low, high = atoms
    size = sum(composition.values())
    at_most = units if high is None else min(units, high // size)
    found = max(at_most, 1, -(-(low or 1) // size))
    if high is not None and found * size > high:
        from_low = "" if low is None else f"{low} to "
        raise NucleateError(f"{from_low}{high} atoms hold no whole formula units of {size} atoms")
    return found
