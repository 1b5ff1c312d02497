"""METRe, "match everyone to reference" (Martirossyan et al., arXiv 2509.12178): which reference structures are found.

A target counts as found if any prediction of its composition matches it, even if it was made for another target. So the
order of polymorphs in the list has no influence. The RMSE of the target is that of the best prediction. "One-to-one",
which is not from that paper, is stricter: each prediction counts for one target at most. Both differ from the usual
match rate only for compositions with several targets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from nucleate.evaluate.matching.unique import Matcher

Pairing = tuple[int, int]  # (place of a prediction, target)
SCREENED_FROM = 2_000  # with more pairs of one composition, pairs that cannot match are removed first


@dataclass(frozen=True)
class Places:
    """Places of n targets and k predictions of each in one list: target g at g, its prediction s at `n + g * k + s`."""

    n: int
    k: int

    def prediction(self, target: int, sample: int) -> int:
        return self.n + target * self.k + sample

    def target(self, place: int) -> int:
        """The target that a prediction was made for."""
        return (place - self.n) // self.k

    def sample(self, place: int) -> int:
        return (place - self.n) % self.k


@dataclass(frozen=True)
class Cross:
    """The result of comparing predictions with other targets than their own.

    rms: (place of the prediction, target) -> RMSE. failures: reason -> number of comparisons without a verdict.
    duplicates: the number of targets that match an earlier one of their composition.
    """

    rms: Mapping[Pairing, float] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    duplicates: int = 0


def shared_compositions(targets: Sequence[Structure]) -> list[list[int]]:
    """The targets of each reduced composition that has more than one target."""
    groups: dict[str, list[int]] = {}
    for g, target in enumerate(targets):
        groups.setdefault(target.composition.reduced_formula, []).append(g)
    return [members for members in groups.values() if len(members) > 1]


def cross_pairs(
    structures: Mapping[int, Structure], places: Places, matcher: Matcher, limit: float, workers: int | None
) -> tuple[list[Pairing], dict[str, int]]:
    """The pairs of predictions and other targets to compare, and why crystals of large groups were left out.

    structures: place -> structure, without missing ones. limit: seconds for one job.
    """
    groups: dict[str, tuple[list[int], list[int]]] = {}
    for place, s in structures.items():
        groups.setdefault(s.composition.reduced_formula, ([], []))[place >= places.n].append(place)
    pairs: list[Pairing] = []
    large: list[tuple[list[int], list[int]]] = []
    for targets, predictions in groups.values():
        if len(targets) * len(predictions) > SCREENED_FROM:
            large.append((targets, predictions))
        else:
            pairs += [(p, g) for p in predictions for g in targets]
    screened, reasons = _possible_pairs(structures, large, matcher, limit, workers)
    return [(p, g) for p, g in pairs + screened if places.target(p) != g], reasons


def _possible_pairs(
    structures: Mapping[int, Structure],
    groups: Sequence[tuple[list[int], list[int]]],
    matcher: Matcher,
    limit: float,
    workers: int | None,
) -> tuple[list[Pairing], dict[str, int]]:
    """The pairs of large groups that may match, and the reasons why crystals could not be reduced."""
    from nucleate.evaluate.matching.first_match import MatchingRun, by_size

    run = MatchingRun(matcher, limit, workers, None, 0)
    cells, failed = run.reduce({p: structures[p] for group in groups for part in group for p in part})
    blocks = []
    for targets, predictions in groups:
        made = by_size(predictions, cells)
        blocks += [(known, made.get(n, [])) for n, known in by_size(targets, cells).items()]
    # The matcher is not symmetric, and gets the prediction first.
    return sorted((p, g) for g, p in run.possible(blocks)), dict(Counter(failed.values()))


def best_matches(own: Mapping[Pairing, float], cross: Cross, places: Places, samples: int) -> list[float | None]:
    """METRe: for each target the lowest RMSE of any prediction among the first `samples` of each target."""
    best: list[float | None] = [None] * places.n
    for (_, g), rms in _edges(own, cross, places, samples).items():
        known = best[g]
        best[g] = rms if known is None else min(known, rms)
    return best


def one_to_one_matches(own: Mapping[Pairing, float], cross: Cross, places: Places, samples: int) -> list[float | None]:
    """METRe one-to-one: the RMSE of each target in a largest set of pairs in which no prediction occurs twice; among
    the largest sets one of lowest total RMSE."""
    from scipy.optimize import linear_sum_assignment
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = _edges(own, cross, places, samples)
    matched: list[float | None] = [None] * places.n
    if not edges:
        return matched
    rows, columns = (np.array(side) for side in zip(*((g, p) for p, g in edges), strict=True))
    size = places.prediction(places.n, 0)
    _, label = connected_components(coo_array((np.ones(len(rows)), (rows, columns)), shape=(size, size)))
    parts: dict[int, list[int]] = {}
    for edge, part in enumerate(label[rows].tolist()):
        parts.setdefault(part, []).append(edge)
    values = np.array(list(edges.values()))
    for part in parts.values():
        targets, i = np.unique(rows[part], return_inverse=True)
        predictions, j = np.unique(columns[part], return_inverse=True)
        # A miss costs more than all matches together, so that a larger set of pairs is always cheaper.
        missing = 1 + len(targets) * values[part].max()
        cost = np.full((len(targets), len(predictions)), missing)
        cost[i, j] = values[part]
        for a, b in zip(*linear_sum_assignment(cost), strict=True):
            if cost[a, b] < missing:
                matched[targets[a]] = float(cost[a, b])
    return matched


def _edges(own: Mapping[Pairing, float], cross: Cross, places: Places, samples: int) -> dict[Pairing, float]:
    """The matches of the first `samples` predictions of each target, in a fixed order."""
    edges = {**own, **cross.rms}
    return {(p, g): edges[p, g] for p, g in sorted(edges) if places.sample(p) < samples}
