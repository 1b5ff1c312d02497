"""Known formulas are found in any order of elements and any multiple."""

from nucleate.families.family import known_members, lexicon
from nucleate.hull.known_formulas import alphabetical_formula, is_known, known_formulas
from nucleate.hull.load import load_reference


def test_formulas_are_known_in_any_multiple():
    assert alphabetical_formula({"O": 6, "Al": 4}) == "Al2O3" and alphabetical_formula({"Na": 2, "Cl": 2}) == "ClNa"
    assert is_known({"Na": 1, "Cl": 1}) and is_known({"O": 6, "Al": 4}) and not is_known({"Xe": 7, "Tc": 3})


def test_members_of_families_and_crystals_of_the_reference_set_are_known():
    assert len(known_formulas()) > 100_000
    for family in lexicon().values():
        assert all(is_known(family.composition(m.elements)) for m in known_members(family.name)), family.name
    assert all(is_known(dict(key)) for key in load_reference().keys)
