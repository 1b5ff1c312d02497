"""Checks of chemistry and geometry. Impossible geometry rejects a candidate; chemistry is only reported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nucleate.chem.states import STATE_SETS
from nucleate.chem.valence import balance_verdict, charge_verdict
from nucleate.crystal.verdicts import geometry_verdicts
from nucleate.errors import Code
from nucleate.pipeline.candidate import Candidate, Check
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage

CHEMISTRY = ("charge", "electronegativity")


class CheckStage(Stage):
    """Gives each candidate the checks "charge", "electronegativity", "volume", "density" and "distance".

    Structures are rejected if their numbers are not finite or beyond the hard limits of `crystal.verdicts`. A distance
    below 0.6 of the sum of covalent radii fails the check "distance", but does not reject, because a relaxation may
    still correct it.
    """

    name = "check"
    grain: Grain = "one"
    cost: Cost = "quick"  # a candidate takes milliseconds, and starting a process would take longer
    resource: Resource = "cpu"

    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        for candidate in candidates:
            yield check_candidate(candidate)


def check_candidate(candidate: Candidate, states: str = STATE_SETS[0]) -> Candidate:
    """The candidate with its checks, rejected if its geometry is impossible.

    A composition without a structure gets the checks of chemistry only. states: the set of oxidation states of
    `chem.states` for these.
    """
    if candidate.structure is None:
        if not candidate.composition:
            return candidate.failed("check", Code.NO_STRUCTURE, "there is no structure")
        return candidate.with_(checks=check_chemistry(candidate.composition, states))
    geometry, failure = geometry_verdicts(candidate.structure)
    checked = candidate.with_(checks={**check_chemistry(candidate.structure.composition, states), **geometry})
    return checked.failed("check", Code.GEOMETRY, failure) if failure else checked


def check_chemistry(composition: Mapping[Any, float], states: str = STATE_SETS[0]) -> dict[str, Check]:
    """The checks "charge" and "electronegativity" of a composition, element -> amount."""
    return {
        "charge": charge_verdict(composition, states),
        "electronegativity": balance_verdict(composition, states),
    }
