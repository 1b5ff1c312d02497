"""The counts of a comparison of predicted with known structures, from which the report is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nucleate.evaluate.measures.statistics import Mean, Rate

UNFILTERED, FILTERED, WITH_VOLUME = "unfiltered", "filtered", "with volume"
METRE, ONE_TO_ONE = "METRe", "METRe one-to-one"


@dataclass(frozen=True)
class MatchSettings:
    """Settings of the matcher (the defaults are those of DiffCSP and its successors) and of the counts."""

    stol: float = 0.5  # site tolerance, in units of (V / N)^(1/3)
    ltol: float = 0.3  # fractional length tolerance
    angle_tol: float = 10.0  # degrees
    volume_tol: float = 0.2  # for matches "with volume": |V_pred / V_target - 1|, volumes per atom
    time_limit: float = 20.0  # seconds for one pair
    composition_rule: str = "original"  # rule of `validity.composition_passes`, for "filtered"


@dataclass(frozen=True)
class Score:
    """The result of one way of counting.

    counted_as: "unfiltered"; "filtered" (prediction and target are valid, as in DiffCSP's k = 1); "with volume"
    (volumes per atom also agree); "METRe" (any prediction of the target's composition counts); or "METRe one-to-one"
    (the same, but each prediction counts for one target only). samples: the best of the first 1 or k predictions of
    each target counts. rmse: over the matches. crmse: over all targets, where a miss counts as stol.
    """

    counted_as: str
    samples: int
    match_rate: Rate
    rmse: Mean
    crmse: Mean


@dataclass(frozen=True)
class Breakdown:
    """Unfiltered match rates of one group of targets, for the first sample and for any of the k samples."""

    label: str
    at_1: Rate
    at_k: Rate


@dataclass(frozen=True)
class Polymorphs:
    """The targets that share their composition with another target. Only for them METRe differs from the match rate.

    duplicates: the number of targets that match an earlier one of their composition (StructureMatcher.fit, with the
    same tolerances). scores: over these targets. failures: reason -> number of comparisons with other targets that have
    no verdict.
    """

    targets: int
    compositions: int
    duplicates: int
    scores: tuple[Score, ...]
    failures: Mapping[str, int]


@dataclass(frozen=True)
class MatchCounts:
    """All counts over `targets` targets with `samples` predictions each.

    reasons: why predictions do not match -> how many. valid_targets: the largest rate that "filtered" can reach.
    unknown_compositions: the number of targets that SMACT cannot judge; "filtered" counts them as invalid. polymorphs:
    None if predictions were compared only with their own targets.
    """

    targets: int
    samples: int
    scores: tuple[Score, ...]
    by_crystal_system: tuple[Breakdown, ...]
    by_num_atoms: tuple[Breakdown, ...]
    reasons: Mapping[str, int]
    valid_targets: Rate
    unknown_compositions: int
    polymorphs: Polymorphs | None = None

    def score(self, counted_as: str, samples: int) -> Score:
        """The score of this name. Raises KeyError if it was not counted."""
        for s in self.scores:
            if (s.counted_as, s.samples) == (counted_as, samples):
                return s
        raise KeyError(f"{counted_as} @{samples}")
