"""What a codec has to know about its training data, beside the settings of the recipe."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CodecState:
    """Numbers that are measured once on the training data and stored with the weights. A codec uses those it needs.

    mean, std: of the lattice field, six numbers each. elements: the sorted atomic numbers in the data. counts: how
    often each word occurs (formulas), each of `elements` (UniMat), or each Wyckoff position and space group (sites).
    crystals: the number of training crystals.
    """

    mean: tuple[float, ...] = (0.0,) * 6
    std: tuple[float, ...] = (1.0,) * 6
    elements: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    crystals: int = 0
