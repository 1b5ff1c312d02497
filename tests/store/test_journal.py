"""Every journal keeps the contract of `store.journal.Journal`."""

import json

import pytest

from nucleate.engine.local import Serial
from nucleate.errors import NucleateError
from nucleate.evaluate import csp
from nucleate.locks import Lock
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.events import Cancel, Cancelled, CandidateChanged, Watch
from nucleate.pipeline.origin import Origin, SetMember
from nucleate.pipeline.stage import Stage
from nucleate.store.database import RunStore
from nucleate.store.journal import JournalLines, changed_settings_text, run_with_journal
from nucleate.store.part import PartFile


class Mark(Stage):
    """A stage that remembers the ids of the candidates it was given."""

    name, grain, cost, resource = "mark", "one", "slow", "cpu"

    def __init__(self):
        self.saw = []

    def __call__(self, candidates):
        for c in candidates:
            self.saw.append(c.id)
            yield c.with_(provenance={"marked": len(self.saw)})


def candidates(*ids):
    return [Candidate(i, seed=k) for k, i in enumerate(ids)]


@pytest.mark.parametrize("kind", ["file", "database"])
def test_every_journal_keeps_finished_results_and_the_next_call_does_the_rest(tmp_path, kind):
    def opened():
        return PartFile(tmp_path / "x.jsonl", {"fmax": 1}) if kind == "file" else RunStore(tmp_path / "run")

    first, stop = Mark(), Cancel()

    def enough(event):
        if isinstance(event, CandidateChanged) and len(first.saw) == 2:
            stop()

    with opened() as journal, pytest.raises(Cancelled):
        run_with_journal(journal, candidates(*"abcd"), [first], Serial(), Watch(enough, cancel=stop))
    with pytest.raises(NucleateError, match="another process"), opened(), opened():
        pass
    again = Mark()
    with opened() as journal:
        done = run_with_journal(journal, candidates(*"abcd"), [again], Serial())
    assert first.saw == ["a", "b"] and again.saw == ["c", "d"]
    assert [c.id for c in done] == list("abcd") and all(c.stages == ("mark",) for c in done)
    last = Mark()
    with opened() as journal:
        assert [c.to_dict() for c in run_with_journal(journal, candidates(*"abcd"), [last], Serial())] == [
            c.to_dict() for c in done
        ]
    assert last.saw == []


def test_a_candidate_on_which_no_work_has_begun_is_the_given_one(tmp_path):
    with RunStore(tmp_path) as store:
        store.resumed(candidates(*"ab"))
        store.save_many([candidates("a")[0].finished("mark"), candidates("c")[0].failed("mark", "error", "no room")])
        given = [c.with_(provenance={"version": "new"}) for c in candidates(*"abcd")]
        a, b, c, d = store.resumed(given)
        assert a.stages == ("mark",) and c.failure is not None and not a.provenance and not c.provenance
        assert b == given[1] and d == given[3]
        assert [c.id for c in store.load()] == ["a", "b", "c", "d"]


def test_a_folder_of_other_crystals_is_refused(tmp_path):
    def of(name, content):
        return [Candidate("000001", origin=Origin(member=SetMember(name, "one", content)))]

    with RunStore(tmp_path) as store:
        run_with_journal(store, of("mine", "abc"), [Mark()], Serial())
        with pytest.raises(NucleateError, match="holds crystals of 'mine', not these; give another --out"):
            store.resumed(of("theirs", "abd"))


def test_lines_are_appended_after_complete_lines(tmp_path):
    path = tmp_path / "lines"
    with JournalLines(path) as lines:
        assert lines.before == []
        lines.add(["one", "two"])
    with path.open("a") as file:
        file.write("half of a li")
    with JournalLines(path) as lines:
        assert lines.before == ["one", "two"]
        lines.add(["three"])
    assert path.read_text() == "one\ntwo\nthree\n"


def test_one_process_predicts_at_a_time_and_leaves_no_lock(tmp_path):
    path = tmp_path / "predictions.jsonl"
    with (
        Lock(tmp_path / ".predictions.jsonl.lock", "is writing it", "choose another"),
        pytest.raises(NucleateError, match="another process .* is writing"),
    ):
        csp.predict_missing(None, [], 1, 0, path)
    path.write_text(json.dumps({"material_id": "a", "sample": 0, "reason": "none"}) + "\n")
    csp.predict_missing(None, [], 1, 0, path)
    assert [p.name for p in tmp_path.iterdir()] == ["predictions.jsonl"]


def test_the_text_of_changed_settings_names_them():
    before, now = {"fmax": 0.05, "seed": 1}, {"fmax": 0.01, "seed": 1, "steps": 3}
    assert changed_settings_text(before, now) == "fmax 0.05, now 0.01, steps None, now 3"
