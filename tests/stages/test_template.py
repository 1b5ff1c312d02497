"""The template stage: ranks, reasons of failures, and the record of templates."""

import json

import pytest
from pymatgen.core import Lattice, Structure

from nucleate.engine.local import Serial
from nucleate.generators import Condition
from nucleate.generators.template import TemplateGenerator
from nucleate.generators.template_library import library_from_structures
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.origin import Wanted
from nucleate.pipeline.run import NoStore, run_stages
from nucleate.stages.template import TemplateStage

HALF, QUARTER = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]
LIBRARY = library_from_structures(
    [
        ("halite", Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], HALF])),
        ("sphalerite", Structure.from_spacegroup("F-43m", Lattice.cubic(5.41), ["Zn", "S"], [[0, 0, 0], QUARTER])),
    ]
)
STAGE = TemplateStage(TemplateGenerator(LIBRARY))


def wanted(name, composition, rank=None):
    return Candidate(name, wanted=Wanted(rank=rank) if rank is not None else Wanted(), composition=composition)


def test_structures_by_rank():
    candidates = [wanted("b", {"K": 1, "Br": 1}, 2), wanted("a", {"K": 2, "Br": 2}), wanted("c", {"K": 1, "Br": 1}, 3)]
    b, a, c = run_stages(candidates, [STAGE], Serial(), NoStore())
    assert a.failure is None and b.failure is None and a.stages == ("template",)
    assert a.origin.generator == "template-emd"
    record = a.origin.template
    assert record.id == "halite" and record.formula == "NaCl" and record.space_group == 225
    assert record.substitution == {"Na": "K", "Cl": "Br"} and record.distance == 1.0
    assert record.similarity is None and "no atomic volume" in record.note
    assert a.structure.composition.reduced_formula == b.structure.composition.reduced_formula == "KBr"
    assert b.origin.template.id == "sphalerite"
    assert str(c.failure) == "template: the given crystals have 2 structure types of the ratio 1:1 of KBr"
    given = Candidate("d", wanted=Wanted(Condition({"K": 1, "Br": 1})))  # with a condition for a generator
    assert run_stages([given], [STAGE], Serial(), NoStore())[0].origin.template == record
    assert Candidate.from_dict(json.loads(a.to_json())).origin.template == record


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (wanted("x", {"Ca": 1, "Si": 2, "O": 5}), "the given crystals have no structure of the ratio 1:2:5 of CaSi2O5"),
        (wanted("x", {}), "no composition was given"),
        (Candidate("x"), "no composition was given"),
        (wanted("x", {"Xx": 1}), "'Xx' is not an element"),
        (wanted("x", {"Na": 0, "Cl": 1}), "must be a positive number"),
        (wanted("x", {"Na": 1, "Cl": 1}, 0), "the rank of a template counts from 1, not 0"),
        (wanted("x", {"Rf": 1, "Cl": 1}), "without a place on the modified Pettifor scale"),
    ],
)
def test_a_candidate_without_a_template_fails_with_the_reason(candidate, reason):
    good = wanted("good", {"K": 1, "Br": 1})
    found = {c.id: c for c in run_stages([candidate, good], [STAGE], Serial(), NoStore())}
    assert str(found["x"].failure).startswith("template: ") and reason in str(found["x"].failure)
    assert found["x"].structure is None and found["good"].failure is None
