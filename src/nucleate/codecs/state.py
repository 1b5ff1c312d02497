"""What a codec has to know of its training data beside the settings of its recipe."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CodecState:
    """Numbers that are measured once on the training data, and travel with the weights.

    mean, std: of the lattice field, 6 numbers each. elements: atomic numbers in the data, ascending. counts: how often
    each word (formulas), each of `elements` (UniMat), or each Wyckoff position and space group (sites) occurs.
    crystals: how many training crystals there are. A codec takes what it needs of these and leaves the others alone.
    """

    mean: tuple[float, ...] = (0.0,) * 6
    std: tuple[float, ...] = (1.0,) * 6
    elements: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    crystals: int = 0
