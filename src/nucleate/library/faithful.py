"""The form in which the library keeps a crystal: canonical, and so exact that no atom lies elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.canonical import SYMPRECS, CanonicalCrystal, canonical_of_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_MOVED = 0.008  # angstrom; what rounding adds stays below 0.01


@dataclass(frozen=True)
class FaithfulForm:
    """Canonical forms of one crystal.

    exact: the one to keep, whose atoms lie within MOST_MOVED of those given. near: that within 0.1 angstrom (or within
    the largest tolerance at which a search succeeds), which has the space group and structure type that the crystal is
    known by. reason: why `exact` was
    not made at 0.1 angstrom, "" where it was.
    """

    exact: CanonicalCrystal
    near: CanonicalCrystal
    reason: str = ""


def faithful_form(lattice: NDArray[np.float64], frac: NDArray[np.float64], numbers: NDArray[np.int64]) -> FaithfulForm:
    """Forms of a crystal of vectors (3, 3) in rows, angstrom; fractional coordinates (n, 3); atomic numbers (n,).

    Tolerances of `canonical.SYMPRECS` are tried in turn until making the symmetry exact changes neither the place of an
    atom nor a vector of the cell by more than MOST_MOVED; then P1. Raises NucleateError for a cell without volume.
    """
    longest = float(np.linalg.norm(lattice, axis=1).max())
    near, reason = None, ""
    for symprec in SYMPRECS:
        form = canonical_of_arrays(lattice, frac, numbers, (symprec,))
        change = max(form.moved, form.strain * longest)
        moved = f"exact symmetry within {symprec} angstrom would move atoms by {change:.3f} angstrom"
        if form.symprec:
            near = near or form
            if change <= MOST_MOVED:
                return FaithfulForm(form, near, reason)
        reason = reason or form.reason or moved
    exact = canonical_of_arrays(lattice, frac, numbers, ())
    return FaithfulForm(exact, near or exact, reason)
