"""Requests in words are checked on crystals; and crystals of families are made from their prototypes."""

import dataclasses

import pytest

from nucleate.chem.classes import GROUPS
from nucleate.engine.local import Serial
from nucleate.errors import NucleateError
from nucleate.families.decorate import decorated_prototype
from nucleate.families.family import lexicon
from nucleate.families.members import family_prototype, known_members
from nucleate.generators.base import Condition
from nucleate.library.library import load_library
from nucleate.pipeline.candidate import Candidate, Check, Energy
from nucleate.pipeline.rank import to_rows
from nucleate.request.parse import parse_request
from nucleate.search.families_first import proposed_formulas, type_is_allowed
from nucleate.settings import DesignSettings
from nucleate.stages.request_check import (
    FormulaStage,
    RequestCheckStage,
    composition_requirements,
    condition_of_words,
    elements_in_family,
)
from nucleate.tasks.design import design, generate_candidates, resume

TYPES = [(f.name, i) for f in lexicon().values() for i in range(len(f.types))]


@pytest.mark.parametrize(("name", "index"), TYPES)
def test_a_prototype_is_of_its_family_and_stays_so_with_other_elements(name, index):
    f = lexicon()[name]
    assert elements_in_family(family_prototype(name, index), f) is not None
    other = [m for m in known_members(name) if m.structure_type == index][-1]
    crystal = decorated_prototype(name, index, other.elements, f.ions(other.elements) or ())
    assert elements_in_family(crystal, f) is not None
    volumes = [m.volume for m in known_members(name) if (m.structure_type, m.elements) == (index, other.elements)]
    assert any(crystal.volume / len(crystal) == pytest.approx(v, rel=1e-6) for v in volumes)


def test_families_of_one_structure_type_are_told_apart():
    crystal = decorated_prototype("elpasolite", 0, ("Cs", "Ag", "Bi", "Br"), (1, 1, 3, -1))
    assert elements_in_family(crystal, lexicon()["elpasolite"]) == ("Cs", "Ag", "Bi", "Br")
    assert elements_in_family(crystal, lexicon()["double perovskite"]) is None
    assert elements_in_family(crystal, lexicon()["spinel"]) is None


def checked(text, structure):
    (c,) = RequestCheckStage(parse_request(text))([Candidate("c", structure=structure)])
    return c.checks["request"], list(c.meets)


def test_each_part_of_a_request_is_verified():
    spinel = decorated_prototype("spinel", 0, ("Co", "Ga", "O"), (2, 3, -2))
    check, why = checked("a cobalt spinel oxide, cubic", spinel)
    assert check.verdict == "pass" and why == ["oxide", "Co in it", "spinel", "Fd-3m"]
    check, why = checked("a sulfide spinel without gallium or a rare earth", spinel)
    assert check.verdict == "fail" and check.reason == "not sulfide, not Ga in it" and why == ["spinel"]
    check, _ = checked("a new tetragonal perovskite", decorated_prototype("spinel", 0, ("Mg", "Al", "O"), (2, 3, -2)))
    assert check.reason == "not a new formula, not tetragonal perovskite"
    check, why = checked("a ternary of ratio 1:2:4 with Ni or Co", spinel)
    assert check.verdict == "pass" and why == ["Co in it", "ratio 1:2:4", "3 elements"]


def test_stability_is_judged_by_the_energy_above_the_hull_of_the_relaxed_crystal():
    spinel = Candidate("c", structure=decorated_prototype("spinel", 0, ("Co", "Ga", "O"), (2, 3, -2)))
    asked = RequestCheckStage(parse_request("a stable spinel"))
    for value, deep, holds in ((0.02, False, True), (0.03, False, False), (-0.5, True, False), (None, False, False)):
        c = spinel if value is None else spinel.with_(energies={"e_above_hull": Energy(value, "a potential")})
        (c,) = asked([c.with_(checks={"hull": Check("fail", "too deep")}) if deep else c])
        assert (c.checks["request"].verdict == "pass") is holds
        assert ("at most 0.025 eV/atom above the hull" in c.meets) is holds
    assert c.checks["request"].reason == "not at most 0.025 eV/atom above the hull"


def test_formulas_that_do_not_fulfil_the_request_are_rejected():
    stage = FormulaStage(parse_request("a nitride"))
    some = [Candidate("a", composition={"Ga": 1, "N": 1}), Candidate("b", composition={"Ga": 1, "O": 1})]
    first, second = stage(some)
    assert first.failure is None and str(second.failure) == "formula: not nitride"


def test_conditions_for_models_of_formulas_contain_the_classes():
    request = parse_request("a chalcogenide with an alkali metal, no tellurium")
    drawn = [condition_of_words(request, Condition(exclude=request.exclude), seed) for seed in range(40)]
    assert {c.contains[1] for c in drawn} == {"S", "Se"}
    assert {c.contains[0] for c in drawn} <= set(GROUPS["alkali metal"])
    assert all({"O", "F", "Te"} <= set(c.exclude) for c in drawn)
    metal = condition_of_words(parse_request("a metal with Ti"), Condition(contains=("Ti",)), 0)
    assert "O" in metal.exclude and metal.contains == ("Ti",)
    with pytest.raises(NucleateError, match="all elements of a kind that was asked for are excluded"):
        condition_of_words(parse_request("an oxide"), Condition(exclude=("O",)), 0)


def test_ratios_lead_to_families_and_known_formulas_can_be_left_out():
    found = proposed_formulas(parse_request("a chalcogenide with ratio 1:1:2 that is not known"), 40)
    assert len(found) == 40 and not any(p.known for p in found)
    assert {tuple(sorted(p.composition.values())) for p in found} == {(1, 1, 2)} and len({p.family for p in found}) > 1
    with pytest.raises(NucleateError, match="no crystal family in the lexicon has the ratio 7:9"):
        proposed_formulas(parse_request("a compound of ratio 7:9"), 5)


def test_a_run_from_words(tmp_path):
    quick = DesignSettings.of(oversample=1, relax_steps=3, second="none")
    run = design("perovskite fluorides with K, cubic, 2 candidates", tmp_path / "run", quick, executor=Serial())
    assert (run.settings.generation.generator, run.settings.generation.structures) == ("lexicon", "prototype")
    assert [c.stages[0] for c in run.all] == ["decorate", "decorate"] and run.all[0].stages[-1] == "comply"
    assert all(c.meets == ("fluoride", "K in it", "perovskite", "Pm-3m") for c in run.candidates)
    assert "as asked for: fluoride, K in it, perovskite" in (run.folder / "report.html").read_text()
    again = resume(run.folder, executor=Serial())
    assert to_rows(again.all) == to_rows(run.all) and again.request == run.request
    made = generate_candidates(dataclasses.replace(run.request), quick)
    assert [c.formula for c in made] == [c.formula for c in sorted(run.all, key=lambda c: c.id)]


def test_what_a_family_cannot_be_asked_for(tmp_path):
    for text, words in (
        ("a spinel, 28 atoms", "no structure type of spinel has 28 atoms in the primitive cell"),
        ("a spinel, hexagonal", "no structure type of spinel has a hexagonal space group"),
        ("a rutile with Na", "no rutile .* with Na can be made"),
    ):
        with pytest.raises(NucleateError, match=words):
            design(text, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_bounds_on_elements_and_atoms_hold_in_results():
    few = parse_request("oxides with no more than 3 elements, at most 10 atoms")
    facts = dict(composition_requirements(few, {"Ba": 1, "Ti": 1, "O": 3}))
    assert facts["at most 3 elements"]
    facts = dict(composition_requirements(few, {"Ba": 2, "Mg": 1, "Te": 1, "O": 6, "K": 1}))
    assert not facts["at most 3 elements"] and not facts["a formula unit of at most 10 atoms"]
    small = parse_request("a perovskite, at most 5 atoms")
    assert {k.num_atoms for k in lexicon()["perovskite"].types if type_is_allowed(small, k)} == {5}


def test_a_hidden_formula_is_new():
    request = parse_request("an oxide that is not known")
    rutile = {"Ti": 1, "O": 2}
    told = dict(composition_requirements(request, rutile))
    assert told["a new formula"] is False
    view = load_library(hide=["TiO2"])
    assert dict(composition_requirements(request, rutile, view))["a new formula"] is True
