"""The periodic table as a grid of 9 rows and 18 columns, as in UniMat (Yang et al., arXiv 2311.09235, section 2.1).

Rows are the periods 1-7, then the lanthanides La-Lu and the actinides Ac-Lr; columns are the groups. The lanthanides
and actinides, which have no groups, are in the third to the seventeenth column. Rows and columns are counted from 0.
"""

from __future__ import annotations

from nucleate.errors import NucleateError

ROWS, COLUMNS = 9, 18
_NOBLE = (0, 2, 10, 18, 36, 54, 86, 118)  # the number of elements up to the end of each period
_SERIES = ((57, 71), (89, 103))  # lanthanides, actinides


def _place(z: int) -> tuple[int, int]:
    for i, (first, last) in enumerate(_SERIES):
        if first <= z <= last:
            return 7 + i, 2 + z - first
    period = next(p for p, end in enumerate(_NOBLE) if z <= end)
    from_left = z - _NOBLE[period - 1] - 1
    if from_left < (1 if period == 1 else 2):  # hydrogen and the s block; the others are counted from the noble gas
        return period - 1, from_left
    return period - 1, COLUMNS - 1 - (_NOBLE[period] - z)


# (row, column) of hydrogen, helium, ...
GRID_PLACES: tuple[tuple[int, int], ...] = tuple(_place(z) for z in range(1, _NOBLE[-1] + 1))
_ELEMENTS = {place: z for z, place in enumerate(GRID_PLACES, 1)}


def grid_place(atomic_number: int) -> tuple[int, int]:
    """(row, column) of an element, counted from 0. Raises NucleateError for an atomic number that is not 1-118."""
    if not 1 <= atomic_number <= len(GRID_PLACES):
        raise NucleateError(
            f"there is no element with atomic number {atomic_number}; they go from 1 to {len(GRID_PLACES)}"
        )
    return GRID_PLACES[atomic_number - 1]


def element_at(row: int, column: int) -> int | None:
    """The atomic number in a row and column, counted from 0, or None for an empty place. Raises NucleateError outside
    the grid."""
    if not (0 <= row < ROWS and 0 <= column < COLUMNS):
        raise NucleateError(
            f"({row}, {column}) is outside the grid: rows are 0 to {ROWS - 1}, columns 0 to {COLUMNS - 1}"
        )
    return _ELEMENTS.get((row, column))
