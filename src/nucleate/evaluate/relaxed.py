"""Relaxation and energies above the hull of a random part of the generated crystals, for rates of stable ones."""

from __future__ import annotations

from collections.abc import Sequence

from nucleate.errors import Code, NucleateError
from nucleate.evaluate.inputs import CrystalSet, Item
from nucleate.evaluate.measurements import DngSettings
from nucleate.evaluate.measures.features import arrays_of, digest
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.origin import Origin, SetMember
from nucleate.pipeline.stage import Stage

MAX_STEPS = 300
TIME_LIMIT = 300.0  # seconds for one crystal


def sample_candidates(generated: CrystalSet, n: int, settings: DngSettings) -> list[Candidate]:
    """Draw n crystals by the settings' seed. One that could not be read is drawn as well, as a rejected candidate."""
    from nucleate.evaluate.measures.distributions import random_subset

    if n > len(generated):
        raise NucleateError(f"{generated.name} has {len(generated):,} crystals, fewer than the {n:,} to relax")
    out = []
    for i in random_subset(len(generated), n, settings.seed):
        item = generated.items[int(i)]
        crystal = arrays_of(item.structure) if item.structure is not None else None
        member = SetMember(generated.name, item.name, digest([crystal], ""))
        candidate = Candidate(id=f"{int(i) + 1:06d}", structure=item.structure, origin=Origin(member=member))
        out.append(candidate if crystal is not None else candidate.failed("read", Code.NOT_READ, item.reason))
    return out


def stages(settings: DngSettings) -> list[Stage]:
    """The stages: checks of geometry and chemistry, relaxation, energy above the hull."""
    from nucleate.relaxation.pool import RelaxSettings
    from nucleate.stages.check import CheckStage
    from nucleate.stages.hull import HullStage
    from nucleate.stages.relax import RelaxStage

    relax = RelaxSettings(potential=settings.potential, max_steps=MAX_STEPS, time_limit_s=TIME_LIMIT)
    return [CheckStage(), RelaxStage(relax), HullStage(settings.hull)]


def from_candidates(candidates: Sequence[Candidate], name: str) -> CrystalSet:
    """The finished candidates as a set of crystals. A rejected one has no structure in it, but the reason."""
    items = []
    for c in candidates:
        label = c.origin.member.name if c.origin.member else c.id
        if c.failure is not None or c.structure is None:
            items.append(Item(label, None, str(c.failure or "no structure")))
            continue
        reason = c.checks["hull"].reason if "hull" in c.checks else ""
        items.append(Item(label, c.structure, reason, dict(c.energies)))
    return CrystalSet(name, tuple(items))
