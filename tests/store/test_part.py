"""Results of a killed command are kept, belong to equal candidates only, and never mix with other settings."""

import errno
import hashlib
import json

import pytest

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.origin import Wanted
from nucleate.store.part import PartFile

SETTINGS = {"fmax": 0.05, "potential": "chgnet"}


def candidates(*ids):
    return [Candidate(i, provenance={"from": i}) for i in ids]


def result(candidate):
    return candidate.with_(provenance={"done": True}).finished("relax")


def interrupted(out, settings=SETTINGS, ids="abc", done=2):
    with PartFile(out, settings) as part:
        todo = part.resumed(candidates(*ids))
        for c in todo[:done]:
            part.save(result(c))
    return part.path


def test_finished_candidates_come_back_and_the_others_as_they_were(tmp_path):
    path = interrupted(tmp_path / "x.jsonl")
    assert path == tmp_path / "x.jsonl.part.jsonl"
    with PartFile(tmp_path / "x.jsonl", SETTINGS) as part:
        todo = part.resumed(candidates("a", "c", "b", "d"))
        assert [c.id for c in todo] == ["a", "c", "b", "d"]
        assert [c.provenance.get("done", False) for c in todo] == [True, False, True, False]
        part.save(result(todo[1]))
        part.finish()
    assert list(tmp_path.iterdir()) == []


def test_a_changed_candidate_is_computed_again(tmp_path):
    interrupted(tmp_path / "x")
    with PartFile(tmp_path / "x", SETTINGS) as part:
        changed = Candidate("a", seed=5, provenance={"from": "a"})
        assert part.resumed([changed, *candidates("b")]) == [changed, result(candidates("b")[0])]


def test_candidates_of_damaged_lines_are_computed_again(tmp_path):
    path = interrupted(tmp_path / "x", done=3)
    lines = path.read_text().splitlines(keepends=True)
    lines[1] = lines[1].replace('"result"', '"resu', 1)
    path.write_text("".join(lines[:3]) + lines[3][:40])
    with PartFile(tmp_path / "x", SETTINGS) as part:
        todo = part.resumed(candidates("a", "b", "c"))
        assert [bool(c.stages) for c in todo] == [False, True, False]
        part.save(result(todo[0]))
    with PartFile(tmp_path / "x", SETTINGS) as part:
        assert [bool(c.stages) for c in part.resumed(candidates("a", "b", "c"))] == [True, True, False]
    for line in [*path.read_text().splitlines()[2:]]:
        json.loads(line)


def test_other_settings_are_refused_unless_told_to_begin_again(tmp_path):
    path = interrupted(tmp_path / "x")
    before = path.read_text()
    with pytest.raises(NucleateError, match="fmax 0.05, now 0.01.*--overwrite"):
        PartFile(tmp_path / "x", {**SETTINGS, "fmax": 0.01})
    with pytest.raises(NucleateError, match="steps None, now 3"):
        PartFile(tmp_path / "x", {**SETTINGS, "steps": 3})
    assert path.read_text() == before
    with PartFile(tmp_path / "x", SETTINGS, overwrite=True) as part:  # with equal settings, results are kept even so
        assert part.resumed(candidates("a"))[0].stages == ("relax",)
    with PartFile(tmp_path / "x", {**SETTINGS, "fmax": 0.01}, overwrite=True) as part:
        assert part.resumed(candidates("a"))[0].stages == ()
    path.write_text("years of work\n")
    with pytest.raises(NucleateError, match="another command"):
        PartFile(tmp_path / "x", SETTINGS)
    assert path.read_text() == "years of work\n"


def test_a_call_without_a_result_leaves_no_file(tmp_path):
    with pytest.raises(NucleateError), PartFile(tmp_path / "x", SETTINGS):
        raise NucleateError("no such potential")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "x.part.jsonl").write_text(json.dumps({"settings": {"fmax": 1}}) + "\n")  # of a call that was killed
    with PartFile(tmp_path / "x", SETTINGS) as part:
        part.resumed(candidates("a"))
    assert list(tmp_path.iterdir()) == []


def test_one_process_at_a_time(tmp_path):
    refused = pytest.raises(NucleateError, match=r"another process \(pid \d+\) is writing")
    with PartFile(tmp_path / "x", SETTINGS), refused:
        PartFile(tmp_path / "x", SETTINGS)
    PartFile(tmp_path / "x", SETTINGS).close()


def test_a_full_disk_gives_one_line(tmp_path, monkeypatch):
    with PartFile(tmp_path / "x", SETTINGS) as part:
        (only,) = part.resumed(candidates("a"))

        def full(_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(NucleateError, match="free some space and give the command again"):
            part.save(only)


def test_a_file_of_the_first_version_is_continued(tmp_path):
    first = (
        '{"id": "salt", "seed": 3, "structure": null, "energies": {}, "checks": {}, "failure": null, "stages": [], '
        '"provenance": {"formula": "NaCl", "rank": 2}, "composition": {"Na": 1, "Cl": 1}}'
    )
    result = {**json.loads(first), "stages": ["template"]}
    lines = [
        {"settings": {"rank_by": "emd"}},
        {"of": hashlib.sha256(first.encode()).hexdigest()[:32], "result": result},
    ]
    (tmp_path / "x.jsonl.part.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = Candidate("salt", 3, wanted=Wanted(label="NaCl", rank=2), composition={"Na": 1, "Cl": 1})
    settings = {"templates": {"rank_by": "emd"}}
    with pytest.raises(NucleateError, match="other settings"):
        PartFile(tmp_path / "x.jsonl", settings)
    with PartFile(tmp_path / "x.jsonl", settings, former={"rank_by": "emd"}) as part:
        assert part.resumed([asked])[0].stages == ("template",)
        part.save(part.resumed([asked])[0].finished("check"))
    with PartFile(tmp_path / "x.jsonl", settings, former={"rank_by": "emd"}) as part:
        assert part.resumed([asked])[0].stages == ("template", "check")
