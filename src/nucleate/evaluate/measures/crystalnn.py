"""The CrystalNN fingerprint of crystals, vectorised. It is the structural part of CDVAE's COV metrics.

It equals matminer's `CrystalNNFingerprint.from_preset("ops")`. For each coordination number CN the fingerprint has the
likelihood "wt CN" of this number, and the order parameters of its motifs times this likelihood. Sources: H. Pan et al.,
Inorg. Chem. 60, 1590 (2021) for CrystalNN; N. E. R. Zimmermann and A. Jain, RSC Adv. 10, 6063 (2020) for the
fingerprint.
"""

from __future__ import annotations

import math
import warnings
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import NucleateError
from nucleate.evaluate.measures.order_parameters import MOTIFS, order_parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    Array = NDArray[np.float64]

LARGEST_CN = 24
LABELS = tuple(f"{name} CN_{cn}" for cn in range(1, LARGEST_CN + 1) for name in ("wt", *MOTIFS.get(cn, {})))

CUTOFF = 7.0  # angstrom: range of neighbours for the Voronoi cell; it is doubled until the cell is closed
MAX_NEIGHBOURS = 200_000  # within the cutoff; for a long and flat cell there could be millions
COINCIDENT = 1e-5  # angstrom: atoms closer than this coincide; rounding would decide which of them is a neighbour
OPEN = 1e-6  # inverse angstrom; a corner of a Voronoi cell farther away than 1 / OPEN is at infinity
X_WEIGHT, X_RANGE = 3.0, 3.3  # weight of the electronegativity difference, and its largest value
# How much longer than the sum of the radii, in angstrom, a bond may be to count fully, and where it counts no more.
FULL_BOND, NO_BOND = 0.5, 1.0


def structure_fingerprint(structure: Structure) -> Array:
    """The mean of the site fingerprints of a crystal, (61,); see `site_fingerprints`."""
    return site_fingerprints(structure).mean(axis=0)


def site_fingerprints(structure: Structure) -> Array:
    """The fingerprints (n_sites, 61) of a crystal; `LABELS` names the columns.

    Oxidation states are ignored, because structures have none in the published protocol. Raises NucleateError for a
    structure that is not an ordered crystal, for an element without a covalent radius (beyond Cm), for atoms that
    coincide, and for a site whose Voronoi cell stays open with all neighbours within the longest diagonal of the cell,
    or that would need more than MAX_NEIGHBOURS neighbours.
    """
    from nucleate.crystal.convert import require_crystal, species_numbers

    require_crystal(structure)
    x, radius = _element_data(species_numbers(structure))
    site, other, bonds, solid, area = _faces(structure)
    weights = _bond_likelihoods(site, solid, area, np.abs(x[site] - x[other]))
    distance = np.linalg.norm(bonds, axis=1)
    beyond = np.clip((distance - radius[site] - radius[other] - FULL_BOND) / (NO_BOND - FULL_BOND), 0.0, 1.0)
    weights *= 0.5 * (np.cos(math.pi * beyond) + 1.0)
    return _fingerprints(len(structure), site, weights, bonds)


def _element_data(numbers: NDArray[np.int64]) -> tuple[Array, Array]:
    """The Pauling electronegativity (nan if there is none) and covalent radius in angstrom of each site, both (n,)."""
    from pymatgen.analysis.molecule_structure_comparator import CovalentRadius
    from pymatgen.core import Element

    kinds, which = np.unique(numbers, return_inverse=True)
    elements = [Element.from_Z(int(z)) for z in kinds]
    for element in elements:
        if element.symbol not in CovalentRadius.radius:
            raise NucleateError(f"CrystalNN has no covalent radius for {element.symbol}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns that a noble gas has no electronegativity
        x = np.array([e.X for e in elements], dtype=float)
    return x[which], np.array([CovalentRadius.radius[e.symbol] for e in elements])[which]


def _faces(structure: Structure) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, Array, Array]:
    """All F faces of the Voronoi cells of the sites.

    Returns site (F,), neighbour (F,), bond (F, 3) in angstrom, solid angle (F,) in sr, area (F,) in square angstrom.
    """
    near = _neighbours(structure, CUTOFF)
    sites, others, bonds, faces, corners = [], [], [], [], []
    total = 0
    for i in range(len(structure)):
        index, points = near[i]
        cutoff = CUTOFF
        while (cell := _voronoi_cell(points)) is None:
            cutoff = _larger_cutoff(structure, cutoff, i)
            index, points = _neighbours(structure, cutoff, i)[0]
        behind, face, corner = cell
        sites.append(np.full(len(behind), i))
        others.append(index[behind])
        bonds.append(points[behind])
        faces.append(face + total)
        corners.append(corner)
        total += len(behind)
    bond = np.concatenate(bonds)
    solid, area = _solid_angle_and_area(np.concatenate(faces), np.concatenate(corners), bond)
    return np.concatenate(sites), np.concatenate(others), bond, solid, area


def _neighbours(structure: Structure, cutoff: float, site: int | None = None) -> list[tuple[NDArray[np.int64], Array]]:
    """For each site, or only for `site`, the indices (n,) and bonds (n, 3) of its neighbours within the cutoff."""
    centres = [structure[site]] if site is not None else list(structure)
    expected = 4 / 3 * math.pi * cutoff**3 * len(structure) / structure.volume
    if expected > MAX_NEIGHBOURS:
        raise NucleateError(
            f"{expected:.1g} atoms within {cutoff:.0f} angstrom are too many; the cell is too dense or flat"
        )
    i, j, image, distance = structure.get_neighbor_list(cutoff, sites=centres, exclude_self=False)
    kept = np.flatnonzero(distance > COINCIDENT)
    if len(i) - len(kept) > len(centres):
        same = np.flatnonzero((distance <= COINCIDENT) & (i != j))[0]
        raise NucleateError(f"atoms {i[same] + 1} and {j[same] + 1} coincide")
    order = kept[np.argsort(i[kept], kind="stable")]
    i, j, image = i[order], j[order], image[order]
    start = np.array([c.coords for c in centres])
    bonds = structure.cart_coords[j] + image @ structure.lattice.matrix - start[i]
    ends = np.searchsorted(i, np.arange(len(centres) + 1))
    return [(j[a:b], bonds[a:b]) for a, b in pairwise(ends)]


def _larger_cutoff(structure: Structure, cutoff: float, site: int) -> float:
    """The next cutoff to try, at most the longest diagonal of the cell; raises NucleateError after that."""
    diagonals = np.array([[1, 1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]]) @ structure.lattice.matrix
    limit = float(np.linalg.norm(diagonals, axis=1).max()) + 0.01
    if cutoff >= limit:
        raise NucleateError(f"site {site + 1} has no closed Voronoi cell")
    return min(2 * cutoff, limit + 0.001)


def _voronoi_cell(points: Array) -> tuple[NDArray[np.int64], NDArray[np.int64], Array] | None:
    """The Voronoi cell of the origin among `points` (n, 3); None if it is open.

    The plane halfway to a point p corresponds to a corner of the dual polyhedron, at 2 p / |p|^2, and each facet
    n x = d of this polyhedron to a corner n / d of the cell. Returns the indices (F,) of the points behind the F faces,
    and for each corner of each face, in any order, the index of the face (C,) and the position (C, 3).
    """
    from scipy.spatial import ConvexHull, QhullError

    try:
        hull = ConvexHull(2 * points / np.sum(points * points, axis=1, keepdims=True))
    except (QhullError, ValueError):  # too few points, or all in a plane
        return None
    depth = -hull.equations[:, 3:]
    if depth.min() < OPEN:
        return None
    behind, face = np.unique(hull.simplices, return_inverse=True)
    return behind, face.ravel(), np.repeat(hull.equations[:, :3] / depth, 3, axis=0)


def _solid_angle_and_area(face: NDArray[np.int64], corners: Array, bonds: Array) -> tuple[Array, Array]:
    """Solid angles (F,) in sr, seen from the origin, and areas (F,) in square angstrom, of F convex faces that bisect
    `bonds` (F, 3).

    corners (C, 3): of all faces, in any order. face (C,): the face of each corner. Solid angle of a triangle: A. van
    Oosterom and J. Strackee, IEEE Trans. BME 30, 125 (1983).
    """
    n = len(bonds)
    count = np.bincount(face, minlength=n)
    middle = np.stack([np.bincount(face, corners[:, k], n) for k in range(3)], axis=1) / count[:, None]
    normal = bonds / np.linalg.norm(bonds, axis=1, keepdims=True)
    east = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal), axis=1)])
    north = np.cross(normal, east)
    spoke = corners - middle[face]
    turn = np.arctan2(np.sum(spoke * north[face], axis=1), np.sum(spoke * east[face], axis=1))
    order = np.lexsort((turn, face))
    face, b = face[order], corners[order]
    ends = np.cumsum(count)
    following = np.arange(len(face)) + 1
    following[ends - 1] = ends - count
    a, c = middle[face], b[following]
    volume = np.abs(np.sum(a * np.cross(b, c), axis=1))  # six times that of the tetrahedron
    ra, rb, rc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
    ab, ac, bc = (np.sum(p * q, axis=1) for p, q in ((a, b), (a, c), (b, c)))
    angle = 2 * np.arctan2(volume, ra * rb * rc + rc * ab + rb * ac + ra * bc)
    solid = np.bincount(face, angle, n).astype(float)
    area = np.bincount(face, volume, n) / np.linalg.norm(bonds, axis=1)
    return solid, area


def _bond_likelihoods(site: NDArray[np.int64], solid: Array, area: Array, difference: Array) -> Array:
    """The likelihood that each face is a bond, (F,), 1 for the best of a site, before distances count (Pan et al.).

    The further factor solid angle / area removes distant neighbours across a void (porous adjustment). An unknown
    difference of electronegativity counts as 0.
    """
    chemical = 1.0 + X_WEIGHT * np.sqrt(np.nan_to_num(difference) / X_RANGE)
    weights = solid * np.divide(solid, area, out=np.zeros_like(area), where=area > 0) * chemical
    best = np.maximum.reduceat(weights, np.flatnonzero(np.diff(site, prepend=-1)))
    return weights / best[site]


def _fingerprints(n: int, site: NDArray[np.int64], weights: Array, bonds: Array) -> Array:
    """The fingerprints (n, 61) from the likelihoods of the bonds: likelihoods of coordination numbers, and order
    parameters."""
    out = np.zeros((n, len(LABELS)))
    order = np.lexsort((-weights, site))
    weights, bonds = weights[order], bonds[order]
    rounded = np.round(weights, 3)
    ends = np.searchsorted(site, np.arange(n + 1))
    found: dict[int, list[tuple[int, float]]] = {}
    for i, (start, end) in enumerate(pairwise(ends)):
        levels = rounded[start : start + np.count_nonzero(rounded[start:end])]
        last = np.flatnonzero(np.diff(levels, append=0.0))  # the last bond with each likelihood
        steps = _quarter_disc(np.append(levels[last], 0.0))
        for cn, wt in zip((last + 1).tolist(), (steps[:-1] - steps[1:]).tolist(), strict=True):
            if cn <= LARGEST_CN:
                found.setdefault(cn, []).append((i, wt))
    for cn, items in found.items():
        column = LABELS.index(f"wt CN_{cn}")
        rows, wt = np.array([i for i, _ in items]), np.array([w for _, w in items])
        out[rows, column] = wt
        if cn in MOTIFS:
            nearest = ends[rows][:, None] + np.arange(cn)
            values = order_parameters(bonds[nearest], weights[nearest])
            out[rows, column + 1 : column + 1 + values.shape[1]] = wt[:, None] * values
    return out


def _quarter_disc(x: Array) -> Array:
    """The share of the unit quarter disc between 0 and x, which turns likelihoods of bonds into those of coordination
    numbers."""
    return (x * np.sqrt(1.0 - x * x) + np.arcsin(x)) / (math.pi / 2)
