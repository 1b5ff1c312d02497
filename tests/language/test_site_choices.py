"""Lists of elements for a language model: all combinations balance and have the wanted elements."""

from itertools import product

import pytest

from nucleate.errors import NucleateError
from nucleate.families.family import lexicon
from nucleate.families.members import known_members
from nucleate.language.site_choices import MAX_ELEMENTS, site_choices
from nucleate.library import load_library
from nucleate.request.parse import parse_request
from nucleate.stages.request_check import composition_requirements


@pytest.mark.parametrize("name", ["perovskite", "pyrochlore", "spinel", "elpasolite", "rock salt", "pyrite"])
def test_all_combinations_of_a_choice_balance(name):
    family = lexicon()[name]
    found = site_choices(family, parse_request(f"a {name}"), max_elements=6)
    assert [c.charges for c in found] == list(family.charges)
    for choice in found:
        assert all(0 < len(site) <= 6 and len(set(site)) == len(site) for site in choice.elements)
        assert all(family.admits(elements) for elements in product(*choice.elements) if len(set(elements)) > 1)


def test_metals_have_one_list_for_each_site():
    (choice,) = site_choices(lexicon()["half-Heusler"], parse_request("a half-Heusler"))
    assert choice.charges == () and [len(site) for site in choice.elements] == [MAX_ELEMENTS] * 3
    assert choice.elements[2][0] in ("Sn", "Sb", "Si", "Ge", "Bi")  # the usual ones first
    (lead,) = site_choices(lexicon()["elpasolite"], parse_request("an elpasolite without lead or caesium"))
    assert not {"Pb", "Cs"} & {e for site in lead.elements for e in site}


@pytest.mark.parametrize(
    "text", ["a spinel with Co", "sulfide spinels with a rare earth", "a cobalt spinel with Al or Ga"]
)
def test_wishes_hold_by_construction(text):
    request = parse_request(text)
    family = lexicon()["spinel"]
    found = site_choices(family, request, max_elements=5)
    assert found
    for elements in (e for choice in found for e in product(*choice.elements) if len(set(e)) == len(e)):
        assert all(holds for _, holds in composition_requirements(request, family.composition(elements)))


def test_wishes_that_no_choice_can_meet_are_left_to_the_checks_or_refused():
    plain = site_choices(lexicon()["rutile"], parse_request("a rutile"))
    assert site_choices(lexicon()["rutile"], parse_request("a rutile with Na")) == plain
    halogens = parse_request("an elpasolite without halogens and hydrogen")
    with pytest.raises(NucleateError, match=r"no elpasolite \(A2BMX6\) without .* can be made of ions that balance"):
        site_choices(lexicon()["elpasolite"], halogens)


def test_hidden_members_do_not_count():
    family, request = lexicon()["half-Heusler"], parse_request("a half-Heusler")
    members = known_members(family.name)
    usual = next(iter(site_choices(family, request)))
    view = load_library().hidden(formulas=[family.composition(m.elements) for m in members if "Sn" in m.elements])
    (told,) = site_choices(family, request, library=view)
    places = [choice.elements[2].index("Sn") if "Sn" in choice.elements[2] else 99 for choice in (usual, told)]
    assert places[0] < 3 < places[1]
