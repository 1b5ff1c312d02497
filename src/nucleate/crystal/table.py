"""The periodic table as a grid of 9 rows and 18 columns (paper 2, section 2.1), without a chemistry package.

Rows are the periods 1-7, then the lanthanides La-Lu and the actinides Ac-Lr; columns are the groups. The two series,
which have no groups, stand in columns 3-17. Rows and columns count from 0 here.
"""

from __future__ import annotations

from nucleate.errors import NucleateError

ROWS, COLUMNS = 9, 18
_NOBLE = (0, 2, 10, 18, 36, 54, 86, 118)  # how many elements there are up to the end of each period
_SERIES = ((57, 71), (89, 103))  # lanthanides, actinides


def _place(z: int) -> tuple[int, int]:
    for i, (first, last) in enumerate(_SERIES):
        if first <= z <= last:
            return 7 + i, 2 + z - first
    period = next(p for p, end in enumerate(_NOBLE) if z <= end)
    from_left = z - _NOBLE[period - 1] - 1
    if from_left < (1 if period == 1 else 2):  # hydrogen and the s block; all else is counted from the noble gases
        return period - 1, from_left
    return period - 1, COLUMNS - 1 - (_NOBLE[period] - z)


PLACES: tuple[tuple[int, int], ...] = tuple(_place(z) for z in range(1, _NOBLE[-1] + 1))  # of hydrogen, helium, ...
_ELEMENTS = {place: z for z, place in enumerate(PLACES, 1)}


def place(atomic_number: int) -> tuple[int, int]:
    """(row, column) of an element, 0-based; raises NucleateError for what is not 1-118."""
    if not 1 <= atomic_number <= len(PLACES):
        raise NucleateError(f"there is no element with atomic number {atomic_number}; there are 1 to {len(PLACES)}")
    return PLACES[atomic_number - 1]


def element_at(row: int, column: int) -> int | None:
    """The atomic number at a place, 0-based, or None where the table is empty; NucleateError outside the grid."""
    if not (0 <= row < ROWS and 0 <= column < COLUMNS):
        raise NucleateError(f"({row}, {column}) is no place: rows are 0 to {ROWS - 1}, columns 0 to {COLUMNS - 1}")
    return _ELEMENTS.get((row, column))
