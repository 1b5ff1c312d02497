"""The retrieval stage: known crystals first, votes, ranks, and reasons of failures."""

import json

import pytest
from small_library import perovskite, rock_salt, small_library

from nucleate.engine.local import Serial
from nucleate.errors import Code
from nucleate.generators.retrieval import FormulaAnswer, RetrievalGenerator
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.frame import to_frame
from nucleate.pipeline.origin import Wanted
from nucleate.pipeline.rank import to_rows
from nucleate.pipeline.run import NoStore, run_stages
from nucleate.retrieval.retrieve import RetrievedRelative
from nucleate.stages.retrieval import RetrievalStage, template_of

# a perovskite, and one whose metal is off its site by less than 0.1 angstrom: two patterns, one structure type
TWICE = (
    (1, perovskite("Sr", "Ti", "O", 3.905), dict(e_above_hull=0.001)),
    (2, perovskite("Ba", "Ti", "O", 3.95, shift=0.0077), dict(e_above_hull=0.001)),
    (3, rock_salt("Sn", "O", 4.2), dict(e_above_hull=0.0)),
)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return small_library(tmp_path_factory.mktemp("library"))


def found(library, composition, count):
    blanks = [Candidate(f"x-{k}", wanted=Wanted(rank=k), composition=composition) for k in range(1, count + 1)]
    return run_stages(blanks, [RetrievalStage(library)], Serial(), NoStore())


def test_known_crystals_come_first_and_have_no_probability(library):
    anatase, rutile, other, none = found(library, {"Ti": 2, "O": 4}, 4)
    assert (anatase.vote.proposer, anatase.vote.id, anatase.vote.name) == ("known", "mp-8", "anatase")
    assert (rutile.vote.id, rutile.vote.name, rutile.vote.known_e_above_hull) == ("mp-7", "rutile", 0.02)
    assert anatase.origin.generator == "known" and anatase.stages == ("retrieval",)
    assert anatase.origin.template.substitution == {"Ti": "Ti", "O": "O"} and anatase.origin.template.distance == 0.0
    assert anatase.structure == library["mp-8"].structure
    # the rutile of tin, mp-9, is the rutile that is known, so the disordered oxide of lithium is next
    assert (other.vote.proposer, other.vote.id, other.vote.known_e_above_hull) == ("retrieval", "mp-13", None)
    assert all(c.vote.probability is None and c.vote.none is None for c in (anatase, rutile, other))
    assert none.failure.code == Code.NO_TEMPLATE
    assert str(none.failure) == "retrieval: the known crystals have 3 structure types of the ratio 1:2 of TiO2"


def test_equal_known_crystals_are_said_once(library):
    salt, none = found(library, {"Na": 1, "Cl": 1}, 2)
    assert salt.vote.id == "mp-4" and none.vote is None  # mp-5 is the same crystal, and other salts are of its type


def test_hidden_crystals_are_neither_known_nor_asked(library):
    view = library.hidden(formulas=[{"Ti": 1, "O": 2}])
    first, second, none = found(view, {"Ti": 1, "O": 2}, 3)
    assert [first.vote.id, second.vote.id] == ["mp-9", "mp-13"] and first.vote.proposer == "retrieval"
    assert 0.3 < first.vote.probability < 1 and second.vote.probability < 0.01
    assert first.origin.template.substitution == {"Sn": "Ti", "O": "O"} and first.formula == "TiO2"
    assert "without 2 crystals of 1 formulas have 2 structure types" in str(none.failure)


def test_probabilities_of_a_formula_that_is_not_known(library):
    candidates = found(library, {"Ca": 1, "Sn": 1, "O": 3}, 3)
    made = [c for c in candidates if c.failure is None]
    chances = [c.vote.probability for c in made]
    assert (
        len(made) == 2 and chances[0] > 0.5 > chances[1] > 0
    )  # calcium is where it is in CaTiO3, or where titanium is
    assert sum(chances) + made[0].vote.none == pytest.approx(1, abs=1e-5)
    assert made[0].vote.none == made[1].vote.none and made[0].vote.name in ("perovskite", "")
    assert Candidate.from_dict(json.loads(made[0].to_json())).vote == made[0].vote
    row, frame = to_rows(made)[0], to_frame(made)
    assert row["probability"] == frame["probability"][0] == chances[0] and row["proposer"] == "retrieval"
    assert row["none_of_these"] == made[0].vote.none and row["known_id"] == made[0].origin.template.id
    assert "probability" not in to_rows([Candidate("a")])[0]


def test_two_patterns_of_one_structure_type_are_one_answer(tmp_path):
    library = small_library(tmp_path, TWICE)
    retrieved = RetrievalGenerator(library).retriever.retrieve({"Sr": 1, "Sn": 1, "O": 3}, 10, own=False)
    assert len(retrieved.prototypes) == 2  # of two patterns, in each of which strontium may be in two places
    answers = RetrievalGenerator(library).answers({"Sr": 1, "Sn": 1, "O": 3}, 10)
    assert len(answers.answers) == 2
    chances = [a.probability for a in answers.answers]
    assert sum(chances) + answers.none == pytest.approx(1) and chances == sorted(chances, reverse=True)


def test_the_answer_of_a_rank_depends_on_nothing_else(library):
    both = found(library, {"Ca": 1, "Sn": 1, "O": 3}, 2)
    asked = Candidate("x-2", wanted=Wanted(rank=2), composition={"Ca": 2, "Sn": 2, "O": 6})
    other = Candidate("y", composition={"Mg": 1, "O": 1})
    again = {c.id: c for c in RetrievalStage(library)([other, asked])}
    assert again["x-2"].vote == both[1].vote and again["x-2"].structure == both[1].structure
    assert again["y"].vote.id == "mp-6"


@pytest.mark.parametrize(
    ("composition", "reason"),
    [
        ({"Ca": 1, "Si": 2, "O": 5}, "no known crystal has Si, so CaSi2O5 is like none of them"),
        ({"Ti": 7, "O": 5}, "no known crystal has the ratio 5:7 of Ti7O5; the method random needs none"),
        ({"Ti": 151, "O": 149}, "no known crystal has the ratio 149:151 of Ti151O149"),
        ({}, "no composition was given"),
        ({"Xx": 1}, "'Xx' is not an element; elements are written H, He, ... Og"),
    ],
)
def test_what_cannot_be_answered_fails_with_the_reason(library, composition, reason):
    (candidate,) = found(library, composition, 1)
    assert str(candidate.failure).startswith("retrieval: ") and candidate.structure is None
    assert candidate.failure.reason.startswith(reason.partition(";")[0]) and ("random" in reason) == (
        "random" in candidate.failure.reason
    )


def test_a_template_is_called_far_only_where_there_is_no_probability(library):
    relative = RetrievedRelative(library["mp-6"], {"Mg": "Cs", "O": "Au"}, 1.0, 2.0)
    assert template_of(FormulaAnswer(relative, False, 0.02)).far == ""
    assert "steps between the formulas" in template_of(FormulaAnswer(relative, False)).far


def test_orderings_are_proposed_where_no_known_crystal_has_the_ratio(library):
    first, second = found(library, {"Sr": 1, "Ba": 1, "Ti": 2, "O": 6}, 2)
    assert first.vote.proposer == first.origin.generator == "ordering"
    assert first.vote.probability is None and first.vote.none is None
    assert first.structure.composition.reduced_formula == "BaSrTi2O6"
    assert first.origin.template.formula in ("SrTiO3", "BaTiO3") and not first.origin.template.far
    assert first.origin.template.note.startswith("sites shared: ") and "Ba, Sr" in first.origin.template.note
    assert json.loads(first.to_json())["vote"]["proposer"] == "ordering" and second.structure is not None


def test_orderings_of_crystals_that_are_too_far_away_are_not_proposed(library):
    (none,) = found(library, {"Sn": 1, "Ti": 1, "O": 4}, 1)
    assert none.failure.code == Code.NO_TEMPLATE
