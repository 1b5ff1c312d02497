"""Normalisers of space groups: the changes of setting after which a space group still has its standard form.

A crystal can be written in the standard setting of its space group in several ways. They differ by an element of the
affine normaliser of the group (International Tables A (2016), chapter 3.5): another origin, exchanged axes, or a mirror
image. Such a change can rename the Wyckoff letters. The normaliser of a group is computed from the tables of
`crystal.wyckoff` when it is first needed, which takes about 10 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import permutations, product
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.wyckoff import SpaceGroup, WyckoffPosition, get_space_group

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GENERIC = np.array([0.1237, 0.2719, 0.3391])  # with these parameters a point is on no more special position
_EXACT = 1e-6  # fractional: largest error by rounding
_UNIT = 24  # translations of space groups are multiples of 1/24


@dataclass(frozen=True, eq=False)
class Normaliser:
    """K changes of setting x -> W x + t, in fractional coordinates of the conventional cell.

    There is only one of the changes that differ by an operation of the group.

    linear: (K, 3, 3) whole numbers. shifts: (K, 3). letters: (K, P), the index of the Wyckoff position that each of the
    P positions becomes. modulus: 0 if `linear` is W itself. Triclinic and monoclinic groups have infinitely many W; for
    them `linear` is W modulo this number, which determines shifts and letters. polar: (3,) bool, the axes along which
    the origin is free.
    """

    linear: NDArray[np.int64]
    shifts: NDArray[np.float64]
    letters: NDArray[np.int64]
    modulus: int
    polar: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PositionFrame:
    """Coordinates in which it is easy to recognise points on the first image of a Wyckoff position.

    For a position with d free parameters, a point x is on it if the last 3 - d entries of y = unimodular @ (x - shift)
    are whole numbers. Its parameters are then inverse @ y[:d], plus any of the offsets (n, d), modulo 1.
    """

    shift: NDArray[np.float64]
    unimodular: NDArray[np.float64]
    inverse: NDArray[np.float64]
    offsets: NDArray[np.float64]


@cache
def normaliser(number: int) -> Normaliser:
    """The normaliser of the space group `number` (1 to 230)."""
    table = get_space_group(number)
    modulus, linear = _linear_parts(number)
    change = table.primitive.T  # converts column coordinates of the primitive cell to the conventional one
    back = np.linalg.inv(change)
    rotations = (change @ table.rotations @ back).round().astype(int)
    polar = rotations.mean(0).diagonal() > 0.99
    unit = {1: 1, 2: 2}.get(number, 6 if 143 <= number <= 194 else 4 if number <= 15 else 8)
    grid = np.array(list(product(*(range(1 if free else unit) for free in polar)))) / unit
    found: dict[bytes, tuple[NDArray, NDArray]] = {}
    for w in linear:
        if not _is_whole(back @ w @ change):
            continue  # this matrix does not keep the centring
        for t in _origin_shifts(table, w, grid, modulus):
            found.setdefault(_coset_key(table, back @ w @ change, back @ t, modulus), (w, t))
    whole, shifts = map(np.array, zip(*found.values(), strict=True))
    letters = _letters_after(table, back @ whole @ change, shifts @ back.T)
    good = (np.sort(letters, axis=1) == np.arange(len(table.positions))).all(1)
    return Normaliser(whole[good], shifts[good], letters[good], modulus, polar)


@lru_cache(maxsize=50_000)
def first_letters(number: int, letters: tuple[tuple[int, ...], ...]) -> NDArray[np.int64]:
    """The changes of setting that give the first chemical element the first Wyckoff positions, then the second element
    the first of what is left, and so on.

    letters: for each chemical element the indices of the positions of its sites. Returns the indices in `normaliser` of
    all changes that do so equally well.
    """
    moved = normaliser(number).letters
    keys = np.concatenate([np.sort(moved[:, list(own)], axis=1) for own in letters], axis=1)
    return np.flatnonzero((keys == keys[np.lexsort(keys.T[::-1])[0]]).all(1))


@cache
def frames(number: int) -> tuple[PositionFrame, ...]:
    """The frame of each Wyckoff position of a space group, in fractional coordinates of the primitive cell."""
    return tuple(map(_frame_of, get_space_group(number).positions))


def _linear_parts(number: int) -> tuple[int, NDArray[np.int64]]:
    """The modulus (0 for all but triclinic and monoclinic groups), and candidates for W (n, 3, 3) in the conventional
    cell, by crystal family."""
    if number == 1:
        return 1, np.zeros((1, 3, 3), dtype=int)
    if number == 2:
        every = np.array(list(product(range(2), repeat=9))).reshape(-1, 3, 3)
        return 2, every[np.linalg.det(every).round().astype(int) % 2 == 1]
    if number <= 15:
        plane = np.array(list(product(range(4), repeat=4))).reshape(-1, 2, 2)
        plane = plane[np.linalg.det(plane).round().astype(int) % 2 == 1]
        every = np.zeros((2, len(plane), 3, 3), dtype=int)
        every[:, :, ::2, ::2] = plane
        every[:, :, 1, 1] = [[1], [3]]
        return 4, every.reshape(-1, 3, 3)
    if 143 <= number <= 194:
        turn, swap = np.array([[1, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])
        power = np.linalg.matrix_power
        return 0, np.array([
            power(turn, i) @ power(swap, j) @ np.diag([1, 1, k]) for i in range(6) for j in (0, 1) for k in (1, -1)
        ])  # fmt: skip
    signed = [
        np.diag(s) @ np.eye(3, dtype=int)[list(p)] for p in permutations(range(3)) for s in product((1, -1), repeat=3)
    ]
    tetragonal = 75 <= number <= 142
    return 0, np.array([w for w in signed if not tetragonal or w[2, 2]])


def _origin_shifts(table: SpaceGroup, w: NDArray, grid: NDArray, modulus: int) -> NDArray:
    """The points t of a grid (n, 3) for which x -> w x + t maps the group onto itself."""
    change = table.primitive.T
    back = np.linalg.inv(change)
    wp = back @ w @ change
    inverse = None if modulus else np.linalg.inv(wp)
    good = np.ones(len(grid), dtype=bool)
    for r, t in zip(table.rotations, table.translations, strict=True):
        image = r if inverse is None else wp @ r @ inverse  # triclinic and monoclinic ones commute with w
        same = np.flatnonzero(np.abs(table.rotations - image).max((1, 2)) < _EXACT)
        if not len(same):
            return grid[:0]
        off = wp @ t + (grid @ back.T) @ (np.eye(3) - image).T - table.translations[same[0]]
        good &= (np.abs(off - off.round()) < _EXACT).all(1)
    return grid[good]


def _coset_key(table: SpaceGroup, wp: NDArray, tp: NDArray, modulus: int) -> bytes:
    """A key that is the same for changes of setting that differ only by an operation of the group."""
    if modulus:
        every = np.concatenate([wp.round().ravel(), (tp * _UNIT).round() % _UNIT]).astype(np.int8)
        return every.tobytes()
    linear = (wp @ table.rotations).round().reshape(-1, 9)
    shifts = ((table.translations @ wp.T + tp) * _UNIT).round() % _UNIT
    every = np.concatenate([linear, shifts], axis=1).astype(np.int8)
    return every[np.lexsort(every.T)[0]].tobytes()


def _letters_after(table: SpaceGroup, wp: NDArray, tp: NDArray) -> NDArray[np.int64]:
    """The index of the Wyckoff position that each position becomes by each change: (K, P), -1 for none."""
    kinds = np.array([(p.free, p.size) for p in table.positions])
    points = np.array([p.matrices[0] @ _GENERIC[: p.free] + p.shifts[0] for p in table.positions])
    moved = np.einsum("kij,pj->kpi", wp, points) + tp[:, None]
    images = np.einsum("gij,kpj->kpgi", table.rotations, moved) + table.translations
    out = np.full(moved.shape[:2], -1)
    for place, (position, frame) in enumerate(zip(table.positions, frames(table.number), strict=True)):
        like = np.flatnonzero((kinds == kinds[place]).all(1))
        y = (images[:, like] - frame.shift) @ frame.unimodular[position.free :].T
        on = (np.abs(y - y.round()) < _EXACT).all(-1).any(-1)
        out[:, like] = np.where(on & (out[:, like] < 0), place, out[:, like])
    return out


def _frame_of(position: WyckoffPosition) -> PositionFrame:
    """The frame of a position, from Hermite's normal form of its matrix: unimodular @ matrix = [h; 0], h triangular."""
    h, u = position.matrices[0].round().astype(int), np.eye(3, dtype=int)
    free = position.free
    for k in range(free):
        while np.count_nonzero(h[k:, k]) > 1 or not h[k, k]:
            below = k + np.flatnonzero(h[k:, k])
            pivot = int(below[np.abs(h[below, k]).argmin()])
            h[[k, pivot]], u[[k, pivot]] = h[[pivot, k]], u[[pivot, k]]
            factors = h[k + 1 :, k] // h[k, k]
            h[k + 1 :] -= factors[:, None] * h[k]
            u[k + 1 :] -= factors[:, None] * u[k]
    inverse = np.linalg.inv(h[:free]) if free else np.zeros((0, 0))
    steps = np.array(list(product(range(4), repeat=free))).reshape(4**free, free) @ inverse.T
    offsets = np.unique((steps * _UNIT).round() % _UNIT, axis=0) / _UNIT
    return PositionFrame(position.shifts[0], u.astype(float), inverse, offsets)


def _is_whole(values: NDArray) -> bool:
    return bool(np.abs(values - values.round()).max() < _EXACT)
