"""Which elements a language model may choose from: every way balances, and has what was asked for."""

from itertools import product

import pytest

from nucleate.errors import NucleateError
from nucleate.families.family import lexicon
from nucleate.language.site_choices import MOST, site_choices
from nucleate.request.request import parse_request
from nucleate.stages.comply import of_composition


@pytest.mark.parametrize("name", ["perovskite", "pyrochlore", "spinel", "elpasolite", "rock salt", "pyrite"])
def test_whatever_is_taken_from_a_line_balances(name):
    family = lexicon()[name]
    found = site_choices(family, parse_request(f"a {name}"), most=6)
    assert [c.charges for c in found] == list(family.charges)
    for choice in found:
        assert all(0 < len(site) <= 6 and len(set(site)) == len(site) for site in choice.elements)
        assert all(family.admits(elements) for elements in product(*choice.elements) if len(set(elements)) > 1)


def test_metals_have_one_list_for_each_site():
    (choice,) = site_choices(lexicon()["half-Heusler"], parse_request("a half-Heusler"))
    assert choice.charges == () and [len(site) for site in choice.elements] == [MOST] * 3
    assert choice.elements[2][0] in ("Sn", "Sb", "Si", "Ge", "Bi")  # the usual ones first
    (lead,) = site_choices(lexicon()["elpasolite"], parse_request("an elpasolite without lead or caesium"))
    assert not {"Pb", "Cs"} & {e for site in lead.elements for e in site}


@pytest.mark.parametrize(
    "text", ["a spinel with Co", "sulfide spinels with a rare earth", "a cobalt spinel with Al or Ga"]
)
def test_wishes_hold_by_construction(text):
    request = parse_request(text)
    family = lexicon()["spinel"]
    found = site_choices(family, request, most=5)
    assert found
    for elements in (e for choice in found for e in product(*choice.elements) if len(set(e)) == len(e)):
        assert all(holds for _, holds in of_composition(request, family.composition(elements)))


def test_what_no_line_holds_is_left_to_the_checks_or_refused():
    plain = site_choices(lexicon()["rutile"], parse_request("a rutile"))
    assert site_choices(lexicon()["rutile"], parse_request("a rutile with Na")) == plain
    halogens = parse_request("an elpasolite without halogens and hydrogen")
    with pytest.raises(NucleateError, match=r"no elpasolite \(A2BMX6\) without .* can be made of ions that balance"):
        site_choices(lexicon()["elpasolite"], halogens)
