"""Chooses one of the several ways to write a crystal in the standard setting of its space group.

The first elements get the first Wyckoff letters. Among the settings that do so, those with the most compact cell are
kept, and among these the one with the smallest coordinates. Numbers that differ only by rounding count as equal, so
that rounding has no influence on the choice.
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

LENGTH_TOLERANCE = 1e-3  # angstrom: lengths of cells that differ by less count as equal
COSINE_TOLERANCE = 1e-4  # cosines of angles that differ by less count as equal
COORDINATE_TOLERANCE = 1e-4  # fractional: parameters of sites that differ by less count as equal
_ON_POSITION = 1e-3  # fractional: largest distance of an atom from its position; moyopy puts atoms exactly on it


@dataclass(frozen=True)
class Orbit:
    """A set of equivalent atoms in some setting.

    rank: of the element, in `chem.elements.WRITING_ORDER`. place: the index of the Wyckoff position in the positions of
    the space group. parameters: the free ones.
    """

    rank: int
    place: int
    parameters: tuple[float, ...]


def parameters_of(number: int, place: int, atoms: Array) -> tuple[float, ...] | None:
    """The free parameters of atoms that fill a Wyckoff position; None if they are not on it.

    number: of the space group. atoms (m, 3): fractional coordinates in the primitive cell.
    """
    frame = frames(number)[place]
    free = len(frame.inverse)
    y = (atoms - frame.shift) @ frame.unimodular.T
    off = np.abs(y[:, free:] - y[:, free:].round()).max(1, initial=0)
    first = int(off.argmin())
    return tuple((frame.inverse @ y[first, :free] % 1.0).tolist()) if off[first] < _ON_POSITION else None


def positions_of(number: int, orbit: Orbit) -> Array:
    """The atoms of an orbit, exactly on their position: (m, 3), fractional coordinates of the primitive cell."""
    position = get_space_group(number).positions[orbit.place]
    return position.matrices @ np.array(orbit.parameters) + position.shifts


def chosen_setting(number: int, conventional: Array, orbits: Sequence[Orbit]) -> tuple[Array, list[Orbit]]:
    """The conventional cell (3, 3), in angstrom, and the orbits, sorted by rank, place and parameters, in the chosen
    setting. The arguments are those of any standard setting.

    The result is the crystal or its mirror image: only the lengths and angles of the returned vectors count, and the
    coordinates belong to a right-handed cell with these.
    """
    linear, shifts, letters = _compact_settings(number, conventional, orbits)
    change = get_space_group(number).primitive.T
    back = np.linalg.inv(change)
    atoms = [positions_of(number, o) for o in orbits]
    if normaliser(number).polar.any():
        firsts = np.array([x[0] @ change.T for x in atoms])
        linear, shifts, letters = _with_origin_on_atom(number, linear, shifts, letters, orbits, firsts)
    found = [
        _possible_parameters(
            number, letters[:, o.place], x @ (back @ linear @ change).swapaxes(1, 2) + (shifts @ back.T)[:, None]
        )
        for o, x in zip(orbits, atoms, strict=True)
    ]
    places = np.stack([letters[:, o.place] for o in orbits], axis=1)
    codes, numbers = _smallest_parameters(found)
    ranks = np.array([o.rank for o in orbits]) * 32 + places
    order = np.lexsort((codes, ranks), axis=1)
    sorted_codes = np.take_along_axis(codes, order, axis=1)
    best = int(np.lexsort(sorted_codes.T[::-1])[0])
    chosen = [
        Orbit(orbits[i].rank, int(places[best, i]), tuple(float(v) % 1.0 for v in numbers[i][best]))
        for i in order[best]
    ]
    return np.linalg.inv(linear[best]).T @ conventional, chosen


def _compact_settings(number: int, conventional: Array, orbits: Sequence[Orbit]) -> tuple[NDArray, Array, NDArray]:
    """The changes x -> W x + t to all settings with the first letters and the most compact cell.

    Returns W (K, 3, 3), t (K, 3), and the letters (K, P) as in `Normaliser`.
    """
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
    rows, inverse = _short_bases(number)
    linear = (inverse @ np.linalg.inv(change).T).round().astype(int)
    codes, allowed = _code_of_matrices(linear, table.modulus), _code_of_matrices(table.linear[best], table.modulus)
    possible = np.flatnonzero(np.isin(codes, allowed))
    possible = possible[_most_compact(rows[possible] @ (change @ conventional), number)]
    lift, which = np.nonzero(codes[possible][:, None] == allowed)
    return linear[possible[lift]], table.shifts[best[which]], table.letters[best[which]]


def _with_origin_on_atom(
    number: int, linear: NDArray, shifts: Array, letters: NDArray, orbits: Sequence[Orbit], firsts: Array
) -> tuple[NDArray, Array, NDArray]:
    """The settings with the origin, along the polar axes, on an atom of the first element with the first letter: one
    setting for each such atom."""
    rank = min(o.rank for o in orbits)
    own = [i for i, o in enumerate(orbits) if o.rank == rank]
    places = letters[:, [orbits[i].place for i in own]]
    setting, which = np.nonzero(places == places.min(1, keepdims=True))
    linear, shifts = linear[setting], shifts[setting]
    at = np.einsum("kij,kj->ki", linear, firsts[own][which]) + shifts
    return linear, shifts - at * normaliser(number).polar, letters[setting]


def _possible_parameters(number: int, places: NDArray, atoms: Array) -> Array:
    """All parameters that describe the atoms (K, m, 3) of an orbit in K settings: (K, n, d), padded with nan."""
    out: Array | None = None
    for place in np.unique(places):
        frame, own = frames(number)[place], np.flatnonzero(places == place)
        free = len(frame.inverse)
        y = (atoms[own] - frame.shift) @ frame.unimodular.T
        on = np.abs(y[..., free:] - y[..., free:].round()).max(-1, initial=0) < _ON_POSITION
        z = (y[..., :free] @ frame.inverse.T)[:, :, None] + frame.offsets
        z = np.where(on[..., None, None], (z + COORDINATE_TOLERANCE) % 1.0 - COORDINATE_TOLERANCE, np.nan)
        z = z.reshape(len(own), atoms.shape[1] * len(frame.offsets), free)
        if out is None:
            out = np.full((len(places), *z.shape[1:]), np.nan)
        if z.shape[1] > out.shape[1]:
            out = np.pad(out, ((0, 0), (0, z.shape[1] - out.shape[1]), (0, 0)), constant_values=np.nan)
        out[own, : z.shape[1]] = z
    assert out is not None
    return out


def _smallest_parameters(found: Sequence[Array]) -> tuple[NDArray[np.int64], list[Array]]:
    """The lexicographically smallest parameters of each orbit in each setting.

    Returns integers (K, orbits) that have the same order as the parameters and are equal if these are equal, and for
    each orbit its parameters (K, d).
    """
    every = np.sort(np.concatenate([z.ravel() for z in found]))
    every = every[~np.isnan(every)]
    starts = every[np.concatenate([[True], np.diff(every) > COORDINATE_TOLERANCE])] if len(every) else np.zeros(1)
    base = len(starts) + 1
    codes, chosen = [], []
    for z in found:
        place = np.searchsorted(starts, z, side="right")
        missing = np.isnan(z).any(-1)
        code = np.zeros(z.shape[:2], dtype=np.int64)
        for i in range(z.shape[2]):
            code = code * base + place[..., i]
        if (missing.sum(1) == z.shape[1]).any():
            raise NucleateError("after a change of setting atoms are not on their Wyckoff position")
        code[missing] = np.iinfo(np.int64).max
        least = code.argmin(1)
        rows = np.arange(len(z))
        codes.append(code[rows, least])
        chosen.append(z[rows, least])
    return np.stack(codes, axis=1), chosen


def _most_compact(cells: Array, number: int) -> NDArray[np.int64]:
    """The indices of the most compact of the cells (n, 3, 3), in angstrom: those with the smallest sum of lengths, then
    the shortest a, then the shortest b, then by their angles."""
    lengths = np.linalg.norm(cells, axis=2)
    kept = np.arange(len(cells))

    def keep(values: Callable[[NDArray], Array], tolerance: float) -> None:
        nonlocal kept
        own = values(kept)
        kept = kept[own <= own.min() + tolerance]

    keep(lambda k: lengths[k].sum(1), LENGTH_TOLERANCE)
    keep(lambda k: lengths[k, 0], LENGTH_TOLERANCE)
    keep(lambda k: lengths[k, 1], LENGTH_TOLERANCE)
    if number > 15:
        return kept
    unit = cells / lengths[..., None]
    cosines = np.stack([(unit[:, i] * unit[:, j]).sum(1) for i, j in ((1, 2), (0, 2), (0, 1))], axis=1)
    if number > 2:
        keep(lambda k: cosines[k, 1], COSINE_TOLERANCE)  # beta is 90 degrees or more
        return kept
    # As in Niggli's cell, all angles should be 90 degrees or less, or all 90 degrees or more, if that is possible.
    same = ((cosines > -COSINE_TOLERANCE).all(1) | (cosines < COSINE_TOLERANCE).all(1)).astype(float)
    keep(lambda k: -same[k], 0.5)
    for i in range(3):
        keep(lambda k, i=i: -cosines[k, i], COSINE_TOLERANCE)  # type: ignore[misc]
    return kept


def _reduction(number: int, conventional: Array) -> NDArray[np.int64]:
    """A matrix of whole numbers (3, 3) that makes the vectors of the cell short, by Minkowski's conditions. Of a
    monoclinic cell only a and c change."""
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
def _short_bases(number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The integer matrices (n, 3, 3) that give all short bases when they act on a reduced one, and their transposed
    inverses."""
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
        every = every[np.linalg.det(every) > 0]  # the others differ by the inversion, which belongs to the group
    return every, np.linalg.inv(every).swapaxes(1, 2).round().astype(int)


def _code_of_matrices(linear: NDArray, modulus: int) -> NDArray[np.int64]:
    """A number for each matrix (n, 3, 3), (n,), the same for matrices that are equal modulo `modulus`."""
    powers = modulus ** np.arange(9)
    return (linear % modulus).reshape(len(linear), 9) @ powers
