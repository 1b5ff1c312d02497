"""Space groups and their Wyckoff positions as plain arrays, for all 230 groups in the standard setting of the
International Tables (vol. A): unique axis b with cell choice 1, origin choice 2, hexagonal axes.

Everything refers to a *primitive* cell, which has the fewest atoms; its vectors are a fixed combination of those of the
conventional cell, on whose lengths and angles symmetry acts simply. The tables are a text file beside this one, written
by scripts/wyckoff_table.py from PyXtal (Fredericks et al., Comput. Phys. Commun. 261, 107810 (2021)).
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

GROUPS = range(1, 231)
# Rows: the vectors of a primitive cell in those of the conventional one, by the centring
_PRIMITIVE = {
    "P": np.eye(3),
    "A": np.array([[1, 0, 0], [0, 0.5, 0.5], [0, -0.5, 0.5]]),
    "C": np.array([[0.5, 0.5, 0], [-0.5, 0.5, 0], [0, 0, 1]]),
    "I": np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]]),
    "F": np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
    "R": np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3,
}
_UNIT = 24  # translations of all groups are whole multiples of 1/24, in both cells
_TERM = re.compile(r"([+-]?)(?:(\d+)/(\d+)|(\d*)([xyz])|(\d+))")


@dataclass(frozen=True, eq=False)
class WyckoffPosition:
    """A set of equivalent atoms with d free parameters z, each of period 1: image k is at matrices[k] @ z + shifts[k].

    letter; multiplicity: atoms in the conventional cell; site_symmetry: oriented symbol, as PyXtal writes it (no dot
    at its end). matrices: (m, 3, d) and shifts: (m, 3), fractional in the primitive cell, whose m atoms these are; the
    first is the representative. operations: (m,) the operation of the group that takes the first to each of them.
    """

    letter: str
    multiplicity: int
    site_symmetry: str
    matrices: NDArray[np.float64]
    shifts: NDArray[np.float64]
    operations: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Atoms in the primitive cell."""
        return len(self.shifts)

    @property
    def free(self) -> int:
        """Number of free parameters, 0 to 3."""
        return self.matrices.shape[2]

    @property
    def label(self) -> str:
        """The name in the International Tables, such as "4c"."""
        return f"{self.multiplicity}{self.letter}"


@dataclass(frozen=True, eq=False)
class SpaceGroup:
    """A space group; its operations act on columns of fractional coordinates of the primitive cell, x -> W x + w.

    primitive: (3, 3), rows are the vectors of the primitive cell in those of the conventional one. rotations: (G, 3, 3)
    whole numbers, each once, the identity first; translations: (G, 3). positions: a, b, c ...; the last one is general.
    """

    number: int
    symbol: str
    primitive: NDArray[np.float64]
    rotations: NDArray[np.float64]
    translations: NDArray[np.float64]
    positions: tuple[WyckoffPosition, ...]

    @property
    def order(self) -> int:
        """Operations up to translations of the lattice: images of a general position."""
        return len(self.rotations)

    @property
    def operations(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(rotations, translations)."""
        return self.rotations, self.translations

    @property
    def lattice_points(self) -> int:
        """Primitive cells in a conventional one."""
        return round(1 / float(np.linalg.det(self.primitive)))

    def index(self, letter: str) -> int:
        """The place of a letter among the positions; NucleateError, with those there are, for another one."""
        letters = [p.letter for p in self.positions]
        if letter not in letters:
            raise NucleateError(
                f"space group {self.symbol} has no Wyckoff position '{letter}'; it has {', '.join(letters)}"
            )
        return letters.index(letter)


@cache
def group(number: int) -> SpaceGroup:
    """The tables of space group 1-230; NucleateError for another number."""
    if number not in GROUPS:
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
    """Letter -> mean number of sites there in a crystal of the group, from the sites on each of its positions in so
    many crystals: as if there were one more, with one site, an equal part of it on each position."""
    positions = group(number).positions
    return {p.letter: (n + 1 / len(positions)) / (crystals + 1) for p, n in zip(positions, sites, strict=True)}


def _position(row: str, change: NDArray, rotations: NDArray, translations: NDArray) -> WyckoffPosition:
    """Images of the representative, those that are the same for all parameters once; in whole 24ths, so exactly."""
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
    """ "x,x-y,z+1/2" -> its matrix and its shift in 24ths, each multiplied by `change` from the left."""
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
