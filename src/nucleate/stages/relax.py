"""The stage that relaxes candidates, one by one in worker processes or many at once on a GPU."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage
from nucleate.potentials.registry import get_potential
from nucleate.relaxation.pool import RelaxSettings, relax_candidates

LOADING = 300.0  # seconds in which any potential is loaded


class RelaxStage(Stage):
    """Relaxes each candidate's structure and gives it "energy" (eV/atom), check "relaxed" and `relaxation`.

    The geometry checks are renewed for the relaxed structure. A blow-up, a collapse or a structure that the potential
    cannot take is a recorded failure. Stopping at the step or time limit is none: the candidate goes on with the check
    "relaxed" failed. Atoms that are `fixed` stay where they are. On a GPU the potential takes many
    crystals at once. Elsewhere each worker process loads its own potential, and one that hangs far beyond the time
    limit is ended.
    """

    name = "relax"
    cost: Cost = "slow"

    def __init__(self, settings: RelaxSettings | None = None) -> None:
        self.settings = settings or RelaxSettings()
        self.grain, self.resource = where(self.settings)  # refuses an unknown name before any work
        limit = self.settings.time_limit_s  # the potential itself may hang, where the time is not looked at
        self.limit_s = math.inf if limit is None else 2 * limit + LOADING

    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        return relax_candidates(candidates, self.settings)


def where(settings: RelaxSettings) -> tuple[Grain, Resource]:
    """Grain and resource of relaxations: a potential on a GPU takes many crystals at once. Raises NucleateError for a
    potential that there is not."""
    return ("chunk", "gpu") if get_potential(settings.potential).pool > 1 else ("one", "cpu")
