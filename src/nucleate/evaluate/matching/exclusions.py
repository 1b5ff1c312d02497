"""Finds pairs of crystals that StructureMatcher certainly refuses, without calling it.

Every test is one that the matcher makes itself (pymatgen, `StructureMatcher._strict_match`: a mapping of the lattices,
then of the sites), with a small tolerance for rounding. So the matcher would refuse every pair that is refused here. It
decides about all other pairs.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.evaluate.matching.unique import Matcher

SLACK = 1e-7  # relative tolerance, far larger than errors by rounding
UNREDUCED = 1e-3  # a basis may be longer than the shortest one by this factor; the Niggli reduction is good to 1e-5
MAX_POINTS = 200_000  # lattice points, or triples of them; with more (needles and sheets) the matcher decides
ENCLOSING = ((1, 2), (0, 2), (0, 1))  # the vectors that enclose alpha, beta, gamma


@dataclass(frozen=True, eq=False)
class Cell:
    """A crystal in the form that the matcher compares: its primitive Niggli cell.

    index: its place among the compared crystals. lattice (3, 3): vectors in rows, in angstrom. frac_coords (n, 3).
    species: n element symbols.
    """

    index: int
    lattice: NDArray[np.float64]
    frac_coords: NDArray[np.float64]
    species: tuple[str, ...]

    @cached_property
    def unit(self) -> NDArray[np.float64]:
        """The lattice (3, 3) scaled to volume 1, since the matcher scales all crystals to equal volumes."""
        return self.lattice / abs(np.linalg.det(self.lattice)) ** (1 / 3)

    @cached_property
    def lengths(self) -> NDArray[np.float64]:
        """Lengths (3,) of the vectors of `unit`."""
        return np.linalg.norm(self.unit, axis=1)

    @cached_property
    def angles(self) -> NDArray[np.float64]:
        """The angles (3,) alpha, beta and gamma in degrees."""
        cosines = [self.unit[i] @ self.unit[j] / (self.lengths[i] * self.lengths[j]) for i, j in ENCLOSING]
        return np.degrees(np.arccos(np.clip(cosines, -1, 1)))

    @cached_property
    def rarest(self) -> tuple[int, str]:
        """The site that the matcher places on sites of the other crystal, and its species: the first site of the rarest
        species."""
        counts = [self.species.count(s) for s in self.species]
        site = int(np.argmin(counts))
        return site, self.species[site]

    @cached_property
    def structure(self) -> Structure:
        from pymatgen.core import Structure

        return Structure(self.lattice, self.species, self.frac_coords)


class Screen:
    """Cells of one formula and number of sites, prepared to be the first of many pairs."""

    def __init__(self, cells: Sequence[Cell], matcher: Matcher) -> None:
        self.cells = cells
        self.matcher = matcher
        self._order = np.array([c.index for c in cells])
        lattices = np.array([c.lattice for c in cells])
        self._volumes = np.abs(np.linalg.det(lattices))
        self._minima = _successive_minima(lattices / self._volumes[:, None, None] ** (1 / 3))
        self._points: dict[int, tuple[float, NDArray[np.float64] | None]] = {}

    def candidates(self, cell: Cell, before: bool) -> NDArray[np.intp]:
        """The positions of the cells that may match `cell`, by volume (if there is a `volume_tol`) and by lattice.

        The mapped lattice vectors are independent and at most 1 + ltol times as long as those of the other cell, so the
        successive minima cannot be longer. before: only cells of lower index.
        """
        good = (self._minima <= (1 + self.matcher.ltol) * (1 + 2 * UNREDUCED) * np.sort(cell.lengths)).all(1)
        if self.matcher.volume_tol is not None:
            ratio = abs(np.linalg.det(cell.lattice)) / self._volumes
            good &= np.maximum(ratio, 1 / ratio) <= 1 + self.matcher.volume_tol
        if before:
            good &= self._order < cell.index
        return np.flatnonzero(good)

    def may_match(self, position: int, cell: Cell) -> bool:
        """Whether some mapping of the lattices brings every site near one of the same species; True if not known."""
        mappings = self._mappings(position, cell)
        return mappings is None or (len(mappings) > 0 and self._sites_fit(self.cells[position], cell, mappings))

    def _mappings(self, position: int, cell: Cell) -> NDArray[np.float64] | None:
        """The bases of the first lattice that resemble that of the cell, as integer matrices (m, 3, 3) of determinant 1
        or -1; None if there are too many to try. As `Lattice.find_all_mappings`."""
        top = (1 + self.matcher.ltol) * (1 + SLACK)
        points = self._lattice_points(position, float(cell.lengths.max()) * top)
        if points is None:
            return None
        vectors = points @ self.cells[position].unit
        norms = np.linalg.norm(vectors, axis=1)
        choices = [np.flatnonzero((norms < top * n) & (norms > n / top)) for n in cell.lengths]
        if np.prod([float(len(p)) for p in choices]) > MAX_POINTS:
            return None
        close = []
        for (i, j), angle in zip(ENCLOSING, cell.angles, strict=True):
            cosines = vectors[choices[i]] @ vectors[choices[j]].T / np.outer(norms[choices[i]], norms[choices[j]])
            found = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
            close.append(np.abs(found - angle) <= self.matcher.angle_tol + 1e-5)
        a, b, c = np.nonzero(close[2][:, :, None] & close[1][:, None, :] & close[0][None])
        bases = np.stack([points[choices[0][a]], points[choices[1][b]], points[choices[2][c]]], axis=1)
        return bases[np.abs(np.abs(np.linalg.det(bases)) - 1) < 0.5]

    def _lattice_points(self, position: int, radius: float) -> NDArray[np.float64] | None:
        """Integer coefficients (k, 3) of all lattice vectors up to `radius`, at volume 1; None if they are too many."""
        known, points = self._points.get(position, (0.0, None))
        if known < radius:
            unit = self.cells[position].unit
            bounds = np.floor(radius * np.linalg.norm(np.linalg.inv(unit), axis=0) + SLACK)
            points = None
            if np.prod(2 * bounds + 1) <= MAX_POINTS:
                grid = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in bounds), indexing="ij"), -1).reshape(-1, 3)
                points = grid[np.linalg.norm(grid @ unit, axis=1) <= radius]
            self._points[position] = (radius, points)
        return points

    def _sites_fit(self, first: Cell, second: Cell, bases: NDArray[np.float64]) -> bool:
        """The matcher's first test of the sites, for all mappings: whether they lie in boxes whose size `stol` sets."""
        from pymatgen.util.coord_cython import is_coord_subset_pbc

        here, rarest_species = second.rarest
        there = [i for i, s in enumerate(first.species) if s == rarest_species]
        unequal_species = np.array([[s != t for t in first.species] for s in second.species], dtype=np.int64)
        boxes = self._boxes(first, second, bases)
        for inverse, box in zip(np.linalg.inv(bases), boxes, strict=True):
            frac = first.frac_coords @ inverse
            for i in there:
                moved = second.frac_coords + (frac[i] - second.frac_coords[here])
                if is_coord_subset_pbc(moved, frac, box, unequal_species, (True, True, True)):
                    return True
        return False

    def _boxes(self, first: Cell, second: Cell, bases: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fractional tolerances (m, 3): 2 stol (V/N)^(1/3) divided by the plane spacings of the mean lattice."""
        vectors = bases @ first.unit
        norms = np.linalg.norm(vectors, axis=2)
        lengths = (norms + second.lengths) / 2
        gram = lengths[:, :, None] * np.eye(3) * lengths[:, None, :]
        for (i, j), angle in zip(ENCLOSING, np.radians(second.angles), strict=True):
            cosine = np.einsum("mx,mx->m", vectors[:, i], vectors[:, j]) / (norms[:, i] * norms[:, j])
            mean = np.cos((np.arccos(np.clip(cosine, -1, 1)) + angle) / 2)
            gram[:, i, j] = gram[:, j, i] = lengths[:, i] * lengths[:, j] * mean
        spacing = (np.sqrt(np.linalg.det(gram)) / len(first.species)) ** (1 / 3)
        reciprocal = np.sqrt(np.linalg.inv(gram).diagonal(axis1=1, axis2=2))
        return 2 * self.matcher.stol * spacing[:, None] * reciprocal * (1 + SLACK) + SLACK


def _successive_minima(units: NDArray[np.float64]) -> NDArray[np.float64]:
    """The successive minima (k, 3), ascending, of lattices (k, 3, 3).

    They are the lengths of the basis if it fulfils Minkowski's conditions. Otherwise they are set to zero, which
    excludes nothing.
    """
    lengths = np.linalg.norm(units, axis=2)
    order = np.argsort(lengths, axis=1)
    b1, b2, b3 = np.moveaxis(np.take_along_axis(units, order[:, :, None], 1), 1, 0)
    minima = np.take_along_axis(lengths, order, 1)
    second = np.min([np.linalg.norm(b2 + x * b1, axis=1) for x in (-1, 1)], axis=0)
    third = np.min([np.linalg.norm(b3 + x * b1 + y * b2, axis=1) for x, y in _COMBINATIONS], axis=0)
    reduced = (minima[:, 1] <= second * (1 + UNREDUCED)) & (minima[:, 2] <= third * (1 + UNREDUCED))
    return np.where(reduced[:, None], minima, 0.0)


_COMBINATIONS = [c for c in itertools.product((-1, 0, 1), repeat=2) if any(c)]
