"""A crystal can be written in the standard setting of its space group in several ways; this chooses one of them.

The first elements get the first Wyckoff letters; of the settings that do so the most compact cell is taken, and of what
remains the least coordinates. Numbers that differ by rounding alone count as equal, so that rounding decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.normalisers import first_letters, frames, normaliser
from nucleate.crystal.wyckoff import get_space_group
from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LENGTH = 1e-3  # angstrom: cells whose lengths differ by less are compared by what comes next
COSINE = 1e-4
COORDINATE = 1e-4  # fractional: parameters of sites that differ by less are equal
_ON_POSITION = 1e-3  # fractional: how far from its position an atom may be; moyopy puts atoms there exactly


@dataclass(frozen=True)
class Orbit:
    """Equivalent atoms in some setting: an element by its rank, the place of the Wyckoff position, free parameters."""

    rank: int
    place: int
    parameters: tuple[float, ...]


def parameters_of(number: int, place: int, atoms: Array) -> tuple[float, ...] | None:
    """Free parameters of atoms (m, 3), in the primitive cell, that fill a position; None where they are not on it."""
    frame = frames(number)[place]
    free = len(frame.inverse)
    y = (atoms - frame.shift) @ frame.unimodular.T
    off = np.abs(y[:, free:] - y[:, free:].round()).max(1, initial=0)
    first = int(off.argmin())
    return tuple((frame.inverse @ y[first, :free] % 1.0).tolist()) if off[first] < _ON_POSITION else None


def positions_of(number: int, orbit: Orbit) -> Array:
    """(m, 3): the atoms of an orbit, exactly on their position, in the primitive cell."""
    position = get_space_group(number).positions[orbit.place]
    return position.matrices @ np.array(orbit.parameters) + position.shifts


def chosen_setting(number: int, conventional: Array, orbits: Sequence[Orbit]) -> tuple[Array, list[Orbit]]:
    """The conventional cell (3, 3) and the orbits, sorted by rank, place and parameters, in the chosen setting.

    The result is the crystal or its mirror image: the vectors have the lengths and angles of the crystal's, and the
    coordinates hold in a right-handed cell of these.
    """
    linear, shifts, letters = _settings(number, conventional, orbits)
    change = get_space_group(number).primitive.T
    back = np.linalg.inv(change)
    atoms = [positions_of(number, o) for o in orbits]
    if normaliser(number).polar.any():
        firsts = np.array([x[0] @ change.T for x in atoms])
        linear, shifts, letters = _anchored(number, linear, shifts, letters, orbits, firsts)
    found = [
        _parameters(
            number, letters[:, o.place], x @ (back @ linear @ change).swapaxes(1, 2) + (shifts @ back.T)[:, None]
        )
        for o, x in zip(orbits, atoms, strict=True)
    ]
    places = np.stack([letters[:, o.place] for o in orbits], axis=1)
    codes, numbers = _least(found)
    ranks = np.array([o.rank for o in orbits]) * 32 + places
    order = np.lexsort((codes, ranks), axis=1)
    sorted_codes = np.take_along_axis(codes, order, axis=1)
    best = int(np.lexsort(sorted_codes.T[::-1])[0])
    chosen = [
        Orbit(orbits[i].rank, int(places[best, i]), tuple(float(v) % 1.0 for v in numbers[i][best]))
        for i in order[best]
    ]
    return np.linalg.inv(linear[best]).T @ conventional, chosen


def _settings(number: int, conventional: Array, orbits: Sequence[Orbit]) -> tuple[NDArray, Array, NDArray]:
    """W (K, 3, 3), t (K, 3) and the letters (K, P) of all settings with the first letters and the most compact cell."""
    by_rank: dict[int, list[int]] = {}
    for o in sorted(orbits, key=lambda o: (o.rank, o.place)):
        by_rank.setdefault(o.rank, []).append(o.place)
    table = normaliser(number)
    best = first_letters(number, tuple(map(tuple, by_rank.values())))
    if not table.modulus:
        linear = table.linear[best]
        if number <= 74:
            kept = _most_compact(np.linalg.inv(linear).swapaxes(1, 2) @ conventional, number)
            best, linear = best[kept], linear[kept]
        return linear, table.shifts[best], table.letters[best]
    change = _reduction(number, conventional)
    rows, inverse = _lifts(number)
    linear = (inverse @ np.linalg.inv(change).T).round().astype(int)
    codes, allowed = _code(linear, table.modulus), _code(table.linear[best], table.modulus)
    possible = np.flatnonzero(np.isin(codes, allowed))
    possible = possible[_most_compact(rows[possible] @ (change @ conventional), number)]
    lift, which = np.nonzero(codes[possible][:, None] == allowed)
    return linear[possible[lift]], table.shifts[best[which]], table.letters[best[which]]


def _anchored(
    number: int, linear: NDArray, shifts: Array, letters: NDArray, orbits: Sequence[Orbit], firsts: Array
) -> tuple[NDArray, Array, NDArray]:
    """Settings whose origin lies, along the polar axes, on an atom of the first element and letter: on each in turn."""
    rank = min(o.rank for o in orbits)
    own = [i for i, o in enumerate(orbits) if o.rank == rank]
    places = letters[:, [orbits[i].place for i in own]]
    setting, which = np.nonzero(places == places.min(1, keepdims=True))
    linear, shifts = linear[setting], shifts[setting]
    at = np.einsum("kij,kj->ki", linear, firsts[own][which]) + shifts
    return linear, shifts - at * normaliser(number).polar, letters[setting]


def _parameters(number: int, places: NDArray, atoms: Array) -> Array:
    """(K, n, d): all parameters with which the atoms (K, m, 3) of an orbit can be given, nan for none."""
    out: Array | None = None
    for place in np.unique(places):
        frame, own = frames(number)[place], np.flatnonzero(places == place)
        free = len(frame.inverse)
        y = (atoms[own] - frame.shift) @ frame.unimodular.T
        on = np.abs(y[..., free:] - y[..., free:].round()).max(-1, initial=0) < _ON_POSITION
        z = (y[..., :free] @ frame.inverse.T)[:, :, None] + frame.offsets
        z = np.where(on[..., None, None], (z + COORDINATE) % 1.0 - COORDINATE, np.nan)
        z = z.reshape(len(own), atoms.shape[1] * len(frame.offsets), free)
        if out is None:
            out = np.full((len(places), *z.shape[1:]), np.nan)
        if z.shape[1] > out.shape[1]:
            out = np.pad(out, ((0, 0), (0, z.shape[1] - out.shape[1]), (0, 0)), constant_values=np.nan)
        out[own, : z.shape[1]] = z
    assert out is not None
    return out


def _least(found: Sequence[Array]) -> tuple[NDArray[np.int64], list[Array]]:
    """Of each orbit and setting the least parameters, in lexicographic order.

    Returns (K, orbits) numbers in that order, equal where parameters are, and of each orbit its parameters (K, d).
    """
    every = np.sort(np.concatenate([z.ravel() for z in found]))
    every = every[~np.isnan(every)]
    starts = every[np.concatenate([[True], np.diff(every) > COORDINATE])] if len(every) else np.zeros(1)
    base = len(starts) + 1
    codes, chosen = [], []
    for z in found:
        place = np.searchsorted(starts, z, side="right")
        missing = np.isnan(z).any(-1)
        code = np.zeros(z.shape[:2], dtype=np.int64)
        for i in range(z.shape[2]):
            code = code * base + place[..., i]
        if (missing.sum(1) == z.shape[1]).any():
            raise NucleateError("a change of setting put atoms off their Wyckoff position")
        code[missing] = np.iinfo(np.int64).max
        least = code.argmin(1)
        rows = np.arange(len(z))
        codes.append(code[rows, least])
        chosen.append(z[rows, least])
    return np.stack(codes, axis=1), chosen


def _most_compact(cells: Array, number: int) -> NDArray[np.int64]:
    """Which of the cells (n, 3, 3) are the most compact: the shortest in sum, then in a, in b; then by their angles."""
    lengths = np.linalg.norm(cells, axis=2)
    kept = np.arange(len(cells))

    def keep(values: Callable[[NDArray], Array], tolerance: float) -> None:
        nonlocal kept
        own = values(kept)
        kept = kept[own <= own.min() + tolerance]

    keep(lambda k: lengths[k].sum(1), LENGTH)
    keep(lambda k: lengths[k, 0], LENGTH)
    keep(lambda k: lengths[k, 1], LENGTH)
    if number > 15:
        return kept
    unit = cells / lengths[..., None]
    cosines = np.stack([(unit[:, i] * unit[:, j]).sum(1) for i, j in ((1, 2), (0, 2), (0, 1))], axis=1)
    if number > 2:
        keep(lambda k: cosines[k, 1], COSINE)  # beta is 90 degrees or more
        return kept
    # as in Niggli's cell all angles are 90 degrees or less, or all 90 degrees or more, where that is possible
    same = ((cosines > -COSINE).all(1) | (cosines < COSINE).all(1)).astype(float)
    keep(lambda k: -same[k], 0.5)
    for i in range(3):
        keep(lambda k, i=i: -cosines[k, i], COSINE)  # type: ignore[misc]
    return kept


def _reduction(number: int, conventional: Array) -> NDArray[np.int64]:
    """Whole numbers (3, 3) that make short vectors of those of the cell, by Minkowski's conditions; a and c alone of a
    monoclinic cell."""
    axes = [0, 2] if number > 2 else [0, 1, 2]
    steps = np.array(list(product((-1, 0, 1), repeat=len(axes) - 1)))
    change = np.eye(3, dtype=int)
    moved = True
    while moved:
        moved = False
        for axis in axes:
            others = [i for i in axes if i != axis]
            vectors = change @ conventional
            nearest = np.linalg.lstsq(vectors[others].T, vectors[axis], rcond=None)[0].round()
            tried = (change[axis] - (steps + nearest).round().astype(int) @ change[others]).astype(int)
            lengths = np.linalg.norm(tried @ conventional, axis=1)
            best = int(lengths.argmin())
            if lengths[best] < np.linalg.norm(vectors[axis]) - 1e-6:
                change[axis], moved = tried[best], True
    return change


@cache
def _lifts(number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Whole matrices (n, 3, 3) that make all short bases of a reduced one, and their transposed inverses."""
    if number <= 2:
        every = np.array(list(product((-1, 0, 1), repeat=9))).reshape(-1, 3, 3)
    else:
        plane = np.array(list(product(range(-2, 3), repeat=4))).reshape(-1, 2, 2)
        every = np.zeros((2, len(plane), 3, 3), dtype=int)
        every[:, :, ::2, ::2] = plane
        every[:, :, 1, 1] = [[1], [-1]]
        every = every.reshape(-1, 3, 3)
    every = every[np.abs(np.linalg.det(every)).round() == 1]
    if number == 2:
        every = every[np.linalg.det(every) > 0]  # the others differ by the inversion, which is in the group
    return every, np.linalg.inv(every).swapaxes(1, 2).round().astype(int)


def _code(linear: NDArray, modulus: int) -> NDArray[np.int64]:
    """(n, 3, 3) -> (n,): the same number for matrices that are the same modulo `modulus`."""
    powers = modulus ** np.arange(9)
    return (linear % modulus).reshape(len(linear), 9) @ powers
