"""The CrystalNN fingerprint of crystals, vectorised: the structural half of CDVAE's COV metrics.

Equal to matminer's `CrystalNNFingerprint.from_preset("ops")`. For each coordination number CN the fingerprint holds its
likelihood "wt CN" and the order parameters of that CN's motifs times this likelihood. Sources: H. Pan et al., Inorg.
Chem. 60, 1590 (2021) for CrystalNN; N. E. R. Zimmermann and A. Jain, RSC Adv. 10, 6063 (2020) for the fingerprint.
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

CUTOFF = 7.0  # angstrom; neighbours that may cut the Voronoi cell; doubled as long as the cell is open
MOST_NEIGHBOURS = 200_000  # within the cutoff; that of a long and flat cell could hold millions
COINCIDENT = 1e-5  # angstrom; which of two closer atoms is a third one's neighbour depends on rounding
OPEN = 1e-6  # inverse angstrom; a corner of a Voronoi cell further away than 1 / OPEN is at infinity
X_WEIGHT, X_RANGE = 3.0, 3.3  # weight of the electronegativity difference, and its largest value
FULL, NONE = 0.5, 1.0  # angstrom beyond the sum of radii up to which a bond counts fully, from which not at all


def structure_fingerprint(structure: Structure) -> Array:
    """Mean of the sites' fingerprints, (61,); see `site_fingerprints`."""
    return site_fingerprints(structure).mean(axis=0)


def site_fingerprints(structure: Structure) -> Array:
    """Fingerprints (n_sites, 61) of a crystal; `LABELS` names the columns.

    Oxidation states are set aside: in the published protocol structures carry none. Raises NucleateError for what is no
    crystal, an element without a covalent radius (beyond Cm), atoms that coincide, and a site whose Voronoi cell is
    not closed by 200,000 neighbours or those within the longest diagonal of the cell.
    """
    from nucleate.crystal.convert import require_crystal, species_numbers

    require_crystal(structure)
    x, radius = _elements(species_numbers(structure))
    site, other, bonds, solid, area = _faces(structure)
    weights = _weights(site, solid, area, np.abs(x[site] - x[other]))
    distance = np.linalg.norm(bonds, axis=1)
    beyond = np.clip((distance - radius[site] - radius[other] - FULL) / (NONE - FULL), 0.0, 1.0)
    weights *= 0.5 * (np.cos(math.pi * beyond) + 1.0)
    return _fingerprints(len(structure), site, weights, bonds)


def _elements(numbers: NDArray[np.int64]) -> tuple[Array, Array]:
    """Pauling electronegativity (nan where there is none) and covalent radius in angstrom of each site, both (n,)."""
    from pymatgen.analysis.molecule_structure_comparator import CovalentRadius
    from pymatgen.core import Element

    kinds, which = np.unique(numbers, return_inverse=True)
    elements = [Element.from_Z(int(z)) for z in kinds]
    for element in elements:
        if element.symbol not in CovalentRadius.radius:
            raise NucleateError(f"CrystalNN has no covalent radius for {element.symbol}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a noble gas has no electronegativity, which is known here
        x = np.array([e.X for e in elements], dtype=float)
    return x[which], np.array([CovalentRadius.radius[e.symbol] for e in elements])[which]


def _faces(structure: Structure) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, Array, Array]:
    """All faces of the sites' Voronoi cells: site, neighbour, bond (F, 3), solid angle (sr), area (square angstrom)."""
    near = _neighbours(structure, CUTOFF)
    sites, others, bonds, faces, corners = [], [], [], [], []
    total = 0
    for i in range(len(structure)):
        index, points = near[i]
        cutoff = CUTOFF
        while (cell := _cell(points)) is None:
            cutoff = _larger(structure, cutoff, i)
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
    """For each site, or one, the indices and bonds (n, 3) of its neighbours within the cutoff."""
    centres = [structure[site]] if site is not None else list(structure)
    expected = 4 / 3 * math.pi * cutoff**3 * len(structure) / structure.volume
    if expected > MOST_NEIGHBOURS:
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


def _larger(structure: Structure, cutoff: float, site: int) -> float:
    """The next cutoff to try, up to the longest diagonal of the cell."""
    diagonals = np.array([[1, 1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]]) @ structure.lattice.matrix
    limit = float(np.linalg.norm(diagonals, axis=1).max()) + 0.01
    if cutoff >= limit:
        raise NucleateError(f"site {site + 1} has no closed Voronoi cell")
    return min(2 * cutoff, limit + 0.001)


def _cell(points: Array) -> tuple[NDArray[np.int64], NDArray[np.int64], Array] | None:
    """The Voronoi cell of the origin among `points` (n, 3); None if it is open.

    The planes midway to the points are the corners of the dual polyhedron, at 2 p / |p|^2, and each of its facets
    n x = d is a corner n / d of the cell. Returns the points behind the F faces, and of each corner of each face, in
    any order, the number of the face and the place.
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
    """Solid angles (sr) and areas (square angstrom) of F convex faces that halve `bonds`, seen from the origin.

    corners: (C, 3), in any order.

    Solid angle of a triangle: A. van Oosterom and J. Strackee, IEEE Trans. BME 30, 125 (1983).
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


def _weights(site: NDArray[np.int64], solid: Array, area: Array, difference: Array) -> Array:
    """Likelihood of each face to be a bond, 1 for the best of a site, before the distance is judged (Pan et al.).

    The solid angle once more over the area keeps far neighbours across a void from counting (porous adjustment). A
    difference of electronegativity that is not known favours nothing.
    """
    chemical = 1.0 + X_WEIGHT * np.sqrt(np.nan_to_num(difference) / X_RANGE)
    weights = solid * np.divide(solid, area, out=np.zeros_like(area), where=area > 0) * chemical
    best = np.maximum.reduceat(weights, np.flatnonzero(np.diff(site, prepend=-1)))
    return weights / best[site]


def _fingerprints(n: int, site: NDArray[np.int64], weights: Array, bonds: Array) -> Array:
    """From the likelihoods of bonds to those of coordination numbers, and the order parameters of these."""
    out = np.zeros((n, len(LABELS)))
    order = np.lexsort((-weights, site))
    weights, bonds = weights[order], bonds[order]
    rounded = np.round(weights, 3)
    ends = np.searchsorted(site, np.arange(n + 1))
    found: dict[int, list[tuple[int, float]]] = {}
    for i, (start, end) in enumerate(pairwise(ends)):
        levels = rounded[start : start + np.count_nonzero(rounded[start:end])]
        last = np.flatnonzero(np.diff(levels, append=0.0))  # of the bonds with this likelihood
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
    """Share of the unit quarter disc between 0 and x: the likelihood of a bond becomes one of a number of bonds."""
    return (x * np.sqrt(1.0 - x * x) + np.arcsin(x)) / (math.pi / 2)
