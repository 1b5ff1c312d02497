"""Crystal structure prediction: does a predicted structure match the known one? The counting is spelled out here.

Match: pymatgen's StructureMatcher.get_rms_dist, whose distance is divided by (V / N)^(1/3). The matcher is blind to
the volume, so matches "with volume" (volumes per atom within 20 %) are counted apart. Every rate is over all targets:
a prediction that is missing, breaks the matcher or keeps it busy too long is a miss with its reason.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleate.evaluate.csp_report import Breakdown, CspReport, Score
from nucleate.evaluate.statistics import mean, rate
from nucleate.parallel import map_jobs

if TYPE_CHECKING:
    from pymatgen.core import Structure

Group = tuple[str, "Structure", "Sequence[Structure | None]"]  # (name, target, predictions)

ATOM_BINS = ((1, 4), (5, 8), (9, 12), (13, 16), (17, 20), (21, 52), (53, None))
CRYSTAL_SYSTEMS = (
    (2, "triclinic"),
    (15, "monoclinic"),
    (74, "orthorhombic"),
    (142, "tetragonal"),
    (167, "trigonal"),
    (194, "hexagonal"),
    (230, "cubic"),
)


@dataclass(frozen=True)
class MatchSettings:
    """Tolerances of the matcher (the defaults are those of DiffCSP and its successors) and of our own counting."""

    stol: float = 0.5  # site tolerance, in units of (V / N)^(1/3)
    ltol: float = 0.3  # fractional length tolerance
    angle_tol: float = 10.0  # degrees
    volume_tol: float = 0.2  # for matches "with volume": |V_pred / V_target - 1|, volumes per atom
    time_limit: float = 20.0  # seconds for one pair
    oxidation_states: str = "smact14"  # set for the compositional validity of "filtered"


@dataclass(frozen=True)
class Pair:
    """One prediction against its target: normalised `rms` or None, the volume ratio and the prediction's validity."""

    rms: float | None = None
    volume_ratio: float | None = None
    valid: bool = False
    reason: str = ""


def structural_validity(structure: Structure) -> bool:
    """CDVAE's and DiffCSP's definition: no two atoms nearer than 0.5 angstrom and a volume of at least 0.1 cubic
    angstrom. An atom's own images are ignored, as in the original."""
    import numpy as np

    if not structure.volume >= 0.1:
        return False
    distances = np.array(structure.distance_matrix)
    np.fill_diagonal(distances, np.inf)
    return not (distances < 0.5).any()


def compositional_validity(formula: str, oxidation_states: str = "smact14") -> bool | None:
    """SMACT's test as in CDVAE (charge neutral with the Pauling test; elements and alloys pass); None is unknown.

    oxidation_states: "smact14" (what the papers used) or "icsd24" (SMACT 3's default). Unknown where the set has no
    states for an element, which SMACT itself answers with False.
    """
    import smact
    from pymatgen.core import Composition
    from smact.screening import smact_validity

    reduced = Composition(formula).get_integer_formula_and_factor()[0]  # exact counts: SMACT truncates fractions
    states = None if oxidation_states == "icsd24" else oxidation_states
    if smact_validity(reduced, oxidation_states_set=states):
        return True
    attribute = {"smact14": "oxidation_states_smact14", "icsd24": "oxidation_states_icsd24"}[oxidation_states]
    elements = [smact.Element(e.symbol) for e in Composition(reduced).elements]
    return None if any(not getattr(e, attribute) for e in elements) else False


def crystal_system(structure: Structure) -> str:
    """The target's crystal system, or "unknown" where the symmetry search fails."""
    from nucleate.crystal.symmetry import space_group

    number = space_group(structure)[0]
    return next(name for last, name in CRYSTAL_SYSTEMS if number <= last) if number else "unknown"


def compare(prediction: Structure, target: Structure, settings: MatchSettings) -> Pair:
    """Match one pair; whatever goes wrong is a miss with a reason."""
    from pymatgen.core.structure_matcher import StructureMatcher

    if not math.isfinite(prediction.volume):
        return Pair(reason="the lattice or a coordinate is not a number")
    ratio = (prediction.volume / len(prediction)) / (target.volume / len(target))
    valid = structural_validity(prediction)
    if prediction.composition.reduced_composition != target.composition.reduced_composition:
        return Pair(None, ratio, valid, "another composition than the target's")
    matcher = StructureMatcher(stol=settings.stol, ltol=settings.ltol, angle_tol=settings.angle_tol)
    found = matcher.get_rms_dist(prediction, target)
    if found is None:
        return Pair(None, ratio, valid, "no match")
    return Pair(float(found[0]), ratio, valid)


def _prepare() -> None:
    import pymatgen.core.structure_matcher  # noqa: F401


def evaluate_csp(
    groups: Sequence[Group],
    matcher: MatchSettings | None = None,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CspReport:
    """Judge k predictions for each target; k is the longest list, and what a shorter one lacks counts as missed.

    progress: (pairs done, pairs in all). Runs in `workers` spawned processes (all cores by default), so a script
    needs `if __name__ == "__main__":`.
    """
    settings = matcher or MatchSettings()
    k = max((len(predictions) for _, _, predictions in groups), default=0)
    where = [(g, s) for g, (_, _, preds) in enumerate(groups) for s, p in enumerate(preds) if p is not None]
    jobs = [(groups[g][2][s], groups[g][1], settings) for g, s in where]
    pairs = [[Pair(reason="no prediction")] * max(k, 1) for _ in groups]
    for done, outcome in enumerate(
        map_jobs(compare, jobs, limit=settings.time_limit, workers=workers, prepare=_prepare), start=1
    ):
        g, s = where[outcome.index]
        pairs[g][s] = outcome.value if outcome.reason is None else Pair(reason=outcome.reason)
        if progress is not None:
            progress(done, len(jobs))
    return summarise([target for _, target, _ in groups], pairs, settings)


def summarise(targets: Sequence[Structure], pairs: Sequence[Sequence[Pair]], settings: MatchSettings) -> CspReport:
    """Count the judged pairs (targets x k) into a report."""
    k = max(map(len, pairs), default=0)
    formulas = [t.composition.reduced_formula for t in targets]
    verdicts = {f: compositional_validity(f, settings.oxidation_states) for f in set(formulas)}
    composition = [verdicts[f] for f in formulas]
    sound = [structural_validity(t) and v is True for t, v in zip(targets, composition, strict=True)]

    def unfiltered(_: int, p: Pair) -> bool:
        return p.rms is not None

    def filtered(i: int, p: Pair) -> bool:
        return p.rms is not None and p.valid and sound[i]

    def with_volume(_: int, p: Pair) -> bool:
        return p.rms is not None and p.volume_ratio is not None and abs(p.volume_ratio - 1) <= settings.volume_tol

    def best(test: Callable[[int, Pair], bool], samples: int) -> list[float | None]:
        """For each target the lowest RMSE of its first samples that pass the test."""
        found = [[p.rms for p in row[:samples] if test(i, p) and p.rms is not None] for i, row in enumerate(pairs)]
        return [min(f) if f else None for f in found]

    scores = []
    for samples in sorted({1, k} - {0}):
        for protocol, test in (("unfiltered", unfiltered), ("filtered", filtered), ("with volume", with_volume)):
            rms = best(test, samples)
            hits = [r for r in rms if r is not None]
            charged = [settings.stol if r is None else r for r in rms]
            scores.append(Score(protocol, samples, rate(len(hits), len(rms)), mean(hits), mean(charged)))
    first, any_ = ([r is not None for r in best(unfiltered, n)] for n in (1, k))
    return CspReport(
        targets=len(targets),
        samples=k,
        scores=tuple(scores),
        by_crystal_system=_break_down([crystal_system(t) for t in targets], first, any_, _SYSTEM_ORDER),
        by_num_atoms=_break_down([_atom_bin(len(t)) for t in targets], first, any_, _BIN_ORDER),
        reasons=dict(Counter(p.reason for row in pairs for p in row if p.rms is None).most_common()),
        valid_targets=rate(sum(sound), len(sound)),
        unknown_compositions=sum(v is None for v in composition),
        protocol={**vars(settings)},
    )


def _bin_name(low: int, high: int | None) -> str:
    return f"{low}-{high}" if high else f"{low} or more"


_BIN_ORDER = [_bin_name(*b) for b in ATOM_BINS]
_SYSTEM_ORDER = [name for _, name in reversed(CRYSTAL_SYSTEMS)] + ["unknown"]


def _atom_bin(n: int) -> str:
    return next(_bin_name(low, high) for low, high in ATOM_BINS if high is None or n <= high)


def _break_down(
    labels: Sequence[str], first: Sequence[bool], any_: Sequence[bool], order: Sequence[str]
) -> tuple[Breakdown, ...]:
    """Unfiltered match rates of the targets under each label that occurs."""
    rows = []
    for label in order:
        members = [i for i, name in enumerate(labels) if name == label]
        if members:
            n = len(members)
            rows.append(
                Breakdown(label, rate(sum(first[i] for i in members), n), rate(sum(any_[i] for i in members), n))
            )
    return tuple(rows)
