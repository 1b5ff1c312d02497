import pytest

from nucleate.engine.local import Serial
from nucleate.pipeline.candidate import PASS, Candidate, Check
from nucleate.pipeline.events import CandidateChanged, Progress, StageBegan, StageEnded, Watch
from nucleate.pipeline.run import run_stages
from nucleate.pipeline.stage import Stage


class Kept:
    """A store in memory that also counts the saved candidates."""

    def __init__(self):
        self.saved = []

    def save_many(self, candidates):
        self.saved += candidates


class Mark(Stage):
    """A stage that rejects the candidates of given ids and remembers which ids it saw."""

    cost, resource = "slow", "cpu"

    def __init__(self, name, reject=(), grain="chunk"):
        self.name, self.reject, self.grain, self.saw = name, reject, grain, []

    def __call__(self, candidates):
        for c in candidates:
            self.saw.append(c.id)
            c = c.with_(checks={self.name: Check(PASS, f"among {len(candidates)}")})
            yield c.failed(self.name, "error", "named") if c.id in self.reject else c


def blanks(*ids):
    return [Candidate(i) for i in ids]


def test_rejected_candidates_are_kept_with_their_reason_and_skipped():
    second, store = Mark("b"), Kept()
    out = run_stages(blanks("x", "y", "z"), [Mark("a", reject=["y"]), second], Serial(), store)
    assert [c.id for c in out] == ["x", "y", "z"] and second.saw == ["x", "z"]
    assert str(out[1].failure) == "a: named" and out[1].stages == ("a",) and out[0].stages == ("a", "b")
    assert len(store.saved) == 5


def test_finished_candidates_are_not_computed_again():
    half = run_stages(blanks("x"), [Mark("a")], Serial(), Kept()) + blanks("y")
    stage, seen = Mark("a"), []
    run_stages(half, [stage], Serial(), Kept(), Watch(seen.append))
    assert stage.saw == ["y"] and [type(e) for e in seen] == [StageBegan, CandidateChanged, Progress, StageEnded]
    assert seen[0] == StageBegan("a", 1, 2) and seen[2] == Progress("a", 2, 2)
    assert seen[1].candidate.id == "y" and seen[1].candidate.stages == ("a",)


def test_a_stage_of_grain_all_sees_all_candidates_again_when_one_is_missing():
    half = run_stages(blanks("x"), [Mark("u", grain="all")], Serial(), Kept()) + blanks("y")
    out = run_stages(half, [stage := Mark("u", grain="all")], Serial(), Kept())
    assert stage.saw == ["x", "y"] and all(c.stages == ("u",) for c in out)
    assert {c.checks["u"].reason for c in out} == {"among 2"}
    run_stages(out, [stage := Mark("u", grain="all")], Serial(), Kept())
    assert stage.saw == []


@pytest.mark.parametrize(
    ("give", "message"), [([], "lost 2 candidates"), (blanks("x", "y", "w"), "invented candidate w")]
)
def test_a_stage_that_loses_or_invents_candidates_is_an_error(give, message):
    class Broken(Mark):
        def __call__(self, candidates):
            return give

    with pytest.raises(RuntimeError, match=message):
        run_stages(blanks("x", "y"), [Broken("a")], Serial(), Kept())
