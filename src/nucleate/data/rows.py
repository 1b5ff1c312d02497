"""Which rows of a table of crystals can be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.columns import GEOMETRY

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    """The R usable rows of a table, with N atoms in all, as arrays.

    index: (R,), the row numbers in the table. sizes: (R,), atoms in each cell. numbers: (N,), atomic numbers, and frac:
    (N, 3), fractional coordinates, of all crystals one after another. parameters: (R, 6), lengths in angstrom and
    angles in degrees. left_out: reason -> number of rows that cannot be used.
    """

    index: NDArray[np.int64]
    sizes: NDArray[np.int64]
    numbers: NDArray[np.int64]
    frac: NDArray[np.float64]
    parameters: NDArray[np.float64]
    left_out: dict[str, int]


def usable_rows(table: pa.Table, max_atoms: int | None = None) -> Rows:
    """The rows with complete and finite geometry, at most `max_atoms` atoms, and not from a split for validation or
    test.

    Each row that is left out is counted under the first reason that applies.
    """
    n = table.num_rows
    good = np.ones(n, dtype=bool)
    left_out: dict[str, int] = {}

    def keep(condition: NDArray[np.bool_], reason: str) -> None:
        bad = good & ~condition
        if bad.any():
            left_out[reason] = int(bad.sum())
        good[bad] = False

    sizes = _lengths(table, "atomic_numbers")
    complete = np.ones(n, dtype=bool)
    for column in GEOMETRY:
        complete &= _lengths(table, column) > 0
    keep(complete, "without coordinates")
    shaped = (
        (_lengths(table, "frac_coords") == 3 * sizes)
        & (_lengths(table, "lengths") == 3)
        & (_lengths(table, "angles") == 3)
    )
    keep(shaped, "with lists of the wrong length")
    for column, words in (("coords_source", ("cdvae_val", "cdvae_test")), ("mp20_split", ("val", "test"))):
        if column in table.column_names:
            values = table.column(column).to_pylist()
            held = [v is not None and any(w in v for w in words) for v in values]
            keep(~np.array(held, dtype=bool), "known from a val or test split")
    if max_atoms is not None:
        keep(sizes <= max_atoms, f"with more than {max_atoms} atoms")

    index = np.flatnonzero(good)
    chosen = table.select(list(GEOMETRY)).take(index)
    numbers, frac = _flat(chosen, "atomic_numbers"), _flat(chosen, "frac_coords").reshape(-1, 3)
    cell = np.concatenate([_flat(chosen, c).reshape(-1, 3) for c in ("lengths", "angles")], 1)
    sizes = sizes[index]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    fine = np.isfinite(cell).all(1) & (cell > 0).all(1) & (cell[:, 3:] < 180).all(1)
    if len(index):
        fine &= np.logical_and.reduceat(np.isfinite(frac).all(1), starts)
        fine &= np.logical_and.reduceat((numbers >= 1) & (numbers <= 118), starts)
    mask = np.ones(n, dtype=bool)
    mask[index] = fine
    keep(mask, "with an impossible cell, coordinate or element")
    atoms = np.repeat(fine, sizes)
    return Rows(index[fine], sizes[fine], numbers[atoms].astype(np.int64), frac[atoms], cell[fine], left_out)


def _lengths(table: pa.Table, column: str) -> NDArray[np.int64]:
    import pyarrow.compute as pc

    return pc.fill_null(pc.list_value_length(table.column(column)), 0).to_numpy().astype(np.int64)


def _flat(table: pa.Table, column: str) -> NDArray[np.float64]:
    import pyarrow.compute as pc

    values = pc.list_flatten(table.column(column)).to_numpy()
    return np.asarray(values, dtype=np.float64)
