"""The stage that judges the best candidates with a second potential. Two different models rarely make the same
error."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from nucleate.errors import NucleateError
from nucleate.hull.load import FOLDER
from nucleate.pipeline.candidate import FAIL, PASS, UNKNOWN, Candidate, Check, Energy
from nucleate.pipeline.stage import Cost, Stage
from nucleate.pipeline.state import Relaxation, SecondJudgement
from nucleate.relaxation.pool import RelaxSettings, relax_candidates
from nucleate.stages.hull import HullStage
from nucleate.stages.relax import grain_and_resource

AGREE = 0.1  # eV/atom; energies above the hull that differ by less agree
NAMES = {"e_form": "second_e_form", "e_above_hull": "second_e_above_hull"}


class SecondJudgeStage(Stage):
    """Relaxes the candidate's structure with another potential and compares it with known crystals by that potential.

    The candidate keeps its structure. It gets "second_e_form" and "second_e_above_hull" (eV/atom), `second` (how the
    relaxation went) and the check "judges", which passes if both energies above the hull differ by at most AGREE, and
    is unknown, with the reason, if the second potential has no result.
    """

    name = "second"
    cost: Cost = "slow"

    def __init__(self, settings: RelaxSettings, reference: str) -> None:
        self.settings, self.hull = settings, HullStage(reference)
        self.grain, self.resource = grain_and_resource(settings)

    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        first = {c.id: c for c in candidates}
        fresh = [Candidate(c.id, structure=c.structure, fixed=c.fixed) for c in candidates]
        for relaxed in relax_candidates(fresh, self.settings):
            (judged,) = self.hull([relaxed]) if relaxed.failure is None else (relaxed,)
            yield _with_second(first[judged.id], judged)


def _with_second(first: Candidate, second: Candidate) -> Candidate:
    found = {new: second.energies[old] for old, new in NAMES.items() if old in second.energies}
    relaxation = second.relaxation or Relaxation()
    if first.structure is not None and second.structure is not None and second.failure is None:
        change = float(second.structure.volume / first.structure.volume)
        relaxation = dataclasses.replace(relaxation, volume_change=change)
    said = SecondJudgement(relaxation, second.hull.correction if second.hull else {})
    check = _verdict(first, second)
    return first.with_(energies=found, checks={"judges": check}, second=said)


def _verdict(first: Candidate, second: Candidate) -> Check:
    if second.failure is not None:
        return Check(UNKNOWN, f"the second judge has no answer: {second.failure}")
    ours, theirs = first.energies.get("e_above_hull"), second.energies.get("e_above_hull")
    if ours is None or theirs is None:
        reason = second.checks["hull"].reason if "hull" in second.checks else "no energy above the first hull"
        return Check(UNKNOWN, reason)
    apart = abs(theirs.value - ours.value)
    return Check(PASS if apart <= AGREE else FAIL, f"{_model(theirs)} says {theirs.value:+.3f}, {apart:.3f} apart")


def _model(energy: Energy) -> str:
    return energy.method.name


def second_judge_stage(first: RelaxSettings, second: str, reference: str = "auto") -> SecondJudgeStage | None:
    """The stage that judges candidates, which were relaxed with the settings `first`, with a second potential; None for
    "none".

    second: name of a potential; "auto" means SevenNet after CHGNet, and CHGNet after any other. reference: known
    crystals by the second potential; "auto" means the shipped set. Raises NucleateError if both potentials are the
    same, and if no set is shipped.
    """
    if second == "none":
        return None
    if second == "auto":
        second = "sevennet" if first.potential == "chgnet" else "chgnet"
    if second == first.potential:
        raise NucleateError(f"the second judge must be another potential than {second}; or --second none")
    if reference == "auto":
        reference = f"{second}-mp"
        if not (FOLDER / f"{reference}.parquet").is_file():
            raise NucleateError(
                f"no reference set is shipped for {second}: build one (nucleate hull build) and name it"
            )
    return SecondJudgeStage(dataclasses.replace(first, potential=second), reference)
