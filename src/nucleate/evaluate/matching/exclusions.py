"""Which pairs StructureMatcher is bound to refuse, found without it.

Every test is one that the matcher makes itself (pymatgen, `StructureMatcher._strict_match`: a mapping of the lattices,
then of the sites), with a little slack for rounding. So a refusal here is a refusal there; what is left, it decides.
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

SLACK = 1e-7  # relative, far above rounding
UNREDUCED = 1e-3  # relative excess over the shortest basis; the Niggli reduction works to 1e-5
MOST = 200_000  # lattice points or triples of them; beyond, the matcher decides (needles and sheets)
ENCLOSING = ((1, 2), (0, 2), (0, 1))  # the vectors that enclose alpha, beta, gamma


@dataclass(frozen=True, eq=False)
class Cell:
    """A crystal as the matcher sees it: primitive Niggli cell, the sites in its order.

    index: its place among the crystals compared. lattice: (3, 3) angstrom, rows. frac_coords: (n, 3). species: n of
    symbols.
    """

    index: int
    lattice: NDArray[np.float64]
    frac_coords: NDArray[np.float64]
    species: tuple[str, ...]

    @cached_property
    def unit(self) -> NDArray[np.float64]:
        """The lattice (3, 3) scaled to volume 1, since the matcher scales volumes away."""
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
        """The site, and its species, that the matcher lays on one of the other crystal: the first of the fewest."""
        counts = [self.species.count(s) for s in self.species]
        site = int(np.argmin(counts))
        return site, self.species[site]

    @cached_property
    def structure(self) -> Structure:
        from pymatgen.core import Structure

        return Structure(self.lattice, self.species, self.frac_coords)


class Screen:
    """Cells of one formula and number of sites, made ready to be the first of a pair again and again."""

    def __init__(self, cells: Sequence[Cell], matcher: Matcher) -> None:
        self.cells = cells
        self.matcher = matcher
        self._order = np.array([c.index for c in cells])
        lattices = np.array([c.lattice for c in cells])
        self._volumes = np.abs(np.linalg.det(lattices))
        self._minima = _successive_minima(lattices / self._volumes[:, None, None] ** (1 / 3))
        self._points: dict[int, tuple[float, NDArray[np.float64] | None]] = {}

    def candidates(self, cell: Cell, before: bool) -> NDArray[np.intp]:
        """Positions of the cells that may match, in order: the volumes asked for, and lattices of a kind.

        The mapped lattice vectors are independent and within 1 + ltol of the other cell's, so the successive minima are
        no longer than those. before: only cells of lower index.
        """
        good = (self._minima <= (1 + self.matcher.ltol) * (1 + 2 * UNREDUCED) * np.sort(cell.lengths)).all(1)
        if self.matcher.volume_tol is not None:
            ratio = abs(np.linalg.det(cell.lattice)) / self._volumes
            good &= np.maximum(ratio, 1 / ratio) <= 1 + self.matcher.volume_tol
        if before:
            good &= self._order < cell.index
        return np.flatnonzero(good)

    def may_match(self, position: int, cell: Cell) -> bool:
        """Whether some mapping of the lattices lays every site near one of its species."""
        mappings = self._mappings(position, cell)
        return mappings is None or (len(mappings) > 0 and self._sites_fit(self.cells[position], cell, mappings))

    def _mappings(self, position: int, cell: Cell) -> NDArray[np.float64] | None:
        """(m, 3, 3) integer bases of the first lattice that resemble the cell's; None when there are too many to try.

        As `Lattice.find_all_mappings`, of determinant 1 and -1.
        """
        top = (1 + self.matcher.ltol) * (1 + SLACK)
        points = self._lattice_points(position, float(cell.lengths.max()) * top)
        if points is None:
            return None
        vectors = points @ self.cells[position].unit
        norms = np.linalg.norm(vectors, axis=1)
        picks = [np.flatnonzero((norms < top * n) & (norms > n / top)) for n in cell.lengths]
        if np.prod([float(len(p)) for p in picks]) > MOST:
            return None
        close = []
        for (i, j), angle in zip(ENCLOSING, cell.angles, strict=True):
            cosines = vectors[picks[i]] @ vectors[picks[j]].T / np.outer(norms[picks[i]], norms[picks[j]])
            found = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
            close.append(np.abs(found - angle) <= self.matcher.angle_tol + 1e-5)
        a, b, c = np.nonzero(close[2][:, :, None] & close[1][:, None, :] & close[0][None])
        bases = np.stack([points[picks[0][a]], points[picks[1][b]], points[picks[2][c]]], axis=1)
        return bases[np.abs(np.abs(np.linalg.det(bases)) - 1) < 0.5]

    def _lattice_points(self, position: int, radius: float) -> NDArray[np.float64] | None:
        """(k, 3) integer coefficients of the lattice vectors up to `radius` at volume 1; None when too many."""
        known, points = self._points.get(position, (0.0, None))
        if known < radius:
            unit = self.cells[position].unit
            bounds = np.floor(radius * np.linalg.norm(np.linalg.inv(unit), axis=0) + SLACK)
            points = None
            if np.prod(2 * bounds + 1) <= MOST:
                grid = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in bounds), indexing="ij"), -1).reshape(-1, 3)
                points = grid[np.linalg.norm(grid @ unit, axis=1) <= radius]
            self._points[position] = (radius, points)
        return points

    def _sites_fit(self, first: Cell, second: Cell, bases: NDArray[np.float64]) -> bool:
        """The matcher's first test of the sites, for all mappings: within a box that `stol` spans."""
        from pymatgen.util.coord_cython import is_coord_subset_pbc

        here, rare = second.rarest
        there = [i for i, s in enumerate(first.species) if s == rare]
        barred = np.array([[s != t for t in first.species] for s in second.species], dtype=np.int64)
        boxes = self._boxes(first, second, bases)
        for inverse, box in zip(np.linalg.inv(bases), boxes, strict=True):
            frac = first.frac_coords @ inverse
            for i in there:
                moved = second.frac_coords + (frac[i] - second.frac_coords[here])
                if is_coord_subset_pbc(moved, frac, box, barred, (True, True, True)):
                    return True
        return False

    def _boxes(self, first: Cell, second: Cell, bases: NDArray[np.float64]) -> NDArray[np.float64]:
        """(m, 3) fractional tolerances: 2 stol (V/N)^(1/3) over the spacings of the planes of the mean lattice."""
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
    """(k, 3) ascending, of lattices (k, 3, 3); zeros, which exclude nothing, where the basis is not the shortest.

    In three dimensions a basis is the shortest when it fulfils Minkowski's conditions.
    """
    lengths = np.linalg.norm(units, axis=2)
    order = np.argsort(lengths, axis=1)
    b1, b2, b3 = np.moveaxis(np.take_along_axis(units, order[:, :, None], 1), 1, 0)
    minima = np.take_along_axis(lengths, order, 1)
    second = np.min([np.linalg.norm(b2 + x * b1, axis=1) for x in (-1, 1)], axis=0)
    third = np.min([np.linalg.norm(b3 + x * b1 + y * b2, axis=1) for x, y in _OTHERS], axis=0)
    reduced = (minima[:, 1] <= second * (1 + UNREDUCED)) & (minima[:, 2] <= third * (1 + UNREDUCED))
    return np.where(reduced[:, None], minima, 0.0)


_OTHERS = [c for c in itertools.product((-1, 0, 1), repeat=2) if any(c)]
