"""Named groups of elements."""

from __future__ import annotations

import pytest

from nucleate.chem.classes import CRITERIA, GROUPS, element_group
from nucleate.chem.elements import RADIOACTIVE, SYMBOLS
from nucleate.errors import NucleateError


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("toxic", {"Be", "As", "Cd", "Hg", "Tl", "Pb"}),
        ("Toxic elements", {"Be", "As", "Cd", "Hg", "Tl", "Pb"}),
        ("noble gases", {"He", "Ne", "Ar", "Kr", "Xe", "Rn"}),
        ("noble_gas", {"He", "Ne", "Ar", "Kr", "Xe", "Rn"}),
        ("platinum-group metals", {"Ru", "Rh", "Pd", "Os", "Ir", "Pt"}),
        ("halogens", {"F", "Cl", "Br", "I", "At"}),
    ],
)
def test_a_group_is_found_by_any_of_its_names(name, members):
    assert element_group(name) == members


def test_every_group_is_of_elements_and_criteria_are_of_groups():
    assert all(set(members) <= set(SYMBOLS) and len(set(members)) == len(members) for members in GROUPS.values())
    assert set(CRITERIA) <= set(GROUPS)


def test_radioactive_are_technetium_promethium_and_all_beyond_bismuth():
    assert element_group("radioactive") == RADIOACTIVE
    assert {"Tc", "Pm", "Po", "Th", "U", "Pu", "Og"} <= RADIOACTIVE
    assert not {"Bi", "Pb", "Ru", "Sm"} & RADIOACTIVE


def test_rare_elements_are_no_rare_earths_but_for_promethium():
    assert element_group("rare") & element_group("rare earths") == {"Pm"}
    assert {"Au", "Te", "Re"} <= element_group("rare")


def test_an_unknown_group_names_those_there_are():
    with pytest.raises(NucleateError, match="no group of elements is called 'cheap'; there are: alkali metal"):
        element_group("cheap")
