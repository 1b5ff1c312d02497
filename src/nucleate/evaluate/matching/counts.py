"""What was counted when predicted structures were matched with known ones, before it becomes a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nucleate.evaluate.measures.statistics import Mean, Rate

UNFILTERED, FILTERED, WITH_VOLUME = "unfiltered", "filtered", "with volume"
METRE, ONE_TO_ONE = "METRe", "METRe one-to-one"


@dataclass(frozen=True)
class MatchSettings:
    """Tolerances of the matcher (the defaults are those of DiffCSP and its successors) and of our own counting."""

    stol: float = 0.5  # site tolerance, in units of (V / N)^(1/3)
    ltol: float = 0.3  # fractional length tolerance
    angle_tol: float = 10.0  # degrees
    volume_tol: float = 0.2  # for matches "with volume": |V_pred / V_target - 1|, volumes per atom
    time_limit: float = 20.0  # seconds for one pair
    composition_rule: str = "original"  # of `validity.composition_passes`, for "filtered"


@dataclass(frozen=True)
class Score:
    """One way of counting. counted_as: "unfiltered", "filtered" (prediction and target valid, as in DiffCSP's k = 1),
    "with volume" (volumes per atom agree too), "METRe" (any prediction of the target's composition counts) or "METRe
    one-to-one" (so, but each for one target). samples: the first 1 or k predictions of each target, the best counts.
    rmse: over the matches alone. crmse: over all targets, a miss is charged stol."""

    counted_as: str
    samples: int
    match_rate: Rate
    rmse: Mean
    crmse: Mean


@dataclass(frozen=True)
class Breakdown:
    """Unfiltered match rates of one group of targets, with the first sample and with any of the k."""

    label: str
    at_1: Rate
    at_k: Rate


@dataclass(frozen=True)
class Polymorphs:
    """Targets of a composition that has more than one, the only ones for which METRe differs from the match rate.

    duplicates: those that match an earlier one of their composition (StructureMatcher.fit, the same tolerances).
    scores: over these targets alone. failures: comparisons across targets that had no verdict, by reason.
    """

    targets: int
    compositions: int
    duplicates: int
    scores: tuple[Score, ...]
    failures: Mapping[str, int]


@dataclass(frozen=True)
class MatchCounts:
    """All counts over `targets` targets with `samples` predictions each.

    reasons: why predictions missed -> how many. valid_targets: the most that "filtered" can reach.
    unknown_compositions: targets that SMACT cannot judge; "filtered" counts them as invalid. polymorphs: None where
    predictions met their own targets alone.
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
        """The score of that name; raises KeyError when it was not counted."""
        for s in self.scores:
            if (s.counted_as, s.samples) == (counted_as, samples):
                return s
        raise KeyError(f"{counted_as} @{samples}")
