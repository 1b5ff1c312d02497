"""The geometry of a crystal as few whole numbers, of which the parquet file of a library keeps lists.

Lengths of the cell are in steps of 0.001 angstrom, angles of 0.01 degree. A free coordinate is a share of its period in
so many equal steps that one is at most 0.002 angstrom long, and 0.004 in crystals of many coordinates; their number is
a multiple of 24, so that coordinates such as 1/3 and 5/8 stay exact. It follows from the whole numbers of the cell
alone, hence it is the same on every machine.

A crystal whose coordinates are near to those of another one with the same sites (its model) keeps the differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.wyckoff import get_space_group

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]

LENGTH = 1000  # steps in an angstrom
ANGLE = 100  # steps in a degree
STEP = 2  # thousandths of an angstrom: a coordinate is off by at most half of it
MANY = 48  # free coordinates; crystals that have more take steps of twice the length
MOST_STEPS = 65_520  # of a period, so that they fit into two bytes
# Last space group of a crystal family, and which of a, b, c, alpha, beta, gamma are free
_FREE: tuple[tuple[int, tuple[int, ...]], ...] = (
    (2, (0, 1, 2, 3, 4, 5)), (15, (0, 1, 2, 4)), (74, (0, 1, 2)), (194, (0, 2)), (230, (0,))
)  # fmt: skip


def free_cell_places(space_group: int) -> tuple[int, ...]:
    """Which of a, b, c, alpha, beta, gamma of the conventional cell are free."""
    return next(free for last, free in _FREE if space_group <= last)


def encoded_cell(space_group: int, cell: Sequence[float]) -> list[int]:
    """The free ones of a, b, c in angstrom, alpha, beta, gamma in degrees as whole numbers."""
    return [round(cell[i] * (LENGTH if i < 3 else ANGLE)) for i in free_cell_places(space_group)]


def decoded_cell(space_group: int, values: Sequence[int]) -> tuple[float, ...]:
    """a, b, c in angstrom, alpha, beta, gamma in degrees of the conventional cell, from its whole numbers."""
    lengths = [v / LENGTH for v in _lengths(space_group, values)]
    angles = [90.0, 90.0, 120.0 if 143 <= space_group <= 194 else 90.0]
    for i, value in zip(free_cell_places(space_group), values, strict=True):
        if i >= 3:
            angles[i - 3] = int(value) / ANGLE
    return (*lengths, *angles)


def decoded_volumes(space_group: int, values: NDArray[np.integer]) -> NDArray[np.float64]:
    """Volumes (R,) in cubic angstrom of conventional cells, from their whole numbers (R, F)."""
    lengths = np.stack(_lengths(space_group, values.T), axis=1) / LENGTH
    cosines = np.zeros((3, len(values)))
    if 143 <= space_group <= 194:
        cosines[2] = -0.5
    for i, column in zip(free_cell_places(space_group), values.T, strict=True):
        if i >= 3:
            cosines[i - 3] = np.cos(np.radians(column / ANGLE))
    a, b, g = cosines
    return np.asarray(lengths.prod(1) * np.sqrt(1 + 2 * a * b * g - a * a - b * b - g * g))


def steps_of(space_group: int, cell: Sequence[int], places: Sequence[int]) -> Whole:
    """The number of steps in the period of each free coordinate, site by site.

    cell: the whole numbers of `encoded_cell`. places: of each site the place of its Wyckoff position in its group.
    """
    lengths = np.array(_lengths(space_group, cell))
    axes = _axes(space_group)
    periods = [axes[p] @ lengths for p in places]
    flat = np.concatenate(periods) if periods else np.zeros(0, dtype=np.int64)
    longest = STEP if len(flat) <= MANY else 2 * STEP
    return np.minimum(24 * -(-flat // (24 * longest)), MOST_STEPS)


def encoded_alone(values: Whole, steps: Whole, firsts: Sequence[tuple[int, int]]) -> Whole:
    """Coordinates in steps as whole numbers of the same size, without a model.

    firsts: of `first_coordinates`. Sites of one element and position come sorted by their first coordinate, so the
    difference from the site before is small.
    """
    out = values.copy()
    for at, before in firsts:
        if before >= 0:
            out[at] = (values[at] - values[before]) % steps[at]
    return out


def decoded_alone(encoded: Whole, steps: Whole, firsts: Sequence[tuple[int, int]]) -> Whole:
    """The inverse of `encoded_alone`."""
    out = encoded.copy()
    for at, before in firsts:
        if before >= 0:
            out[at] = (out[at] + out[before]) % steps[at]
    return out


def encoded_by_model(values: Whole, steps: Whole, model: Whole, model_steps: Whole) -> Whole:
    """Coordinates in steps as their differences from those of a model: 0, -1, 1, -2 ... are 0, 1, 2, 3 ..."""
    away = (values - _in_steps(model, model_steps, steps) + steps // 2) % steps - steps // 2
    return np.where(away >= 0, 2 * away, -2 * away - 1)


def decoded_by_model(encoded: Whole, steps: Whole, model: Whole, model_steps: Whole) -> Whole:
    """The inverse of `encoded_by_model`."""
    away = np.where(encoded % 2 == 0, encoded // 2, -(encoded + 1) // 2)
    return (_in_steps(model, model_steps, steps) + away) % steps


def first_coordinates(space_group: int, elements: Sequence[int], places: Sequence[int]) -> list[tuple[int, int]]:
    """Where the first coordinate of each site is among all of them, and that of the site before, -1 where this is of
    another element or position."""
    free = [len(axes) for axes in _axes(space_group)]
    out, at = [], 0
    for _, run in groupby(zip(elements, places, strict=True)):
        before = -1
        for _, place in run:
            if free[place]:
                out.append((at, before))
                before = at
                at += free[place]
    return out


def _in_steps(values: Whole, steps: Whole, other: Whole) -> Whole:
    """Coordinates in steps as the nearest ones in other steps; in whole numbers, so the same on every machine."""
    return (2 * values * other + steps) // (2 * steps) % other


def _lengths(space_group: int, values: Sequence[Any] | NDArray[np.integer]) -> tuple[Any, Any, Any]:
    """a, b, c in thousandths of an angstrom: numbers, or arrays of the same shape."""
    a = values[0]
    if space_group <= 74:
        return a, values[1], values[2]
    return (a, a, values[1]) if space_group <= 194 else (a, a, a)


@cache
def _axes(space_group: int) -> tuple[Whole, ...]:
    """Of each position (d, 3): how often a, b, c make up the way that an atom goes along one period of a coordinate."""
    table = get_space_group(space_group)
    return tuple(np.abs((table.primitive.T @ p.matrices[0]).T).round().astype(np.int64) for p in table.positions)
