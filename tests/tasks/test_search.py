"""A search for structures that stops: by probability, and by time."""

from __future__ import annotations

import time

import pytest

from nucleate.engine.local import Serial
from nucleate.errors import Code
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.origin import Wanted
from nucleate.pipeline.run import NoStore
from nucleate.pipeline.stage import Stage
from nucleate.pipeline.state import StructureVote
from nucleate.stages.search import EnoughStage
from nucleate.tasks.predict_limit import run_within, was_stopped


def voted(rank: int, probability: float | None, proposer: str = "retrieval") -> Candidate:
    vote = StructureVote(proposer=proposer, probability=probability)
    return Candidate(f"AB-{rank}", wanted=Wanted(label="AB", rank=rank), vote=vote)


@pytest.mark.parametrize(
    "votes, kept",
    [
        ([(0.6, "retrieval"), (0.35, "retrieval"), (0.02, "retrieval")], 2),
        ([(None, "known"), (None, "known")], 1),
        ([(0.5, "retrieval"), (None, "ordering"), (0.3, "retrieval")], 3),
        ([(0.95, "retrieval"), (0.01, "retrieval")], 1),
    ],
)
def test_no_more_answers_than_are_needed(votes, kept):
    given = [voted(i + 1, p, by) for i, (p, by) in enumerate(votes)]
    done = list(EnoughStage(0.9)(given[::-1]))
    living = sorted(c.wanted.rank for c in done if c.failure is None)
    assert living == list(range(1, kept + 1))
    assert {c.failure.code for c in done if c.failure} <= {Code.ENOUGH}
    assert all(c.structure is None for c in done if c.failure)


class Slow(Stage):
    name, grain, cost, resource = "slow", "one", "slow", "cpu"

    def __call__(self, candidates):
        for c in candidates:
            time.sleep(0.02)
            yield c


class Quick(Stage):
    name, grain, cost, resource = "quick", "all", "quick", "cpu"

    def __call__(self, candidates):
        yield from candidates


def test_a_run_ends_when_its_time_is_over():
    blanks = [Candidate(f"c{i}") for i in range(200)]
    done = run_within(0.05, blanks, [Slow(), Quick()], Serial(), NoStore())
    finished = [c for c in done if c.failure is None]
    assert len(done) == 200 and 1 <= len(finished) < 200
    assert all(c.stages == ("slow", "quick") for c in finished)
    assert {c.failure.code for c in done if c.failure} == {Code.TIME_LIMIT}
    assert was_stopped(done)


def test_a_run_without_a_limit_is_whole():
    done = run_within(0, [Candidate("a")], [Slow(), Quick()], Serial(), NoStore())
    assert done[0].stages == ("slow", "quick") and not was_stopped(done)
