"""The element mover's distance: how far apart two compositions are on a one-dimensional periodic table.

It is the least work that turns the atomic fractions of one composition into those of the other (Hargreaves, Dyer,
Gaultois, Kurlin, Rosseinsky, Chem. Mater. 32, 10610 (2020)). Work is the fraction of atoms that is moved times the
number of steps along the modified Pettifor scale of elements (Glawe, Sanna, Gross, Marques, New J. Phys. 18, 093011
(2016)). In one dimension that equals the area between the two cumulative distributions. From NaCl to KCl it is 0.5,
because half of the atoms move by one step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.elements import SYMBOLS
from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The scale of Glawe et al. (2016), positions 1 to 103; elements after lawrencium are not on it.
_SCALE = """
He Ne Ar Kr Xe Rn Fr Cs Rb K Na Li Ra Ba Sr Ca Eu Yb Lu Tm Y Er Ho Dy Tb Gd Sm Pm Nd Pr Ce La Ac Th Pa U Np Pu Am Cm Bk
Cf Es Fm Md No Lr Sc Zr Hf Ti Ta Nb V Cr Mo W Re Tc Os Ru Ir Rh Pt Pd Au Ag Cu Ni Co Fe Mn Mg Zn Cd Hg Be Al Ga In Tl Pb
Sn Ge Si B C N P As Sb Bi Po Te Se S O At I Br Cl F H
"""
MODIFIED_PETTIFOR: tuple[str, ...] = tuple(_SCALE.split())
_POSITION = {s: i for i, s in enumerate(MODIFIED_PETTIFOR)}
_NOWHERE = len(MODIFIED_PETTIFOR)  # the place of elements that are not on the scale
# By atomic number, the place on the scale; the one after the last for 0 and for elements that are not on it
PLACES = np.array([_NOWHERE, *(_POSITION.get(s, _NOWHERE) for s in SYMBOLS)])
_FIRST = 64  # the number of known compositions with a similar mean position that are compared first
_ROUNDING = 1e-9  # the error of mean positions by rounding, in steps


def element_movers_distance(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """The distance of two compositions (element -> amount), in steps on the scale, from 0 to 102.

    Raises NucleateError for an element that is not on the scale, and for an empty composition.
    """
    for composition in (a, b):
        if not on_scale(composition):
            raise NucleateError(
                f"{dict(composition)} is not on the modified Pettifor scale; give positive amounts of elements up to Lr"
            )
    left, right = _cumulative([a, b])
    return float(np.abs(left - right).sum())


def cumulative_profiles(compositions: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
    """The cumulative distributions (n, 102) of compositions on the scale; NaN for a composition that is not `on_scale`.

    The city-block distance of two profiles is the element mover's distance. Profiles of known compositions are computed
    once and used for many distances.
    """
    out = np.full((len(compositions), len(MODIFIED_PETTIFOR) - 1), np.nan)
    rows = [i for i, c in enumerate(compositions) if on_scale(c)]
    if rows:
        out[rows] = _cumulative([compositions[i] for i in rows])
    return out


def number_profiles(numbers: NDArray[np.integer], counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """As `cumulative_profiles`, of compositions as arrays: atomic numbers (n, K), 0 for none, and the atoms of each
    (n, K)."""
    places = PLACES[numbers]
    amounts = np.zeros((len(numbers), _NOWHERE + 1))
    np.put_along_axis(amounts, places, counts, axis=1)
    out = np.cumsum(amounts[:, :_NOWHERE] / counts.sum(1, dtype=float)[:, None], axis=1)[:, :-1]
    out[((places == _NOWHERE) & (numbers > 0)).any(1)] = np.nan
    return out


def profile_distances(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """All distances (n, m) between `cumulative_profiles` (n, 102) and (m, 102); NaN where one of the two is NaN."""
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(ours, theirs, "cityblock"))


def on_scale(composition: Mapping[str, float]) -> bool:
    """Whether all elements of a composition are on the scale and have positive amounts."""
    return bool(composition) and all(s in _POSITION and n > 0 for s, n in composition.items())


def nearest_distances(
    compositions: Sequence[Mapping[str, float]], known: Sequence[Mapping[str, float]]
) -> NDArray[np.float64]:
    """The distance of each composition to the nearest known one, (n,); NaN for a composition that is not `on_scale`.

    The result is exact. Two compositions differ in their mean position on the scale by no more than their distance, so
    that only the known compositions with a similar mean position need to be compared. Known compositions that are not
    on the scale are ignored; raises NucleateError if none is left.
    """
    usable = [k for k in known if on_scale(k)]
    if not usable:
        raise NucleateError("no known composition to compare with")
    theirs = np.unique(_cumulative(usable), axis=0)
    heights = theirs.sum(1)  # 102 minus the mean position
    order = np.argsort(heights, kind="stable")
    theirs, heights = theirs[order], heights[order]
    out = np.full(len(compositions), np.nan)
    rows = [i for i, c in enumerate(compositions) if on_scale(c)]
    if not rows:
        return out
    mine, back = np.unique(_cumulative([compositions[i] for i in rows]), axis=0, return_inverse=True)
    found = np.empty(len(mine))
    for i, row in enumerate(mine):
        height = row.sum()
        middle = int(np.searchsorted(heights, height))
        bound = _least(row, theirs[max(middle - _FIRST, 0) : middle + _FIRST])
        low, high = np.searchsorted(heights, [height - bound - _ROUNDING, height + bound + _ROUNDING])
        found[i] = min(bound, _least(row, theirs[low:high]))
    out[rows] = found[back.ravel()]
    return out


def _least(row: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    return float(np.abs(others - row).sum(1).min()) if len(others) else np.inf


def _cumulative(compositions: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
    """(n, 102): the fraction of atoms at or before each position of the scale. The last position is left out, because
    the fraction is always 1 there."""
    amounts = np.zeros((len(compositions), len(MODIFIED_PETTIFOR)))
    for i, composition in enumerate(compositions):
        for symbol, n in composition.items():
            amounts[i, _POSITION[symbol]] = n
    return np.cumsum(amounts / amounts.sum(1, keepdims=True), axis=1)[:, :-1]
