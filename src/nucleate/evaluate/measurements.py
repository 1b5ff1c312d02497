"""The measurements of a set of crystals, and which of the crystals count as valid."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nucleate.evaluate.inputs import CrystalSet
from nucleate.evaluate.measures.features import TIME_LIMIT, Features
from nucleate.evaluate.measures.network import Predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT_PROTOCOLS = ("cdvae-2022", "mattergen-2025")


@dataclass(frozen=True)
class DngSettings:
    """How generated crystals are judged.

    protocols: names of `evaluate.protocols`. known: the data set (and split) that novelty is judged against. energies:
    whether formation energies and network features of `energy_samples` crystals are computed. potential: what
    computes them: a universal potential, or a property network (shipped name or file), which cannot relax. hull: the
    reference set of relaxed crystals. seed: chooses every random subset. time_limit: seconds for one crystal, and for
    one comparison.
    """

    protocols: tuple[str, ...] = DEFAULT_PROTOCOLS
    known: str = "mp-20:train"
    energies: bool = True
    energy_samples: int = 1000
    potential: str = "chgnet"
    hull: str = "chgnet-mp"
    seed: int = 0
    time_limit: float = TIME_LIMIT


@dataclass(eq=False)
class MeasuredSet:
    """A set of crystals with what was measured on it; `energies` are of the crystals at `sample`."""

    crystals: CrystalSet
    features: Features
    formulas: list[str]
    composition: NDArray[np.float64]  # (n, 132) Magpie, normalised; nan where there is no crystal
    sample: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    energies: Predictions | None = None

    def __len__(self) -> int:
        return len(self.crystals)


def formulas_and_fingerprints(crystals: CrystalSet) -> tuple[list[str], NDArray[np.float64]]:
    """Reduced formulas ("" without a crystal) and normalised Magpie fingerprints (n, 132), nan without one."""
    from nucleate.evaluate.measures.magpie import magpie_features, normalise

    formulas = [s.composition.reduced_formula if s is not None else "" for s in crystals.structures]
    have = [s.composition for s in crystals.structures if s is not None]
    out = np.full((len(formulas), 132), np.nan)
    if have:
        out[[f != "" for f in formulas]] = normalise(magpie_features(have))
    return formulas, out


def composition_valid(judged: MeasuredSet, rule: str) -> NDArray[np.bool_]:
    """(n,) whether the composition passes "original" (CDVAE's), "smact14" or "icsd24"; unknown counts as no."""
    from nucleate.evaluate.measures.validity import composition_passes

    verdicts = {f: f != "" and composition_passes(f, rule) is True for f in set(judged.formulas)}
    return np.array([verdicts[f] for f in judged.formulas])


def valid_crystals(judged: MeasuredSet) -> NDArray[np.bool_]:
    """(n,) valid as published: structure, composition, and a CrystalNN fingerprint that can be computed."""
    return judged.features.valid & composition_valid(judged, "original") & judged.features.has_fingerprint


def valid_sample(judged: MeasuredSet, size: int, seed: int) -> NDArray[np.int64]:
    """Positions of at most `size` valid crystals, the same for the same set and seed."""
    from nucleate.evaluate.measures.distributions import random_subset

    found = np.flatnonzero(valid_crystals(judged))
    return found[random_subset(len(found), min(size, len(found)), seed)]
