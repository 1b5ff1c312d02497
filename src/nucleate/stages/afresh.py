"""Candidates that are to be worked on again, without what was said of them before."""

from __future__ import annotations

import dataclasses
from typing import Any

from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.state import FACTS

STAGES = ("relax", "hull", "unique", "novelty", "second", "phonons")
CHECKS = ("relaxed", "hull", "unique", "novel", "judges", "phonons")


def afresh(candidate: Candidate) -> Candidate:
    """A crystal that goes through all stages again: what earlier runs said of it is forgotten, its origin is not."""
    known: dict[str, Any] = {name: None for name in FACTS if name != "failure"}
    return dataclasses.replace(candidate, stages=(), checks={}, energies={}, twin_of="", meets=(), **known)


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
