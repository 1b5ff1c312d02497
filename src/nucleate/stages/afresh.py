"""A candidate that is to be relaxed again, without what was said of its old structure."""

from __future__ import annotations

import dataclasses

from nucleate.pipeline.candidate import Candidate

STAGES = ("relax", "hull", "unique", "novelty", "second", "phonons")
CHECKS = ("relaxed", "hull", "unique", "novel", "judges", "phonons")


def unrelaxed(candidate: Candidate) -> Candidate:
    """Asked for by name, it runs again on what was relaxed before; nothing said of the old structure stays."""
    return dataclasses.replace(
        candidate,
        stages=tuple(s for s in candidate.stages if s not in STAGES),
        checks={k: v for k, v in candidate.checks.items() if k not in CHECKS},
        energies={},
        twin_of="",
        relaxation=None,
        hull=None,
        second=None,
        phonons=None,
    )
