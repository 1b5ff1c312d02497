"""Candidates with a composition and no structure: their records, their checks, and why they are rejected."""

import pytest
from pymatgen.core import Lattice, Structure

from nucleate.engine.local import Serial
from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate, candidate_of_formula
from nucleate.pipeline.rank import to_rows
from nucleate.pipeline.run import NoStore, run_stages
from nucleate.stages.check import CheckStage, check_candidate
from nucleate.stages.chemistry import ChemistryStage, with_oxidation
from nucleate.store.database import RunStore

SALT = {"Na": 2, "Cl": 2}
MADE = [
    Candidate("c1", composition=SALT),
    Candidate("c2", composition={"Na": 1, "Cl": 3}),
    Candidate("c3", composition={"Cl": 1, "Na": 1}),
    Candidate("c4", composition={"Rn": 1, "O": 1}),
    Candidate("c5"),
    Candidate("c6", composition={"Cl": 1, "H": 3}),
]


def test_a_composition_is_part_of_the_record(tmp_path):
    a = Candidate("a", composition=SALT)
    assert a.formula == "NaCl" and to_rows([a])[0]["formula"] == "NaCl"
    assert Candidate.from_dict(a.to_dict()) == a
    old = a.to_dict()
    del old["composition"]
    assert Candidate.from_dict(old) == Candidate("a")
    whole = a.with_(structure=Structure(Lattice.cubic(3), ["K"], [[0, 0, 0]]))
    assert whole.formula == "K"  # the formula of the structure, not the wanted one
    with RunStore(tmp_path) as store:
        store.save(a)
        assert store.load() == [a]
    (checked,) = CheckStage()([a])
    assert checked.failure is None and set(checked.checks) == {"charge", "electronegativity"}


def test_charged_and_duplicate_formulas_are_rejected():
    found = {c.id: c for c in run_stages(MADE, [ChemistryStage()], Serial(), NoStore())}
    assert found["c1"].failure is None and found["c4"].failure is None  # the verdict unknown does not reject
    assert [found["c1"].checks[k].reason for k in ("charge", "oxidation")] == ["Na+ Cl- (icsd24)", "Na +1, Cl -1"]
    assert found["c4"].checks["charge"].verdict == "unknown"
    assert str(found["c2"].failure) == "chemistry: charge: no neutral combination of icsd24 oxidation states"
    assert str(found["c3"].failure) == "chemistry: same formula as c1"
    assert str(found["c5"].failure) == "chemistry: there is no composition"
    assert str(found["c6"].failure).startswith("chemistry: electronegativity: neutral only with a cation more")


def test_the_checks_that_reject_can_be_chosen():
    (kept,) = ChemistryStage(reject=())([MADE[1]])
    assert kept.failure is None and kept.checks["charge"].verdict == "fail"
    (lost,) = ChemistryStage(reject=["oxidation"])([MADE[1]])
    assert str(lost.failure).startswith("chemistry: oxidation: charge -2: Na +1, Cl -1")
    with pytest.raises(NucleateError, match="no check 'colour' of a composition; there are charge"):
        ChemistryStage(reject=["colour"])


def test_an_interrupted_stage_gives_the_same_verdicts():
    whole = run_stages(MADE, [ChemistryStage()], Serial(), NoStore())
    half = [*run_stages(MADE[:2], [ChemistryStage()], Serial(), NoStore()), *MADE[2:]]
    assert run_stages(half, [ChemistryStage()], Serial(), NoStore()) == whole


def test_candidates_with_a_structure_are_checked_too():
    crystal = Candidate("s", structure=Structure(Lattice.cubic(4), ["Mg", "O"], [[0, 0, 0], [0.5] * 3]))
    asked = with_oxidation([Candidate("empty"), crystal])
    assert [c.checks.get("oxidation") and c.checks["oxidation"].reason for c in asked] == [None, "Mg +2, O -2"]


def test_two_possible_readings_of_the_charges_are_both_named():
    pyrite, magnetite = with_oxidation([check_candidate(candidate_of_formula(f)) for f in ("FeS2", "Fe3O4")])
    assert pyrite.checks["charge"].reason == "Fe4+ S2- (icsd24); a second reading, by the check oxidation: Fe +2, S -1"
    assert pyrite.checks["oxidation"].reason == "Fe +2, S -1; a second reading, by the check charge: Fe4+ S2-"
    assert "second" not in magnetite.checks["charge"].reason + magnetite.checks["oxidation"].reason
