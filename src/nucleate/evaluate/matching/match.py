"""Crystal structure prediction: whether predicted structures match known ones, and how this is counted.

Matches are found by pymatgen's StructureMatcher.get_rms_dist, whose distance is divided by (V / N)^(1/3). The matcher
does not compare volumes, so matches "with volume" (volumes per atom within 20 %) are counted separately. Every rate is
over all targets: a prediction that is missing, or for which the matcher fails or takes too long, counts as a miss, with
the reason. METRe, for which any prediction of the composition may match a target, is computed in
`nucleate.evaluate.matching.metre`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleate.evaluate.matching import metre
from nucleate.evaluate.matching.counts import (
    FILTERED,
    METRE,
    ONE_TO_ONE,
    UNFILTERED,
    WITH_VOLUME,
    Breakdown,
    MatchCounts,
    MatchSettings,
    Polymorphs,
    Score,
)
from nucleate.evaluate.matching.metre import Cross, Places
from nucleate.evaluate.matching.unique import Matcher, unique
from nucleate.evaluate.measures.distributions import CRYSTAL_SYSTEMS
from nucleate.evaluate.measures.statistics import mean, rate
from nucleate.evaluate.measures.validity import composition_passes, structural_validity
from nucleate.parallel import map_jobs

if TYPE_CHECKING:
    from pymatgen.core import Structure

Group = tuple[str, "Structure", "Sequence[Structure | None]"]  # (name, target, predictions)

NO_MATCH, OTHER_COMPOSITION = "no match", "another composition than the target's"
REFUSALS = (NO_MATCH, OTHER_COMPOSITION)  # these reasons are verdicts; every other reason is a failure
POLYMORPH_ROWS = (UNFILTERED, METRE, ONE_TO_ONE)  # the counts that differ only for polymorphs
ATOM_BINS = ((1, 4), (5, 8), (9, 12), (13, 16), (17, 20), (21, 52), (53, None))


@dataclass(frozen=True)
class Pair:
    """The comparison of a prediction with a target.

    rms: normalised, None without a match. volume_ratio: of the volumes per atom. valid: that of the prediction.
    reason: why there is no match. target_valid: whether the target is valid, None if this was not examined.
    """

    rms: float | None = None
    volume_ratio: float | None = None
    valid: bool = False
    reason: str = ""
    target_valid: bool | None = None


def crystal_system_of(structure: Structure) -> str:
    """The crystal system of a target, or "unknown" if the search for symmetry fails."""
    from nucleate.crystal.symmetry import space_group
    from nucleate.evaluate.measures import distributions

    return distributions.crystal_system(space_group(structure)[0])


def has_valid_geometry(structure: Structure) -> bool:
    """DiffCSP's validity without the composition: distances and volume are valid, and a CrystalNN fingerprint can be
    computed."""
    from nucleate.evaluate.measures.crystalnn import structure_fingerprint

    try:
        return structural_validity(structure) and bool(len(structure_fingerprint(structure)))
    except Exception:  # Qhull and degenerate cells raise errors of many kinds
        return False


def match_pair(prediction: Structure, target: Structure, settings: MatchSettings, own: bool = True) -> Pair:
    """Compare one pair.

    own: whether the prediction was made for this target; then the validity of both is examined.
    """
    from pymatgen.core.structure_matcher import StructureMatcher

    if not math.isfinite(prediction.volume):
        return Pair(reason="the lattice or a coordinate is not a number")
    ratio = (prediction.volume / len(prediction)) / (target.volume / len(target))
    valid, target_valid = (has_valid_geometry(prediction), has_valid_geometry(target)) if own else (False, None)
    if prediction.composition.reduced_composition != target.composition.reduced_composition:
        return Pair(None, ratio, valid, OTHER_COMPOSITION, target_valid)
    matcher = StructureMatcher(stol=settings.stol, ltol=settings.ltol, angle_tol=settings.angle_tol)
    found = matcher.get_rms_dist(prediction, target)
    if found is None:
        return Pair(None, ratio, valid, NO_MATCH, target_valid)
    return Pair(float(found[0]), ratio, valid, "", target_valid)


def _prepare() -> None:
    import pymatgen.core.structure_matcher  # noqa: F401


def count_matches(
    groups: Sequence[Group],
    matcher: MatchSettings | None = None,
    *,
    across: bool = True,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> MatchCounts:
    """Compare k predictions with each target. k is the length of the longest list; predictions that are missing in a
    shorter list count as misses.

    across: also compare predictions with the other targets of their composition, for METRe. progress: called with
    (pairs done, all pairs). Runs in `workers` spawned processes (all cores by default), so a script needs
    `if __name__ == "__main__":`.
    """
    settings = matcher or MatchSettings()
    k = max((len(predictions) for _, _, predictions in groups), default=0)
    places = Places(len(groups), max(k, 1))
    targets = [target for _, target, _ in groups]
    structures: dict[int, Structure] = dict(enumerate(targets))
    for g, (_, _, predictions) in enumerate(groups):
        structures |= {places.prediction(g, s): p for s, p in enumerate(predictions) if p is not None}
    where = [(p, places.target(p)) for p in structures if p >= places.n]
    failures: Counter[str] = Counter()
    duplicates = 0
    if across:
        tolerances = Matcher(settings.ltol, settings.stol, settings.angle_tol)
        more, out = metre.cross_pairs(structures, places, tolerances, settings.time_limit, workers)
        where += more
        failures.update(out)
        shared = [structures[g] for members in metre.shared_compositions(targets) for g in members]
        twins = unique(shared, tolerances, limit=settings.time_limit, workers=workers)
        failures.update(twins.reasons.values())
        duplicates = sum(t is not None for t in twins.twin)
    jobs = [(structures[p], structures[g], settings, places.target(p) == g) for p, g in where]
    pairs = [[Pair(reason="no prediction")] * places.k for _ in groups]
    found: dict[metre.Pairing, float] = {}
    for done, outcome in enumerate(
        map_jobs(match_pair, jobs, limit=settings.time_limit, workers=workers, prepare=_prepare), start=1
    ):
        p, g = where[outcome.index]
        pair = outcome.value if outcome.reason is None else Pair(reason=outcome.reason)
        if places.target(p) == g:
            pairs[g][places.sample(p)] = pair
        elif pair.rms is not None:
            found[p, g] = pair.rms
        elif pair.reason not in REFUSALS:
            failures[pair.reason] += 1
        if progress is not None:
            progress(done, len(jobs))
    cross = Cross(found, dict(failures.most_common()), duplicates) if across else None
    return summarise_matches(targets, pairs, settings, cross)


def summarise_matches(
    targets: Sequence[Structure], pairs: Sequence[Sequence[Pair]], settings: MatchSettings, cross: Cross | None = None
) -> MatchCounts:
    """The counts for compared pairs (targets x k). cross: matches with other targets, for METRe."""
    k = max(map(len, pairs), default=0)
    places = Places(len(pairs), max(k, 1))
    formulas = [t.composition.reduced_formula for t in targets]
    verdicts = {f: composition_passes(f, settings.composition_rule) for f in set(formulas)}
    composition = [verdicts[f] for f in formulas]
    examined = [next((p.target_valid for p in row if p.target_valid is not None), None) for row in pairs]
    geometry = [has_valid_geometry(t) if v is None else v for t, v in zip(targets, examined, strict=True)]
    valid = [g and c is True for g, c in zip(geometry, composition, strict=True)]
    shared = metre.shared_compositions(targets)
    own = {
        (places.prediction(i, s), i): p.rms
        for i, row in enumerate(pairs)
        for s, p in enumerate(row)
        if p.rms is not None
    }

    def unfiltered(_: int, p: Pair) -> bool:
        return p.rms is not None

    def filtered(i: int, p: Pair) -> bool:
        return p.rms is not None and p.valid and valid[i]

    def with_volume(_: int, p: Pair) -> bool:
        return p.rms is not None and p.volume_ratio is not None and abs(p.volume_ratio - 1) <= settings.volume_tol

    def best(test: Callable[[int, Pair], bool], samples: int) -> list[float | None]:
        """For each target the lowest RMSE among those of its first samples that pass the test."""
        found = [[p.rms for p in row[:samples] if test(i, p) and p.rms is not None] for i, row in enumerate(pairs)]
        return [min(f) if f else None for f in found]

    scores, among = [], []
    for samples in sorted({1, k} - {0}):
        counted = {
            UNFILTERED: best(unfiltered, samples),
            FILTERED: best(filtered, samples),
            WITH_VOLUME: best(with_volume, samples),
        }
        if cross is not None:
            counted[METRE] = metre.best_matches(own, cross, places, samples)
            counted[ONE_TO_ONE] = metre.one_to_one_matches(own, cross, places, samples)
        scores += [_score_of(name, samples, rms, settings.stol) for name, rms in counted.items()]
        members = [g for group in shared for g in group]
        among += [
            _score_of(name, samples, [rms[g] for g in members], settings.stol)
            for name, rms in counted.items()
            if name in POLYMORPH_ROWS
        ]
    polymorphs = None
    if cross is not None:
        polymorphs = Polymorphs(sum(map(len, shared)), len(shared), cross.duplicates, tuple(among), cross.failures)
    first, any_ = ([r is not None for r in best(unfiltered, n)] for n in (1, k))
    return MatchCounts(
        targets=len(targets),
        samples=k,
        scores=tuple(scores),
        by_crystal_system=_break_down([crystal_system_of(t) for t in targets], first, any_, _SYSTEM_ORDER),
        by_num_atoms=_break_down([_atom_bin(len(t)) for t in targets], first, any_, _BIN_ORDER),
        reasons=dict(Counter(p.reason for row in pairs for p in row if p.rms is None).most_common()),
        valid_targets=rate(sum(valid), len(valid)),
        unknown_compositions=sum(v is None for v in composition),
        polymorphs=polymorphs,
    )


def _score_of(counted_as: str, samples: int, rms: Sequence[float | None], stol: float) -> Score:
    hits = [r for r in rms if r is not None]
    charged = [stol if r is None else r for r in rms]
    return Score(counted_as, samples, rate(len(hits), len(rms)), mean(hits), mean(charged))


def _bin_name(low: int, high: int | None) -> str:
    return f"{low}-{high}" if high else f"{low} or more"


_BIN_ORDER = [_bin_name(*b) for b in ATOM_BINS]
_SYSTEM_ORDER = [*reversed(CRYSTAL_SYSTEMS[1:]), CRYSTAL_SYSTEMS[0]]


def _atom_bin(n: int) -> str:
    return next(_bin_name(low, high) for low, high in ATOM_BINS if high is None or n <= high)


def _break_down(
    labels: Sequence[str], first: Sequence[bool], any_: Sequence[bool], order: Sequence[str]
) -> tuple[Breakdown, ...]:
    """Unfiltered match rates of the targets with each label that occurs."""
    rows = []
    for label in order:
        members = [i for i, name in enumerate(labels) if name == label]
        if members:
            n = len(members)
            rows.append(
                Breakdown(label, rate(sum(first[i] for i in members), n), rate(sum(any_[i] for i in members), n))
            )
    return tuple(rows)
