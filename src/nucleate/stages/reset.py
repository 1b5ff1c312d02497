"""Candidates without earlier results, so that stages work on them again."""

from __future__ import annotations

import dataclasses
from typing import Any

from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.state import FACTS

STAGES = ("relax", "hull", "unique", "novelty", "second", "phonons")
CHECKS = ("relaxed", "hull", "unique", "novel", "judges", "phonons")


def without_results(candidate: Candidate) -> Candidate:
    """The candidate without the results of any stage, so that it goes through all stages again; its origin is kept."""
    known: dict[str, Any] = {name: None for name in FACTS if name != "failure"}
    return dataclasses.replace(candidate, stages=(), checks={}, energies={}, twin_of="", meets=(), **known)


def without_relaxation(candidate: Candidate) -> Candidate:
    """The candidate without the results that a new relaxation changes: its relaxed structure is relaxed again."""
    return dataclasses.replace(
        candidate,
        stages=tuple(s for s in candidate.stages if s not in STAGES),
        checks={k: v for k, v in candidate.checks.items() if k not in CHECKS},
        energies={},
        twin_of="",
        relaxation=None,
        hull=None,
        novelty=None,
        second=None,
        phonons=None,
    )
