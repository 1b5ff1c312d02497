"""The probability that a crystal lies near the hull by DFT, from its energy above the hull by a potential.

The potential errs by tens of meV/atom, so its energy above the hull is evidence and no verdict. The weights are those
of a logistic regression on known crystals of formulas that the reference had not seen (`scripts/near_hull.py`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.pipeline.candidate import Candidate

NEAR = 0.025  # eV/atom above the hull of the Materials Project
LOWEST, HIGHEST = -0.1, 0.3  # eV/atom by the potential; beyond, the probability stays what it is there
SCALE = 0.05  # eV/atom
WEIGHTS = {("CHGNet 0.3.0 (MP2020-corrected PBE+U)", "chgnet-mp"): (0.736, -1.821, -2.436)}  # of `terms_of`


def terms_of(heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3): one, the energy above the hull (n,) in eV/atom over SCALE, and its positive part."""
    scaled = np.clip(heights, LOWEST, HIGHEST) / SCALE
    return np.stack([np.ones_like(scaled), scaled, np.maximum(scaled, 0)], axis=1)


def near_hull_probability(candidate: Candidate) -> float | None:
    """The probability that a crystal is within NEAR of the hull by DFT; None where it has not been relaxed, has no
    energy above the hull, or one by a potential and reference set without weights."""
    height = candidate.energies.get("e_above_hull")
    if height is None or not candidate.converged or not math.isfinite(height.value):
        return None
    weights = WEIGHTS.get((str(height.method), height.reference))
    if weights is None:
        return None
    return float(1 / (1 + np.exp(-terms_of(np.array([height.value]))[0] @ np.array(weights))))
