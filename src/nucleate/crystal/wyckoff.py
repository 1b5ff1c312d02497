"""The 230 space groups and their Wyckoff positions as arrays, in the standard setting of the International Tables
(vol. A): unique axis b with cell choice 1, origin choice 2, hexagonal axes.

Everything refers to a *primitive* cell, because it has the fewest atoms. Its vectors are a fixed combination of those
of the conventional cell, whose lengths and angles obey simple rules. The tables are in a text file in the same folder,
written by scripts/wyckoff_table.py from PyXtal (Fredericks et al., Comput. Phys. Commun. 261, 107810 (2021)).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROUP_NUMBERS = range(1, 231)
# For each centring the vectors of the primitive cell, in rows, as combinations of those of the conventional one
_PRIMITIVE = {
    "P": np.eye(3),
    "A": np.array([[1, 0, 0], [0, 0.5, 0.5], [0, -0.5, 0.5]]),
    "C": np.array([[0.5, 0.5, 0], [-0.5, 0.5, 0], [0, 0, 1]]),
    "I": np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]]),
    "F": np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
    "R": np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3,
}
_UNIT = 24  # translations of all space groups are multiples of 1/24, in both cells
_TERM = re.compile(r"([+-]?)(?:(\d+)/(\d+)|(\d*)([xyz])|(\d+))")


@dataclass(frozen=True, eq=False)
class WyckoffPosition:
    """A Wyckoff position with d free parameters z, each of period 1. It has m equivalent atoms in the primitive cell;
    atom k is at matrices[k] @ z + shifts[k].

    multiplicity: atoms in the conventional cell. site_symmetry: oriented symbol, as PyXtal writes it (no dot at its
    end). matrices: (m, 3, d) and shifts: (m, 3), in fractional coordinates of the primitive cell; atom 0 is the
    representative. operations: (m,), the index of the space group's operation that moves atom 0 to each atom.
    """

    letter: str
    multiplicity: int
    site_symmetry: str
    matrices: NDArray[np.float64]
    shifts: NDArray[np.float64]
    operations: NDArray[np.int64]

    @property
    def size(self) -> int:
        """The number of atoms in the primitive cell."""
        return len(self.shifts)

    @property
    def free(self) -> int:
        """The number of free parameters, 0 to 3."""
        return self.matrices.shape[2]

    @property
    def label(self) -> str:
        """The name in the International Tables, such as "4c"."""
        return f"{self.multiplicity}{self.letter}"


@dataclass(frozen=True, eq=False)
class SpaceGroup:
    """A space group. Its operations x -> W x + w act on columns of fractional coordinates of the primitive cell.

    primitive: (3, 3), the vectors of the primitive cell, in rows, as combinations of those of the conventional one.
    rotations: (G, 3, 3) integers, the matrices W, each once, the identity first. translations: (G, 3), the vectors w.
    positions: a, b, c, ...; the last one is the general position.
    """

    number: int
    symbol: str
    primitive: NDArray[np.float64]
    rotations: NDArray[np.float64]
    translations: NDArray[np.float64]
    positions: tuple[WyckoffPosition, ...]

    @property
    def order(self) -> int:
        """The number of operations, not counting translations of the lattice."""
        return len(self.rotations)

    @property
    def operations(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(rotations, translations)."""
        return self.rotations, self.translations

    @property
    def lattice_points(self) -> int:
        """The number of primitive cells in a conventional cell."""
        return round(1 / float(np.linalg.det(self.primitive)))

    def index(self, letter: str) -> int:
        """The index of a Wyckoff letter in `positions`. Raises NucleateError for a letter that the group lacks."""
        letters = [p.letter for p in self.positions]
        if letter not in letters:
            raise NucleateError(
                f"space group {self.symbol} has no Wyckoff position '{letter}'; it has {', '.join(letters)}"
            )
        return letters.index(letter)


@cache
def get_space_group(number: int) -> SpaceGroup:
    """The space group with a number from 1 to 230. Raises NucleateError for another number."""
    if number not in GROUP_NUMBERS:
        raise NucleateError(f"space groups have numbers 1 to 230, not {number}")
    head, ops, *rows = _blocks()[number - 1].splitlines()
    symbol = head.split("\t")[1]
    primitive = _PRIMITIVE[symbol[0]]
    change = np.linalg.inv(primitive).T.round().astype(int)  # columns of the conventional cell to the primitive one
    rotations, translations = map(np.array, zip(*(_affine(op, change) for op in ops.split("; ")), strict=True))
    rotations = (rotations @ np.linalg.inv(change)).round().astype(int)
    return SpaceGroup(
        number,
        symbol,
        primitive,
        rotations.astype(float),
        translations / _UNIT,
        tuple(_position(row, change, rotations, translations) for row in rows),
    )


def smoothed_frequencies(number: int, sites: Sequence[int], crystals: int) -> dict[str, float]:
    """Wyckoff letter -> mean number of sites on it in a crystal of the space group.

    sites: the total number of sites on each position in `crystals` crystals. The means are smoothed by one additional
    crystal with one site, which is spread evenly over all positions.
    """
    positions = get_space_group(number).positions
    return {p.letter: (n + 1 / len(positions)) / (crystals + 1) for p, n in zip(positions, sites, strict=True)}


def _position(row: str, change: NDArray, rotations: NDArray, translations: NDArray) -> WyckoffPosition:
    """A Wyckoff position from its row in the table: the images of its representative by all operations, where images
    that are equal for all parameters are kept once. It is computed exactly, in integer multiples of 1/24."""
    letter, multiplicity, symmetry, text = row.split("\t")
    matrix, shift = _affine(text, change)
    matrix = matrix[:, np.abs(matrix).sum(0) > 0]
    found: dict[bytes, tuple[NDArray, NDArray, int]] = {}
    for i, (w, t) in enumerate(zip(rotations, translations, strict=True)):
        image, moved = w @ matrix, (w @ shift + t) % _UNIT
        found.setdefault(image.tobytes() + moved.tobytes(), (image, moved, i))
    images, shifts, operations = map(np.array, zip(*found.values(), strict=True))
    return WyckoffPosition(letter, int(multiplicity), symmetry, images.astype(float), shifts / _UNIT, operations)


def _affine(text: str, change: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The matrix and the shift, as multiples of 1/24, of a text such as "x,x-y,z+1/2", both multiplied by `change` from
    the left."""
    matrix, shift = np.zeros((3, 3), dtype=int), np.zeros(3, dtype=int)
    for row, part in enumerate(text.split(",")):
        for sign, over, under, factor, name, whole in _TERM.findall(part):
            one = -1 if sign == "-" else 1
            if name:
                matrix[row, "xyz".index(name)] += one * int(factor or 1)
            else:
                shift[row] += one * (_UNIT * int(over) // int(under) if over else _UNIT * int(whole))
    return change @ matrix, change @ shift % _UNIT


@cache
def _blocks() -> list[str]:
    return files("nucleate.crystal").joinpath("wyckoff.txt").read_text().strip().split("\n\n")
