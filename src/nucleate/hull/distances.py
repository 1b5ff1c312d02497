"""Formation energies and distances to the convex hull of a reference set, in eV/atom.

The hull holds the known crystals alone, never the candidates, so a candidate more stable than all of them gets
a negative e_above_hull: its energy minus that of the best mixture of known crystals with its composition.

A hull is built for each chemical system as it is asked for, and kept as the planes of its lower facets: the energy of
the hull at a composition is the largest of their values, so that a candidate costs microseconds once its system is
there. `benchmarks/hull.py` measures it against pymatgen's PhaseDiagram, the tests against a linear programme.

Energies enter as `Energy` alone, which names its method: what is on another scale than the reference is refused, or
corrected where the reference is of the same method with MP2020 corrections.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.formula import parse
from nucleate.errors import NucleateError
from nucleate.hull.reference import Entry, ReferenceSet
from nucleate.pipeline.candidate import Energy

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Composition

    Amounts = Composition | Mapping[str, float]

AMOUNT = 1e-3  # smaller parts of a decomposition are not written
ON_HULL = 1e-6  # eV/atom
DEEPEST = 0.2  # eV/atom below the hull of known crystals; what lies deeper competes with phases that the set lacks
VERTICAL = 1e-9  # a facet whose unit normal has less than this along the energy is a wall, no floor


def formation_energy(composition: Amounts, energy: Energy, reference: ReferenceSet) -> float:
    """Energy (eV/atom) relative to the lowest elemental crystals of the reference.

    Raises NucleateError for an energy by another method, and if an element is missing.
    """
    reference.require_method(energy.method)
    amounts = _known_amounts(composition, reference)
    return float(energy.value - _elemental(amounts, reference))


def distance_to_hull(composition: Amounts, energy: Energy, reference: ReferenceSet) -> tuple[float, dict[str, float]]:
    """e_above_hull in eV/atom (negative: below all that is known), and the phases under it.

    The phases are formula -> formula units per formula unit of the reduced composition. Raises NucleateError for an
    energy by another method, and if an element is missing in the reference.
    """
    from pymatgen.core import Composition

    reference.require_method(energy.method)
    amounts = _known_amounts(composition, reference)
    hull, shares = _hull(reference, frozenset(amounts)).at(amounts)
    atoms = Composition(amounts).reduced_composition.num_atoms
    size = {i: sum(parse(reference.formulas[i]).values()) for i in shares}  # as it is written: two atoms in O2
    units = {reference.formulas[i]: share * atoms / size[i] for i, share in shares.items()}
    return float(energy.value - _elemental(amounts, reference) - hull), units


def stable_phases(elements: Iterable[str], reference: ReferenceSet) -> list[tuple[Entry, float]]:
    """The crystals on the hull of a chemical system with their e_form, most negative first."""
    system = dict.fromkeys(elements, 1.0)
    _known_amounts(system, reference)
    out = []
    for i in _hull(reference, frozenset(system)).rows:
        energy, amounts = Energy(float(reference.energies[i]), reference.method), dict(reference.keys[i])
        if distance_to_hull(amounts, energy, reference)[0] <= ON_HULL:
            out.append((reference[i], formation_energy(amounts, energy, reference)))
    return sorted(out, key=lambda p: (round(p[1], 6), p[0].formula))


@dataclass(frozen=True)
class _Hull:
    """The hull of a chemical system of m elements, in alphabetical order, of k crystals.

    rows: of the crystals in the reference. fractions (k, m): of the elements in an atom of them. corners (f, m): the
    crystals at the corners of each facet. planes (f, m): e_form of a facet = planes[:-1] . fractions[1:] + planes[-1].
    """

    elements: tuple[str, ...]
    rows: tuple[int, ...]
    fractions: NDArray[np.float64]
    corners: NDArray[np.int64]
    planes: NDArray[np.float64]

    def at(self, amounts: Mapping[str, float]) -> tuple[float, dict[int, float]]:
        """e_form of the hull at a composition, eV/atom, and the share of the atoms in each row below it."""
        wanted = np.array([amounts[e] for e in self.elements])
        wanted = wanted / wanted.sum()
        if len(wanted) == 1:
            return 0.0, {self.rows[0]: 1.0}
        floors = self.planes[:, :-1] @ wanted[1:] + self.planes[:, -1]
        best, shares = -np.inf, np.zeros(0)
        for facet in np.flatnonzero(floors > floors.max() - ON_HULL):  # facets of one plane: the one it lies in
            found = np.linalg.lstsq(self.fractions[self.corners[facet]].T, wanted, rcond=None)[0]
            if found.min() > best:
                best, shares, corners = found.min(), found, self.corners[facet]
        used = {self.rows[i]: float(x) for i, x in zip(corners, shares, strict=True) if x > 1e-9}
        return float(floors.max()), used


@lru_cache(maxsize=4096)
def _hull(reference: ReferenceSet, elements: frozenset[str]) -> _Hull:
    from scipy.spatial import ConvexHull

    order = {symbol: k for k, symbol in enumerate(sorted(elements))}
    rows = [i for i in reference.of_system(elements) if i in reference.lowest]
    counts = np.zeros((len(rows), len(order)))
    for line, i in enumerate(rows):
        for symbol, n in reference.keys[i]:
            counts[line, order[symbol]] = n
    fractions = counts / counts.sum(axis=1, keepdims=True)
    elemental = np.array([_element(reference, symbol) for symbol in order])
    e_form = reference.energies[rows].astype(np.float64) - fractions @ elemental
    kept = (e_form < 0) | (fractions.max(axis=1) == 1)  # what lies above the elements is above the hull
    rows, fractions, e_form = [i for i, k in zip(rows, kept, strict=True) if k], fractions[kept], e_form[kept]
    if len(order) == 1:
        return _Hull(tuple(order), tuple(rows), fractions, np.zeros((0, 1), np.int64), np.zeros((0, 1)))
    apex = np.append(
        np.full(len(order) - 1, 1 / len(order)), 1.0
    )  # above all: the hull has a volume even if it is flat
    hull = ConvexHull(np.vstack([np.column_stack([fractions[:, 1:], e_form]), apex]))
    lower = hull.equations[:, -2] < -VERTICAL
    normals = hull.equations[lower]
    planes = -np.delete(normals, -2, axis=1) / normals[:, -2:-1]
    return _Hull(tuple(order), tuple(rows), fractions, hull.simplices[lower].astype(np.int64), planes)


@lru_cache(maxsize=1024)
def _element(reference: ReferenceSet, symbol: str) -> float:
    """Energy of the lowest crystal of an element, eV/atom."""
    return float(min(reference.energies[i] for i in reference.of_formula({symbol: 1})))


def _elemental(amounts: Mapping[str, float], reference: ReferenceSet) -> float:
    """Energy of the elements apart, eV/atom."""
    return sum(n * _element(reference, symbol) for symbol, n in amounts.items()) / sum(amounts.values())


def format_decomposition(parts: Mapping[str, float]) -> str:
    """{"Li2O": 0.5, "Fe2O3": 0.5} -> "0.5 Fe2O3 + 0.5 Li2O", largest amounts first."""
    kept = sorted(((n, f) for f, n in parts.items() if n >= AMOUNT), key=lambda p: (-round(p[0], 6), p[1]))
    return " + ".join(f if abs(n - 1) < AMOUNT else f"{n:.4g} {f}" for n, f in kept)


def _known_amounts(composition: Amounts, reference: ReferenceSet) -> dict[str, float]:
    """Element -> amount; raises NucleateError for an element that the reference has no energy of."""
    from pymatgen.core import Composition

    amounts = {str(s): float(n) for s, n in Composition(composition).element_composition.items()}
    if missing := missing_elements(amounts, reference):
        raise NucleateError(f"reference '{reference.name}' has no energy of elemental {', '.join(missing)}")
    return amounts


def missing_elements(composition: Amounts, reference: ReferenceSet) -> list[str]:
    return sorted({str(s) for s in composition} - reference.elements)
