"""What an evaluation of crystal structure prediction found, as a record, as JSON and as a table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nucleate.evaluate.measures.statistics import Mean, Rate


@dataclass(frozen=True)
class Score:
    """One way of counting. protocol: "unfiltered", "filtered" (prediction and target valid, as in DiffCSP's k = 1),
    "with volume" (volumes per atom agree too), "METRe" (any prediction of the target's composition counts) or "METRe
    one-to-one" (so, but each for one target). samples: the first 1 or k predictions of each target, the best counts.
    rmse: over the matches alone. crmse: over all targets, a miss is charged stol."""

    protocol: str
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
class CspReport:
    """The whole result; `settings` tells what was judged (weights, data set, seed, steps), `protocol` how."""

    targets: int
    samples: int
    scores: tuple[Score, ...]
    by_crystal_system: tuple[Breakdown, ...]
    by_num_atoms: tuple[Breakdown, ...]
    reasons: Mapping[str, int]  # why predictions missed -> how many
    valid_targets: Rate  # the most that "filtered" can reach
    unknown_compositions: int  # targets that SMACT cannot judge; "filtered" counts them as invalid
    protocol: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    polymorphs: Polymorphs | None = None  # None where predictions met their own targets alone

    def score(self, protocol: str, samples: int) -> Score:
        """The score of that name; raises KeyError when it was not counted."""
        for s in self.scores:
            if (s.protocol, s.samples) == (protocol, samples):
                return s
        raise KeyError(f"{protocol} @{samples}")

    def with_settings(self, settings: Mapping[str, Any]) -> CspReport:
        """A copy that says what was judged."""
        return dataclasses.replace(self, settings=dict(settings))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; rates carry their fraction as `value`."""
        return _plain(self)

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1)


def _plain(value: Any) -> Any:
    if isinstance(value, Rate):
        return {"value": value.value, **dataclasses.asdict(value)}
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value


@dataclass(frozen=True)
class Published:
    """A number from the literature for MP-20's whole test set, as counted there."""

    name: str
    samples: int
    match_rate: float  # percent
    rmse: float | None = None


PUBLISHED = (
    Published("CDVAE", 1, 33.90, 0.1045),
    Published("DiffCSP", 1, 51.49, 0.0631),
    Published("Crystalite", 1, 66.05, 0.0329),
    Published("MaskGXT", 1, 67.06, 0.0325),
    Published("DiffCSP", 20, 77.93),
)


def notes(report: CspReport) -> str:
    """One paragraph that says how the numbers were counted."""
    p = report.protocol
    text = (
        "k: predictions counted of each target, any of which may match. "
        f"Match: StructureMatcher stol {p['stol']:g}, ltol {p['ltol']:g}, angle_tol {p['angle_tol']:g}. Every rate is "
        f"over all {report.targets} targets. filtered: prediction and target valid (distances of 0.5 A, volume, a "
        f"CrystalNN fingerprint, composition by the rule '{p['composition_rule']}'), which "
        f"{percent(report.valid_targets.value)} % of the targets are: its ceiling. with volume: volume per atom "
        f"within {100 * p['volume_tol']:g} %. RMSE over matches, in (V/N)^(1/3); cRMSE charges {p['stol']:g} for a "
        "miss. Intervals: Wilson, bootstrap."
    )
    if report.polymorphs is not None:
        shared = report.polymorphs
        text += (
            " METRe: targets that any prediction of their composition matches (arXiv 2509.12178; published values are "
            "for the polymorph split of MP-20); one-to-one: each prediction for one target. "
            f"{shared.targets} targets share a composition, {shared.duplicates} of them match an earlier one."
        )
        for reason, count in shared.failures.items():
            text += f" {count} comparisons across targets without a verdict: {reason}."
    if report.unknown_compositions:
        text += f" {report.unknown_compositions} targets that SMACT cannot judge count as invalid."
    return text


def percent(value: float | None) -> str:
    """A share, 0 to 1, in percent; "-" for none."""
    return "-" if value is None else f"{100 * value:.2f}"


def number(value: float | None) -> str:
    """Four decimals; "-" for none."""
    return "-" if value is None else f"{value:.4f}"


def interval(low: float | None, high: float | None, scale: float, digits: int) -> str:
    """Both ends of an interval; "" where there is none."""
    return "" if low is None or high is None else f"{scale * low:.{digits}f}-{scale * high:.{digits}f}"
