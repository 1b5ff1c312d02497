"""Proposed formulas of families have balanced charges, fulfil wishes, and are sorted by likelihood."""

import dataclasses
import itertools

import pytest

from nucleate.chem.classes import GROUPS
from nucleate.errors import NucleateError
from nucleate.families.decorate import decorated_prototype
from nucleate.families.family import is_ion, lexicon
from nucleate.families.likelihood import STEPS_PER_UNIT
from nucleate.families.members import keeps_space_group, known_members
from nucleate.families.propose import propose, with_likelihoods
from nucleate.request.parse import parse_request
from nucleate.search.families_first import proposed_formulas
from nucleate.stages.request_check import elements_in_family


@pytest.mark.parametrize("name", ["spinel", "pyrochlore", "elpasolite", "garnet", "perovskite"])
def test_charges_balance_site_by_site(name):
    found = propose(lexicon()[name], limit=200)
    assert len(found) == 200 and len({tuple(sorted(p.composition.items())) for p in found}) == 200
    for p in found:
        assert p.charges in lexicon()[name].charges and p.composition == lexicon()[name].composition(p.elements)
        assert all(is_ion(e, q) for e, q in zip(p.elements, p.charges, strict=True))
    assert all(a.score <= b.score for a, b in itertools.pairwise(found))


def test_known_members_are_at_distance_zero():
    found = propose(lexicon()["spinel"], limit=2000)
    known = {m.elements for m in known_members("spinel")}
    assert all(p.distance == 0 and p.nearest.elements == p.elements for p in found if p.known)
    assert all(p.elements in known for p in found if p.known) and any(not p.known and p.distance > 0 for p in found)


def test_the_first_spinels_are_plausible():
    names = ["".join(p.elements) for p in propose(lexicon()["spinel"], contains=["Co", "O"], limit=60)]
    # Known spinels, and one that the data does not have
    assert {"CoAlO", "CoCrO", "ZnCoO"} <= set(names) and "CoGaO" in names
    iridates = [p for p in propose(lexicon()["pyrochlore"], contains=["Ir"], limit=10) if not p.known]
    assert any(p.elements[0] in GROUPS["rare earth"] for p in iridates)


def test_the_composition_model_changes_the_order():
    nearest = propose(lexicon()["half-Heusler"], limit=300)
    found = with_likelihoods(nearest)
    assert {p.elements for p in found} == {p.elements for p in nearest} and all(p.likelihood < 0 for p in found)
    assert all(a.merit >= b.merit for a, b in itertools.pairwise(found))
    assert [p.elements for p in found] != [p.elements for p in nearest]
    assert found[0].merit == pytest.approx(STEPS_PER_UNIT * found[0].likelihood - found[0].score)


def test_wishes_are_fulfilled():
    barred = GROUPS["rare earth"]
    found = propose(lexicon()["pyrochlore"], exclude=barred, limit=100)
    assert found and not any(set(p.composition) & set(barred) for p in found)
    found = propose(lexicon()["perovskite"], lambda c: "F" in c, contains=["K"], limit=20)
    assert found and all({"K", "F"} <= set(p.composition) for p in found)
    with pytest.raises(NucleateError, match=r"no rutile \(AX2\) with Na can be made of ions that balance"):
        propose(lexicon()["rutile"], contains=["Na"])


def test_metals_have_no_charges():
    found = propose(lexicon()["half-Heusler"], contains=["Ti"], limit=50)
    assert all(p.charges == () and "Ti" in p.composition for p in found)
    assert "TiNiSn" in {"".join(p.elements) for p in found}


@pytest.mark.parametrize(
    ("name", "formula", "elements"),
    [
        ("garnet", {"Y": 3, "Al": 5, "O": 12}, ("Y", "Al", "Al", "O")),
        ("garnet", {"Gd": 3, "Ga": 5, "O": 12}, ("Gd", "Ga", "Ga", "O")),
        ("spinel", {"Fe": 3, "O": 4}, ("Fe", "Fe", "O")),
        ("spinel", {"Co": 3, "O": 4}, ("Co", "Co", "O")),
        ("elpasolite", {"K": 3, "Al": 1, "F": 6}, ("K", "K", "Al", "F")),
    ],
)
def test_an_element_may_be_on_several_sites_where_it_is_asked_for(name, formula, elements):
    family = lexicon()[name]
    found = propose(family, lambda c: dict(c) == formula, contains=list(formula), repeated=True)
    assert [p.elements for p in found] == [elements]
    assert elements in set(family.placements(formula))
    with pytest.raises(NucleateError, match="can be made of ions"):
        propose(family, lambda c: dict(c) == formula, contains=list(formula))
    crystal = decorated_prototype(name, 0, elements, found[0].charges)
    assert {e.symbol: int(n) for e, n in crystal.composition.reduced_composition.items()} == formula
    assert elements_in_family(crystal, family) == elements


def test_elements_that_change_the_structure_type_are_not_proposed():
    assert not any(keeps_space_group("double perovskite", k, ("Ba", "Ti", "Ti", "O")) for k in range(3))
    with pytest.raises(NucleateError):
        propose(lexicon()["double perovskite"], contains=["Ba", "Ti", "O"], repeated=True,
                accepts=lambda c: len(c) == 3 and c["Ba"] == c["Ti"])  # fmt: skip


def test_the_error_for_a_formula_that_does_not_fit_names_the_reason():
    stuffed = dataclasses.replace(parse_request("a garnet"), composition={"Li": 7, "La": 3, "Zr": 2, "O": 12})
    with pytest.raises(NucleateError, match=r"Li7La3Zr2O12 does not fit the sites of a garnet \(A3B2C3O12\)"):
        proposed_formulas(stuffed, 3)
    with pytest.raises(NucleateError, match="two sites of a double perovskite"):
        proposed_formulas(parse_request("a double perovskite BaTiO3"), 3)
    assert proposed_formulas(parse_request("a garnet Y3Al5O12"), 3)[0].elements == ("Y", "Al", "Al", "O")


@pytest.mark.parametrize("element", ["Tc", "Pm"])
def test_a_rare_element_is_proposed_if_it_is_asked_for(element):
    named = propose(lexicon()["spinel" if element == "Tc" else "perovskite"], contains=(element,), limit=5)
    assert len(named) == 5 and all(element in one.elements for one in named)
    assert not any({"Tc", "Pm"} & {*one.elements} for one in propose(lexicon()["spinel"], limit=200))
