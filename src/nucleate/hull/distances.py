"""Formation energies and distances to the convex hull of a reference set, in eV/atom.

The hull is made of known crystals only, never of candidates. e_above_hull is the energy of a candidate minus that of
the best mixture of known crystals with its composition, so it is negative for a candidate that is more stable.

The hull of a chemical system is built when it is first needed, and kept as the planes of its lower facets. The energy
of the hull at a composition is the largest value of these planes, which takes microseconds. `benchmarks/hull.py`
compares it with pymatgen's PhaseDiagram, the tests with a linear programme.

Energies are given as `Energy`, which names its method. Energies of another method than that of the reference set are
refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.formula import parse_strict
from nucleate.errors import NucleateError
from nucleate.hull.reference import Entry, ReferenceSet
from nucleate.pipeline.candidate import Energy

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Composition

    Amounts = Composition | Mapping[str, float]

MIN_AMOUNT = 1e-3  # smaller parts of a decomposition are not written
ON_HULL = 1e-6  # eV/atom; nearer to the hull than this is on it
DEEPEST = 0.2  # eV/atom below the hull of known crystals; for a deeper one, the set lacks competing phases
VERTICAL = 1e-9  # a facet whose unit normal has a smaller component along the energy axis is vertical


def formation_energy(composition: Amounts, energy: Energy, reference: ReferenceSet) -> float:
    """Formation energy in eV/atom, relative to the lowest elemental crystals of the reference.

    composition: element -> amount, of any multiple. energy: of the crystal, eV/atom.

    Raises NucleateError for an energy by another method, and if an element is missing.
    """
    reference.require_method(energy.method)
    amounts = _known_amounts(composition, reference)
    return float(energy.value - _elemental(amounts, reference))


def distance_to_hull(composition: Amounts, energy: Energy, reference: ReferenceSet) -> tuple[float, dict[str, float]]:
    """e_above_hull in eV/atom (negative below the hull of known crystals), and the phases into which it decomposes.

    composition: element -> amount, of any multiple. energy: of the crystal, eV/atom. The phases are given as formula ->
    formula units per formula unit of the reduced composition. Raises NucleateError for an energy by another method, and
    if an element is missing in the reference.
    """
    from pymatgen.core import Composition

    reference.require_method(energy.method)
    amounts = _known_amounts(composition, reference)
    hull, shares = _hull(reference, frozenset(amounts)).at(amounts)
    atoms = Composition(amounts).reduced_composition.num_atoms
    size = {i: sum(parse_strict(reference.formulas[i]).values()) for i in shares}  # atoms as written: two in O2
    units = {reference.formulas[i]: share * atoms / size[i] for i, share in shares.items()}
    return float(energy.value - _elemental(amounts, reference) - hull), units


def stable_phases(elements: Iterable[str], reference: ReferenceSet) -> list[tuple[Entry, float]]:
    """The crystals on the hull of a chemical system with their e_form (eV/atom), most negative first.

    Raises NucleateError if an element is missing in the reference.
    """
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
    """The hull of k crystals in a chemical system of m elements.

    elements: in alphabetical order. rows: of the crystals in the reference set. fractions (k, m): atomic fractions of
    the elements in each crystal. corners (f, m): indices (0 to k - 1) of the crystals at the corners of each of f
    facets. planes (f, m): e_form of a facet = planes[:-1] . fractions[1:] + planes[-1].
    """

    elements: tuple[str, ...]
    rows: tuple[int, ...]
    fractions: NDArray[np.float64]
    corners: NDArray[np.int64]
    planes: NDArray[np.float64]

    def at(self, amounts: Mapping[str, float]) -> tuple[float, dict[int, float]]:
        """e_form of the hull at a composition, eV/atom, and the phases that make it up: row -> share of the atoms."""
        wanted = np.array([amounts[e] for e in self.elements])
        wanted = wanted / wanted.sum()
        if len(wanted) == 1:
            return 0.0, {self.rows[0]: 1.0}
        floors = self.planes[:, :-1] @ wanted[1:] + self.planes[:, -1]
        best, shares = -np.inf, np.zeros(0)
        for facet in np.flatnonzero(floors > floors.max() - ON_HULL):  # of coplanar facets, the one that contains it
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
    kept = (e_form < 0) | (fractions.max(axis=1) == 1)  # a compound with e_form > 0 is never on the hull
    rows, fractions, e_form = [i for i, k in zip(rows, kept, strict=True) if k], fractions[kept], e_form[kept]
    if len(order) == 1:
        return _Hull(tuple(order), tuple(rows), fractions, np.zeros((0, 1), np.int64), np.zeros((0, 1)))
    # A point above all crystals gives the convex hull a volume also where all crystals lie in one plane
    apex = np.append(np.full(len(order) - 1, 1 / len(order)), 1.0)
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
    """Energy of the elemental crystals in these amounts, eV/atom."""
    return sum(n * _element(reference, symbol) for symbol, n in amounts.items()) / sum(amounts.values())


def format_decomposition(units: Mapping[str, float]) -> str:
    """{"Li2O": 0.5, "Fe2O3": 0.5} -> "0.5 Fe2O3 + 0.5 Li2O": phases with their formula units, largest amounts first."""
    kept = sorted(((n, f) for f, n in units.items() if n >= MIN_AMOUNT), key=lambda p: (-round(p[0], 6), p[1]))
    return " + ".join(f if abs(n - 1) < MIN_AMOUNT else f"{n:.4g} {f}" for n, f in kept)


def _known_amounts(composition: Amounts, reference: ReferenceSet) -> dict[str, float]:
    """Element -> amount; raises NucleateError for an element that the reference has no energy of."""
    from pymatgen.core import Composition

    amounts = {str(s): float(n) for s, n in Composition(composition).element_composition.items()}
    if missing := missing_elements(amounts, reference):
        raise NucleateError(f"reference '{reference.name}' has no energy of elemental {', '.join(missing)}")
    return amounts


def missing_elements(composition: Amounts, reference: ReferenceSet) -> list[str]:
    """Elements of the composition that have no elemental crystal in the reference, in alphabetical order."""
    return sorted({str(s) for s in composition} - reference.elements)
