"""Formulas of the library that no fit has seen: one part for validation, one for tests."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Literal

import numpy as np

from nucleate.library.library import Library, load_library

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.library.table import LibraryTable

Part = Literal["validation", "test"]
PARTS = 40  # one in forty formulas is in each of the two
SPLITS = "mp-20:val,test"  # of the benchmark, which no fit has seen either


def library_for_fits() -> Library:
    """The library that comes with nucleate as fits see it: without the crystals of MP-20's validation and test splits,
    those like them, and all of the formulas kept for validation and tests."""
    whole = load_library()
    numbers = whole.table.formula_numbers
    parts: tuple[Part, Part] = ("validation", "test")
    kept = np.concatenate([held_out_formulas(whole.table, part) for part in parts])
    rows = np.flatnonzero(np.isin(numbers, kept))
    return load_library(hide=[SPLITS]).without(rows.tolist(), "formulas kept for validation and tests")


def held_out_formulas(table: LibraryTable, part: Part) -> NDArray[np.int64]:
    """The numbers (`LibraryTable.formula_numbers`) of the formulas of a part, in order. A formula is in the same part
    in every library: a checksum of it decides."""
    numbers, firsts = np.unique(table.formula_numbers, return_index=True)
    wanted = {"test": 0, "validation": 1}[part]
    chosen = [
        zlib.crc32(_text(table.elements[row], table.reduced[row]).encode()) % PARTS == wanted for row in firsts.tolist()
    ]
    return numbers[chosen].astype(np.int64)


def _text(elements: NDArray[np.uint8], reduced: NDArray[np.uint8]) -> str:
    """Atomic numbers in order, each with its number of atoms."""
    pairs = sorted((z, n) for z, n in zip(elements.tolist(), reduced.tolist(), strict=True) if z)
    return " ".join(f"{z}:{n}" for z, n in pairs)
