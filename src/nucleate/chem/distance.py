"""The element mover's distance: how far apart two compositions are on a one-dimensional periodic table.

Hargreaves, Dyer, Gaultois, Kurlin, Rosseinsky, Chem. Mater. 32, 10610 (2020): the least work that turns the atomic
fractions of one composition into those of the other, where an element moves along the modified Pettifor scale (Glawe,
Sanna, Gross, Marques, New J. Phys. 18, 093011 (2016)). In one dimension that is the area between the two cumulative
distributions, in steps on the scale: NaCl to KCl is 0.5, half of the atoms going one step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Glawe et al. (2016), number 1 to 103; elements after lawrencium have no place on the scale.
_SCALE = """
He Ne Ar Kr Xe Rn Fr Cs Rb K Na Li Ra Ba Sr Ca Eu Yb Lu Tm Y Er Ho Dy Tb Gd Sm Pm Nd Pr Ce La Ac Th Pa U Np Pu Am Cm Bk
Cf Es Fm Md No Lr Sc Zr Hf Ti Ta Nb V Cr Mo W Re Tc Os Ru Ir Rh Pt Pd Au Ag Cu Ni Co Fe Mn Mg Zn Cd Hg Be Al Ga In Tl Pb
Sn Ge Si B C N P As Sb Bi Po Te Se S O At I Br Cl F H
"""
MODIFIED_PETTIFOR: tuple[str, ...] = tuple(_SCALE.split())
_POSITION = {s: i for i, s in enumerate(MODIFIED_PETTIFOR)}
_FIRST = 64  # known compositions of about the same mean position that are looked at first
_ROUNDING = 1e-9  # of the means, in steps


def emd(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """The distance of two compositions (element -> amount, of any multiple), in steps on the scale, 0 to 102.

    Raises NucleateError for an element without a place on the scale, and for an empty composition.
    """
    for composition in (a, b):
        if not on_scale(composition):
            raise NucleateError(
                f"no place on the modified Pettifor scale for {dict(composition)}; it needs positive amounts of "
                "elements up to Lr"
            )
    left, right = _cumulative([a, b])
    return float(np.abs(left - right).sum())


def profiles(compositions: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
    """The cumulative distributions (n, 102) on the scale, whose city-block distances are the element mover's; a row is
    nan where a composition is not `on_scale`. Work done once for the many uses of known compositions."""
    out = np.full((len(compositions), len(MODIFIED_PETTIFOR) - 1), np.nan)
    rows = [i for i, c in enumerate(compositions) if on_scale(c)]
    if rows:
        out[rows] = _cumulative([compositions[i] for i in rows])
    return out


def distances(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """All distances (n, m) between `profiles` (n, 102) and (m, 102); nan where either is nan."""
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(ours, theirs, "cityblock"))


def on_scale(composition: Mapping[str, float]) -> bool:
    """Whether all elements have a place on the scale, in positive amounts."""
    return bool(composition) and all(s in _POSITION and n > 0 for s, n in composition.items())


def nearest(compositions: Sequence[Mapping[str, float]], known: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
    """The distance of each composition to the nearest known one, (n,); nan where it is not `on_scale`.

    Exact. The difference of two mean positions is never larger than the distance, so with the known compositions
    sorted by it only a few have to be compared. Known ones that are not on the scale are passed over; raises
    NucleateError when none is left.
    """
    usable = [k for k in known if on_scale(k)]
    if not usable:
        raise NucleateError("no known composition to compare with")
    theirs = np.unique(_cumulative(usable), axis=0)
    heights = theirs.sum(1)  # 102 less the mean position
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
    """(n, 102): the fraction of atoms at or before each place of the scale but the last, where it is always 1."""
    amounts = np.zeros((len(compositions), len(MODIFIED_PETTIFOR)))
    for i, composition in enumerate(compositions):
        for symbol, n in composition.items():
            amounts[i, _POSITION[symbol]] = n
    return np.cumsum(amounts / amounts.sum(1, keepdims=True), axis=1)[:, :-1]
