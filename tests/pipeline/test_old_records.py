"""Records of earlier versions open as today's. `old_records.jsonl` was written by nucleate 0.1 before there were typed
fields: of `predict --relax`, a tree search, `design`, a POSCAR with fixed atoms, phonons, and one with everything."""

import copy
import json
import math
from pathlib import Path

import pytest

from nucleate.errors import Code, NucleateError
from nucleate.generators import Condition
from nucleate.pipeline.candidate import Candidate, Failure
from nucleate.pipeline.candidate_files import read_candidates
from nucleate.pipeline.old_records import upgraded
from nucleate.pipeline.origin import Wanted
from nucleate.pipeline.rank import rank, to_rows
from nucleate.pipeline.state import Frequency, ObjectiveScore

FILE = Path(__file__).parent / "old_records.jsonl"
OLD = {r["id"]: r for r in map(json.loads, FILE.read_text().splitlines())}

BLANK = {k: v for k, v in Candidate("a", 3).to_dict().items() if k != "version"}


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("relax: blew up: twice", Failure("relax", "not-relaxed", "blew up: twice")),
        ("chemistry: same formula as c1", Failure("chemistry", "duplicate", "same formula as c1")),
        ("chemistry: charge: no", Failure("chemistry", "chemistry", "charge: no")),
        (
            "width: formula 3 of 3 by R_hi, 2 are opened",
            Failure("width", "not-opened", "formula 3 of 3 by R_hi, 2 are opened"),
        ),
        ("odd: ZeroDivisionError", Failure("odd", "error", "ZeroDivisionError")),
    ],
)
def test_a_failure_of_one_text_is_split(text, failure):
    candidate = Candidate.from_dict({**BLANK, "failure": text})
    assert candidate.failure == failure and str(candidate.failure) == text
    assert Candidate.from_dict(candidate.to_dict()) == candidate


def test_a_failure_that_is_neither_text_nor_table_is_refused():
    for wrong in ("", 3, {"stage": "relax"}, {"stage": "", "code": "x", "reason": ""}):
        with pytest.raises(NucleateError, match="not a candidate record: failure"):
            Candidate.from_dict({**BLANK, "failure": wrong})


def test_codes_are_unique_plain_texts():
    texts = [str(code) for code in Code]
    assert len(set(texts)) == len(texts) and all(t == t.lower() and " " not in t for t in texts)
    assert NucleateError("no").code == "error" and NucleateError("no", code=Code.UNMET).code == "unmet"


@pytest.fixture(scope="module")
def opened():
    candidates, problems = read_candidates([FILE])
    assert not problems
    return dict(zip([json.loads(line)["id"] for line in FILE.read_text().splitlines()], candidates, strict=True))


def test_every_old_record_opens_and_is_written_in_the_new_form(opened):
    for name, candidate in opened.items():
        record = json.loads(candidate.to_json())
        assert record["version"] == 2 and Candidate.from_dict(record) == candidate, name
        assert not set(record["provenance"]) - {"last_frame", "language", "template", "relax"}, name
        assert record["energies"] == OLD[name]["energies"] and record["checks"] == OLD[name]["checks"]
    assert len(to_rows(rank(list(opened.values())))) == len(opened)


def test_the_fields_of_an_old_prediction(opened):
    c, old = opened["KCl-1"], OLD["KCl-1"]["provenance"]
    assert c.wanted == Wanted(Condition({"K": 1, "Cl": 1}), "KCl", 1) and c.frequency == Frequency(1, 2)
    assert c.origin.generator == "template-emd" and c.origin.template.id == "mp-23193"
    assert c.origin.template.distance == 0.0 and c.origin.template.space_group == 225
    assert (c.relaxation.steps, c.relaxation.converged, c.relaxation.smax) == (0, True, old["relax"]["smax"])
    assert c.hull.decomposition == "KCl" and c.relaxation.elements_known and c.provenance == {}


def test_the_fields_of_an_old_search(opened):
    left = opened["c00003"]
    assert left.failure.code == Code.NOT_OPENED and left.failure.stage == "width"
    assert left.formula_score.value == OLD["c00003"]["provenance"]["heuristic"]["value"]
    assert left.origin.family.name == "rock salt" and left.origin.family.score is not None


def test_the_fields_of_an_old_duplicate(opened):
    c = opened["c00002"]  # the record has this id in the second run
    assert c.twin_of == "c00001" and c.checks["unique"].reason == "same as c00001"
    assert c.second.relaxation.potential == "sevennet" and c.second.correction["anion correction (Cl)"] == -0.307


def test_the_fields_of_an_old_relaxed_file(opened):
    c = opened["POSCAR"]
    assert c.fixed == (0, 3) and c.origin.file.file == "POSCAR" and c.origin.generator == ""
    assert (c.relaxation.fixed_atoms, c.relaxation.cell, c.relaxation.elements_known) == (2, False, False)
    assert opened["ph"].phonons.lowest_thz == pytest.approx(3.552, abs=1e-3)


def test_the_fields_of_an_old_record_with_everything(opened):
    c = opened["c1"]
    assert c.predicted.by == "network" and c.predicted.wanted == {"band_gap": (1.0, 2.0)}
    assert c.predicted.off_target == {"band_gap": 0.1} and c.objective == ObjectiveScore(1.0)
    assert c.meets == ("a salt",) and c.origin.language.read == ("a page",)
    assert c.origin.file.properties == {"note": 1} and c.relaxation.steps == 3


def test_values_without_a_field_stay_in_the_provenance():
    values = copy.deepcopy(OLD["KCl-1"])
    values["provenance"] |= {"text": "K Cl"}
    values["provenance"]["relax"] |= {"last_frame": {"a": 1}, "mood": "good"}
    c = Candidate.from_dict(values)
    assert c.provenance == {"text": "K Cl", "last_frame": {"a": 1}, "relax": {"mood": "good"}}


SHAPES = [None, [1, 2], [], {}, {"a": 1}, {"a": None}, "x", "", 3.5, math.nan, -math.inf, 10**400, True, "\ud800"]


@pytest.mark.parametrize(
    "key", [*OLD["c1"]["provenance"], *OLD["c00002"]["provenance"], "phonons", "dft", "fixed", "rank"]
)
def test_a_broken_old_record_is_refused_in_one_line_or_can_be_read(key):
    for shape in SHAPES:
        values = copy.deepcopy(OLD["c1"])
        values["provenance"][key] = shape
        try:
            candidate = Candidate.from_dict(json.loads(json.dumps(values)))
        except NucleateError as error:
            assert "\n" not in str(error) and len(str(error)) < 300, str(error)
            continue
        to_rows(rank([candidate]))
        assert Candidate.from_dict(json.loads(candidate.to_json())) == candidate


@pytest.mark.parametrize("values", [{}, {"checks": 3, "provenance": []}, {"checks": {"unique": 3}, "failure": 1}])
def test_upgrading_leaves_wrong_values_to_the_check(values):
    assert upgraded(values)["version"] == 2
    with pytest.raises(NucleateError, match="not a candidate record"):
        Candidate.from_dict(values)
