"""Puts other elements into a known structure: which replaces which, and how large the cell becomes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.distance import MODIFIED_PETTIFOR
from nucleate.chem.elements import SYMBOLS, atomic_number
from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.generators.template_library import Counts


def assign_elements(template: Counts, query: Counts) -> dict[str, str]:
    """Element of the template -> element of the query that replaces it, with the smallest sum of distances.

    Only elements with the same number of atoms replace each other. It is the best assignment (Kuhn-Munkres), which a
    repeated choice of the most similar pair can miss. Raises NucleateError for formulas of different ratios.
    """
    from scipy.optimize import linear_sum_assignment

    if sorted(n for _, n in template) != sorted(n for _, n in query):
        raise NucleateError(f"{dict(template)} is no template for {dict(query)}: the ratios differ")
    cost = element_distances()
    out: dict[str, str] = {}
    for count in sorted({n for _, n in template}):
        theirs = [s for s, n in template if n == count]
        ours = [s for s, n in query if n == count]
        if len(ours) == 1:
            out[theirs[0]] = ours[0]
            continue
        rows, columns = [[atomic_number(s) for s in symbols] for symbols in (theirs, ours)]
        for i, j in zip(*linear_sum_assignment(cost[np.ix_(rows, columns)]), strict=True):
            out[theirs[i]] = ours[j]
    return out


@cache
def element_distances() -> NDArray[np.float64]:
    """Steps on the modified Pettifor scale between elements, (119, 119) by atomic number.

    Elements beyond lawrencium are not on the scale; they count as beyond its end, in the order of their numbers.
    """
    on_scale = {s: i for i, s in enumerate(MODIFIED_PETTIFOR)}
    position = np.array([0, *(on_scale.get(s, z) for z, s in enumerate(SYMBOLS, start=1))], dtype=float)
    return np.abs(position[:, None] - position)


def with_elements_replaced(structure: Structure, substitution: Mapping[str, str]) -> Structure:
    """The structure with other elements in the same cell and at the same coordinates, as in Dong et al. 2023."""
    from pymatgen.core import Structure

    species = [substitution[site.specie.symbol] for site in structure]
    return Structure(structure.lattice, species, structure.frac_coords)


def volume_ratio(
    template: Counts, substitution: Mapping[str, str], atomic_volumes: NDArray[np.float64]
) -> float | None:
    """Ratio of the volume of the substituted cell to that of the template, by sums of atomic volumes (119,). None if an
    element has no volume in the library."""
    before = sum(n * atomic_volumes[atomic_number(s)] for s, n in template)
    after = sum(n * atomic_volumes[atomic_number(substitution[s])] for s, n in template)
    return float(after / before) if before > 0 and after > 0 else None  # nan > 0 is false too


def with_volume_scaled(structure: Structure, ratio: float) -> Structure:
    """The same fractional coordinates in a cell of `ratio` times the volume."""
    from pymatgen.core import Lattice, Structure

    lattice = Lattice(np.asarray(structure.lattice.matrix) * ratio ** (1 / 3))
    return Structure(lattice, structure.species, structure.frac_coords)


def supercell_of(structure: Structure, times: int) -> Structure:
    """A supercell of `times` cells. For each prime factor, from the largest, cells are stacked along the shortest
    vector."""
    out = structure.copy()
    for factor in _primes(times):
        repeats = [1, 1, 1]
        repeats[int(np.argmin(out.lattice.abc))] = factor
        out.make_supercell(repeats)
    return out


def _primes(n: int) -> list[int]:
    out, p = [], 2
    while n > 1:
        while n % p == 0:
            out.append(p)
            n //= p
        p += 1
    return out[::-1]
