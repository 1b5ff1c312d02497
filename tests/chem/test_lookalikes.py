"""Formulas with a sign or a capital that was typed for another are refused with both readings."""

from __future__ import annotations

import pytest

from nucleate.chem.formula import parse_formula
from nucleate.errors import NucleateError
from nucleate.request.parse import parse_request

MEANT = {
    "SrTi03": "SrTiO3", "Ba0.5Sr0.5Ti03": "Ba0.5Sr0.5TiO3", "LiFeP04": "LiFePO4", "CuS04": "CuSO4", "Na2C03": "Na2CO3",
    "Ca3(P04)2": "Ca3(PO4)2", "LiCo02": "LiCoO2", "Fe203": "Fe2O3", "Al203": "Al2O3", "LiMn204": "LiMn2O4",
    "YBa2Cu307": "YBa2Cu3O7", "Y2Ba4Cu7015": "Y2Ba4Cu7O15", "H20": "H2O", "Li20": "Li2O", "Cu20": "Cu2O",
    "Ni(H20)6Cl2": "Ni(H2O)6Cl2", "CuSO4.5H20": "CuSO4.5H2O", "Ni(NO3)2·6H20": "Ni(NO3)2·6H2O",
    "La0.7SrO.3MnO3": "La0.7Sr0.3MnO3", "FeO.95O": "Fe0.95O",
    "CaC12": "CaCl2", "NaC1": "NaCl", "AlC13": "AlCl3", "TiCI4": "TiCl4", "CaCI2": "CaCl2", "NaCI": "NaCl",
    "CH3NH3PbC13": "CH3NH3PbCl3",
    "CSPbI3": "CsPbI3", "CSCl": "CsCl", "PBTiO3": "PbTiO3", "LiNBO3": "LiNbO3", "BaSNO3": "BaSnO3",
    "MgSIO3": "MgSiO3", "LaNIO3": "LaNiO3", "LiCOO2": "LiCoO2", "LiFePo4": "LiFePO4", "PoCl3": "POCl3",
    "TiO2(B)": "TiO2,", "NI": "Ni", "PB": "Pb", "SN": "Sn",
}  # fmt: skip
AS_THEY_STAND = {
    "C60": {"C": 1}, "Ni60Nb40": {"Ni": 3, "Nb": 2}, "Fe100": {"Fe": 1}, "Fe203.0": {"Fe": 1},
    "LiC12": {"Li": 1, "C": 12},    "KC8": {"K": 1, "C": 8}, "K2C1O3": {"K": 2, "C": 1, "O": 3},
    "W1C1": {"W": 1, "C": 1}, "C10H20": {"C": 1, "H": 2},
    "Fe1.05Te": {"Fe": 21, "Te": 20}, "FeO.9": {"Fe": 10, "O": 9}, "CoO.5": {"Co": 2, "O": 1},
    "La0.7Sr0.3MnO3": {"La": 7, "Sr": 3, "Mn": 10, "O": 30}, "Sr100Ti100O300": {"Sr": 1, "Ti": 1, "O": 3},
    "Ca5(PO4)3(F)": {"Ca": 5, "P": 3, "O": 12, "F": 1}, "VI2": {"V": 1, "I": 2}, "CI4": {"C": 1, "I": 4},
    "CO": {"C": 1, "O": 1}, "BN": {"B": 1, "N": 1}, "HF": {"H": 1, "F": 1}, "CS2": {"C": 1, "S": 2},
    "Li2CO3": {"Li": 2, "C": 1, "O": 3}, "KSCN": {"K": 1, "S": 1, "C": 1, "N": 1}, "SbSI": {"Sb": 1, "S": 1, "I": 1},
    "Ag3SI": {"Ag": 3, "S": 1, "I": 1}, "TiNI": {"Ti": 1, "N": 1, "I": 1}, "BaC2O4": {"Ba": 1, "C": 2, "O": 4},
    "PoO2": {"Po": 1, "O": 2}, "NpO2": {"Np": 1, "O": 2}, "Co3O4": {"Co": 3, "O": 4}, "CHI3": {"C": 1, "H": 1, "I": 3},
}  # fmt: skip


@pytest.mark.parametrize(("text", "meant"), MEANT.items())
def test_a_lookalike_is_refused_with_what_is_meant(text: str, meant: str) -> None:
    for read in (parse_formula, parse_request):
        with pytest.raises(NucleateError) as refused:
            read(text)
        assert meant in str(refused.value)


@pytest.mark.parametrize(("text", "counts"), AS_THEY_STAND.items())
def test_formulas_that_only_look_like_it_are_as_they_stand(text: str, counts: dict[str, int]) -> None:
    assert parse_formula(text) == counts


@pytest.mark.parametrize("text", ["Fe(III)2O3", "Fe(II)O", "FeIIIO", "Fe2IIIO3", "Cu(I)Cl", "Pb(IV)O2", "Sb(V)Cl5"])
def test_roman_numerals_are_charges_and_no_iodine(text: str) -> None:
    with pytest.raises(NucleateError, match="charge in Roman numerals"):
        parse_formula(text)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("Na2CO3 10H2O", {"Na": 2, "C": 1, "O": 13, "H": 20}),
        ("CaSO4 . 0.5 H2O", {"Ca": 2, "S": 2, "O": 9, "H": 2}),
        ("crystals of CaSO4 * 1/2 H2O", {"Ca": 2, "S": 2, "O": 9, "H": 2}),
    ],
)
def test_the_water_of_a_request_is_never_left_out(text: str, counts: dict[str, int]) -> None:
    assert parse_request(text).composition == counts
