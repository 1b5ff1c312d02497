"""The stage that relaxes candidates: one at a time in worker processes, or many at once on a GPU."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage
from nucleate.potentials.registry import get_potential
from nucleate.relaxation.pool import RelaxSettings, relax_candidates

LOADING = 300.0  # seconds; loading a potential takes less


class RelaxStage(Stage):
    """Relaxes each candidate's structure and gives it "energy" (eV/atom), the check "relaxed" and `relaxation`.

    The checks of geometry are made again for the relaxed structure. A candidate fails if its structure goes out of the
    range of the potential, collapses, or cannot be taken by it. One that stops at the limit of steps or time does not
    fail: only its check "relaxed" does. Atoms that are `fixed` stay in place. On a GPU the potential takes many
    crystals at once. Otherwise each worker process loads the potential, and a process that takes far longer than the
    time limit is ended.
    """

    name = "relax"
    cost: Cost = "slow"

    def __init__(self, settings: RelaxSettings | None = None) -> None:
        self.settings = settings or RelaxSettings()
        self.grain, self.resource = grain_and_resource(
            self.settings
        )  # also refuses an unknown potential before any work
        limit = self.settings.time_limit_s  # checked between steps only; the potential itself may hang
        self.limit_s = math.inf if limit is None else 2 * limit + LOADING

    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        return relax_candidates(candidates, self.settings)


def grain_and_resource(settings: RelaxSettings) -> tuple[Grain, Resource]:
    """Grain and resource of a stage that relaxes. A potential on a GPU takes many crystals at once. Raises
    NucleateError for an unknown potential."""
    return ("chunk", "gpu") if get_potential(settings.potential).pool > 1 else ("one", "cpu")
