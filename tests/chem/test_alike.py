"""Elements that share a site: like radii, and like charges in compounds of ions, like electronegativities in alloys."""

import pytest

from nucleate.chem.alike import alike_pairs, shared_sites
from nucleate.chem.formula import parse_formula


@pytest.mark.parametrize(
    ("formula", "pairs"),
    [
        ("TaCr2O6", "Cr-Ta"),  # Ta5+ and Cr3.5+
        ("LaSrMn2O6", "La-Sr"),
        ("La2CrFeO6", "Cr-Fe"),
        ("CsPbCl2Br", "Br-Cl"),
        ("BaTiO2F", "F-O"),
        ("MoWS4", "Mo-W"),  # both 4+, though Mo2+ with W6+ is likelier by itself
        ("Y3Al2Ga3O12", "Al-Ga"),
        ("FeCo", "Co-Fe"),
        ("NdPrCo10", "Nd-Pr"),
        ("Sr2MgWO6", ""),  # 2+ and 6+
        ("Sr2FeMoO6", ""),  # 3+ and 5+
        ("Ba2YNbO6", ""),
        ("Cs2AgBiCl6", ""),
        ("LiCoO2", ""),
        ("MgTiO3", ""),
        ("NaAlSi3O8", ""),  # like charges, but Si4+ is much smaller than Al3+
        ("NaKCl2", ""),
        ("CuAu", ""),
        ("NiTi", ""),
        ("Si", ""),
    ],
)
def test_pairs(formula, pairs):
    found = alike_pairs(parse_formula(formula))
    assert " ".join(sorted("-".join(sorted(pair)) for pair in found)) == pairs


def test_ways_to_share_sites_begin_with_the_fewest_elements():
    three = shared_sites({"Co": 1, "Ni": 1, "Mn": 1})
    assert [len(way[0]) for way in three] == [2, 2, 2, 3]
    two = shared_sites(parse_formula("LaSrCrFeO6"))
    assert {frozenset(("La", "Sr")), frozenset(("Cr", "Fe"))} == set(two[-1]) and len(two) == 3


def test_elements_beyond_the_tables_are_like_nothing():
    assert shared_sites({"Og": 1, "Ts": 1, "O": 2}) == [] and shared_sites({"He": 1, "Ne": 1}) == []
