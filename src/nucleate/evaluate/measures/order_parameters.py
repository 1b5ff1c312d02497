"""Local structure order parameters: how similar the bonds of an atom are to a tetrahedron, an octahedron and so on.

Definitions and constants: N. E. R. Zimmermann and A. Jain, RSC Adv. 10, 6063 (2020), after B. Peters, J. Chem. Phys.
131, 244103 (2009); bond orientational order q_l: P. J. Steinhardt et al., Phys. Rev. B 28, 784 (1983). For all
parameters except q_l, each bond j in turn is taken as the north pole, and each other bond k as the prime meridian.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

EQUAL = 1e-10  # likelihoods of bonds, or angles, that differ by less differ only by rounding
ALIGNED = 1e-12  # a bond whose component perpendicular to the pole is shorter has no azimuth


@dataclass(frozen=True)
class Motif:
    """A motif with bonds at given polar angles, and with azimuths that repeat `fold` times in pi.

    Angles are in units of pi, inverse widths in units of 1 / pi. polar: the expected angles; each bond is compared with
    the nearest one. width: the inverse width of the Gaussians around them. south: from this angle on a bond counts as
    opposite to the pole, with the inverse width `south_width`. azimuth: only smaller azimuths count. The value for a
    pole and a meridian is the mean of the Gaussians of the meridian and the other bonds, where those of the other bonds
    are multiplied by cos^2(fold * azimuth). The order parameter is the largest value over all poles and meridians.
    """

    polar: tuple[float, ...]
    width: float
    fold: float
    south: float = math.inf
    south_width: float = 0.0
    azimuth: float = math.inf


TETRAHEDRAL = 0.6081734479693927  # arccos(-1/3) / pi
STEINHARDT: Mapping[str, None] = {"q2": None, "q4": None, "q6": None}
THIRDS = (0.5 - 0.16666667, 0.5 + 0.16666667)

# Coordination number -> name -> definition. A pair is the angle between two bonds and its inverse width. None stands
# for a parameter with a function of its own.
MOTIFS: Mapping[int, Mapping[str, Motif | tuple[float, float] | None]] = {
    1: {"sgl_bd": None},
    2: {
        "L-shaped": (0.5, 15.15),
        "water-like": (0.5802777777777778, 13.95),
        "bent 120 degrees": (0.666666666667, 13.25),
        "bent 150 degrees": (0.833333333333333, 12.45),
        "linear": (1.0, 8.667),
    },
    3: {
        "trigonal planar": Motif((0.66666666667,), 17.5, 1),
        "trigonal non-coplanar": Motif((TETRAHEDRAL,), 18.33, 1.5),
        "T-shaped": Motif((0.5,), 15.5, 1),
    },
    4: {
        "square co-planar": Motif((0.5,), 17.7, 1, south=0.75, south_width=13.5),
        "tetrahedral": Motif((TETRAHEDRAL,), 18.5, 1.5),
        "rectangular see-saw-like": Motif((0.5,), 27, 2, south=0.75, south_width=11.5, azimuth=0.75),
        "see-saw-like": Motif((0.5,), 15.75, 1.5, south=0.75, south_width=12.75),
        "trigonal pyramidal": Motif((0.5,), 15.5, 1.5),
    },
    5: {
        "pentagonal planar": Motif((0.4, 0.8), 19.333, 1),
        "square pyramidal": Motif((0.5,), 14.9, 2),
        "trigonal bipyramidal": Motif((0.5,), 16.6, 1.5, south=0.75, south_width=12),
    },
    6: {
        "hexagonal planar": Motif(THIRDS, 25, 1, south=5 / 6, south_width=7.5),
        "octahedral": Motif((0.5,), 18, 2, south=0.75, south_width=15),
        "pentagonal pyramidal": Motif((0.5,), 13.8, 2.5),
    },
    7: {
        "hexagonal pyramidal": Motif((0.5,), 12.5, 3),
        "pentagonal bipyramidal": Motif((0.5,), 14.75, 2.5, south=0.75, south_width=12.5),
    },
    8: {"body-centered cubic": None, "hexagonal bipyramidal": Motif((0.5,), 13.6, 3, south=0.75, south_width=14.1)},
    9: STEINHARDT,
    10: STEINHARDT,
    11: STEINHARDT,
    12: {"cuboctahedral": None, **STEINHARDT},
}


@dataclass(frozen=True)
class _Angles:
    """Angles of the N bonds of B atoms, in units of pi.

    polar (B, N, N): of bond k from pole j. azimuth (B, N, N, N): of bond m from the meridian k about the pole j.
    meridian (B, N, N): whether k is another bond than the pole. other (B, N, N, N): whether m is neither pole nor
    meridian, and the meridian k has a direction. turned (B, N, N, N): whether m also has an azimuth.
    """

    polar: Array
    azimuth: Array
    meridian: NDArray[np.bool_]
    other: NDArray[np.bool_]
    turned: NDArray[np.bool_]


def order_parameters(bonds: Array, weights: Array) -> Array:
    """The values (B, P) of the P order parameters of coordination number N, in the order of `MOTIFS[N]`.

    bonds (B, N, 3): from B atoms to their N neighbours, in any unit, with non-zero lengths. weights (B, N): the
    likelihood of each bond. Raises KeyError for an N that `MOTIFS` does not have.
    """
    motifs = MOTIFS[bonds.shape[1]]
    units = bonds / np.linalg.norm(bonds, axis=2, keepdims=True)
    angles = _angles(units)
    q = _steinhardt(units) if "q2" in motifs else {}
    columns: list[Array] = []
    for name, motif in motifs.items():
        if name in q:
            columns.append(q[name])
        elif isinstance(motif, Motif):
            columns.append(_motif_parameter(angles, motif))
        elif isinstance(motif, tuple):
            columns.append(_gauss(motif[1] * (angles.polar[:, 0, 1] - motif[0])))
        elif name == "sgl_bd":
            columns.append(np.ones(len(bonds)))
        elif name == "body-centered cubic":
            columns.append(_body_centred(angles, weights))
        else:
            columns.append(_cuboctahedral(angles))
    return np.stack(columns, axis=1)


def _gauss(x: Array) -> Array:
    return np.exp(-0.5 * x * x)


def _angle(cosine: Array) -> Array:
    return np.arccos(np.clip(cosine, -1.0, 1.0)) / math.pi


def _angles(units: Array) -> _Angles:
    n = units.shape[1]
    cosine = units @ units.transpose(0, 2, 1)
    pole = units[:, :, None]
    across = units[:, None] - (cosine / np.sum(units * units, axis=2)[:, :, None])[..., None] * pole  # (B, j, k, 3)
    length = np.linalg.norm(across, axis=3)
    turns = length >= ALIGNED
    across /= np.where(turns, length, 1.0)[..., None]
    azimuth = _angle(across @ across.transpose(0, 1, 3, 2))
    distinct = ~np.eye(n, dtype=bool)
    all_three = distinct[:, :, None] & distinct[:, None, :] & distinct[None, :, :]
    other = all_three & turns[:, :, :, None]
    meridian = np.broadcast_to(distinct, cosine.shape)
    return _Angles(_angle(cosine), azimuth, meridian, other, other & turns[:, :, None, :])


def _best_mean(value: Array, weight: Array) -> Array:
    """The largest weighted mean over poles and meridians, (B,), from the sums of values and of weights (B, N, N)."""
    return np.where(weight > 0, value / np.where(weight > 0, weight, 1.0), 0.0).max(axis=(1, 2))


def _motif_parameter(a: _Angles, motif: Motif) -> Array:
    off = np.min([np.abs(a.polar - p) for p in motif.polar], axis=0)
    fit = _gauss(motif.width * off)
    north = a.polar < motif.south
    first, counted = a.meridian & north, a.turned
    if motif.south < 1:
        counted = counted & north[:, :, :, None] & north[:, :, None, :]
    if motif.azimuth < 1:
        counted = counted & (a.azimuth < motif.azimuth)
    even = np.cos(motif.fold * math.pi * a.azimuth) ** 2
    value = first * fit + np.sum(counted * even * fit[:, :, None, :], axis=3)
    weight = first + np.sum(counted, axis=3, dtype=float)
    if motif.south < 1:
        opposite = a.other & ~north[:, :, None, :]
        value += np.sum(opposite * _gauss(motif.south_width * (a.polar - 1.0))[:, :, None, :], axis=3)
        weight += np.sum(opposite, axis=3)
    return _best_mean(value, weight)


def _body_centred(a: _Angles, weights: Array) -> Array:
    """Peters' parameter of a body-centred cubic shell. Each pair of bonds counts once, with the likelier bond as pole.

    If symmetry makes two weights equal or an angle 90 degrees, rounding would decide. So a pair with equal weights
    counts half with either pole, and a meridian at 90 degrees belongs to the northern half.
    """
    n = weights.shape[1]
    ahead = weights[:, :, None] - weights[:, None, :]
    once = np.where(np.abs(ahead) < EQUAL, 0.5, ahead > 0) * a.meridian
    south = 2.5261129449194057 / math.pi
    north = a.polar < south
    value = once * ~north * 6.0 * _gauss(15.0 * (a.polar - 1.0))
    t = (a.polar - 0.5) * math.pi / math.asin(1 / 3)
    wave = math.exp(0.5) * t * _gauss(t)
    side = np.where(a.polar > 0.5 + EQUAL, 1.0, -1.0) * once * north
    value += side * np.sum(a.turned * np.cos(3 * math.pi * a.azimuth) * wave[:, :, None, :], axis=3)
    return value.sum(axis=(1, 2)) / (0.5 * n * (6 + (n - 2) * (n - 3)))


def _cuboctahedral(a: _Angles) -> Array:
    low, high, south = 75 / 180, 105 / 180, 160 / 180
    opposite = a.meridian & (a.polar >= south)
    value = opposite * 1.8 * _gauss(28.75 * (a.polar - 1.0))
    weight: Array = 1.8 * opposite.astype(float)
    level = (a.polar > low) & (a.polar < high)
    counted = a.turned & level[:, :, :, None] & (a.polar < south)[:, :, None, :]
    equator = counted & level[:, :, None, :]
    cap = counted & ((a.polar < low) | (a.polar > high))[:, :, None, :]
    tilt = _gauss(0.0556 * (np.sin(math.pi * a.azimuth) - 0.81649658))
    off = np.where(a.polar < low, a.polar - 1 / 3, a.polar - 2 / 3)
    value += np.sum(equator * np.cos(math.pi * a.azimuth) ** 2 * _gauss(25.5 * (a.polar - 0.5))[:, :, None, :], axis=3)
    value += np.sum(cap * tilt * _gauss(31.25 * off)[:, :, None, :], axis=3)
    weight += np.sum(equator | cap, axis=3, dtype=float)
    return _best_mean(value, weight)


def _steinhardt(units: Array) -> dict[str, Array]:
    """Steinhardt's q_2, q_4 and q_6, each (B,), from Y_lm = K_lm P_l^(m)(z) (x + iy)^m on unit vectors."""
    powers = np.arange(7)
    moments = (units[..., 2:] ** powers).transpose(0, 2, 1) @ (units[..., :1] + 1j * units[..., 1:2]) ** powers
    q = np.linalg.norm(np.einsum("bpm,lmp->blm", moments, _harmonics()), axis=2) / units.shape[1]
    return dict(zip(STEINHARDT, q.T, strict=True))


@cache
def _harmonics() -> Array:
    """Coefficients (l, m, power of z) of sqrt(4 pi / (2l + 1)) K_lm P_l^(m)(z), l = 2, 4, 6; m also stands for -m."""
    from numpy.polynomial import legendre, polynomial

    out = np.zeros((3, 7, 7))
    for row, l in enumerate((2, 4, 6)):  # noqa: E741
        for m in range(l + 1):
            norm = (2 - (m == 0)) * math.factorial(l - m) / math.factorial(l + m)
            out[row, m, : l + 1 - m] = math.sqrt(norm) * polynomial.polyder(legendre.leg2poly([0] * l + [1]), m)
    return out
