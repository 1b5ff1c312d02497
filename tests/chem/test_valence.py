"""Charges of textbook compounds never fail, and those of impossible compounds do."""

from __future__ import annotations

import pytest

from nucleate.chem.checks import charge_neutrality
from nucleate.chem.formula import parse_formula
from nucleate.chem.valence import balance_verdict, charge_verdict

TEXTBOOK = """
    MgO BaO2 Na2O2 KO2 RbO2 CsO2 NaO2 KO3 Rb4O6 Cs11O3 Rb9O2 Ti4O7 Mn3O4 Co3O4 Fe3O4 Pb3O4 Pb12O19 Pr6O11 Tb4O7 Ce7O12
    U3O8 U4O9 Sb2O4 AgO Tl4O3 Bi2O4 CmO2 Cm7O12 BkO2 CfO2 Pt3O4 W18O49 Nb12O29 Te4O9 B6O Sn3O4 Cu4O3 Eu3O4
    FeS2 Fe7S8 Fe3S4 Co9S8 Ni3S2 K2S5 BaS3 TiS3 VS4 ZrTe5 CuS Cu9S5 In6S7 Tl2S5 Tl4S3 Sn2S3 Sm3S4 La3S4 PdS2 FeAsS
    NaN3 Pb(N3)2 Ba(N3)2 Si3N4 Ca2N BaN2 Fe4N Mo2N CaC2 Al4C3 Mg2C3 B13C2 B4C Sc3C4 LaC2 KC8 LiC6 K3C60 Fe3C CaB6 LaB6
    MgB4 YB12 NaB15 MgB2 NaH CaH2 LiAlH4 Mg2NiH4 K2PtH4 PdH AuCl2 InCl In2Cl3 In4Br7 In7Cl9 Tl2Cl3 TlI3 GaCl2 Ag2F
    Ag3F8 PtF6 Cr2F5 Nb6F15 Ta6Cl15 Sc7Cl10 Gd2Cl3 La2I5 Dy5Cl11 Pr2Br5 Te2I Bi6Cl7 CsI3 KI3 XeF2 NH4Cl NH4NO3 (NH4)2SO4
    Fe4(Fe(CN)6)3 KFe2(CN)6 K3Fe(CN)6 KSCN NaClO4 KMnO4 K2S2O8 Na2S4O6 CaCO3 CaC2O4 LiMn2O4 Li4Ti5O12 YBa2Cu3O7 BaBiO3
    CaMn7O12 BaFe12O19 Cs2Au2Cl6 CuFeS2 Cu12Sb4S13 Ag3AuTe4 CaP3 K4Sn4 Yb14MnSb11 ZnSb NaTl GaAs SnP3 Cs4O Sc2Cl3 I2Cl6
"""  # fmt: skip
WRONG = "NaCl2 NaCl3 Na3Cl Al2O AlO CaF CaF3 MgF3 BaF3 KF2 CsF2 MgCl Ca2O SrCl3 BeF3 TiF5 Na5Cl2 MgAl2O6 LiMgF5 K3O"


@pytest.mark.parametrize("formula", TEXTBOOK.split())
def test_no_textbook_compound_fails(formula):
    assert charge_verdict(parse_formula(formula, strict=True)).verdict in ("pass", "unknown")


@pytest.mark.parametrize("formula", WRONG.split())
def test_charges_of_impossible_compounds_fail(formula):
    assert charge_verdict(parse_formula(formula, strict=True)).verdict == "fail"


@pytest.mark.parametrize(
    ("formula", "verdict", "reason"),
    [
        ("Pb3O4", "pass", "mixed valence Pb2+ Pb4+ O2-"),
        ("Tl2Cl3", "pass", "mixed valence Tl+ Tl3+ Cl-"),
        ("CmO2", "pass", "Cm4+ O2-"),
        ("PtF6", "unknown", "only with rare charges: Pt6+ F-"),
        ("KO2", "unknown", "bonds between O atoms, as in superoxides"),
        ("NaN3", "unknown", "bonds between N atoms, as in azides"),
        ("Gd2Cl3", "unknown", "bonds between Gd atoms, as in clusters"),
        ("Mg2NiH4", "unknown", "Ni of charge 0"),
    ],
)
def test_the_reason_says_what_smact_does_not_count(formula, verdict, reason):
    found = charge_verdict(parse_formula(formula, strict=True))
    assert found.verdict == verdict and reason in found.reason


@pytest.mark.parametrize("states", ["icsd24", "smact14", "icsd24-3"])
def test_the_published_check_keeps_smacts_verdicts(states):
    assert charge_neutrality({"Pb": 3, "O": 4}, states).verdict == "fail"
    assert charge_verdict({"Na": 1, "Cl": 1}, states) == charge_neutrality({"Na": 1, "Cl": 1}, states)


@pytest.mark.parametrize("states", ["smact14", "icsd24-3"])
def test_other_sets_of_states_follow_only_smacts_rule(states):
    assert charge_verdict({"Pb": 3, "O": 4}, states).verdict == "fail"


def test_both_checks_say_the_same_beyond_smact():
    assert balance_verdict({"Pb": 3, "O": 4}).verdict == "pass"
    assert balance_verdict({"Na": 1, "Cl": 2}).reason == "not charge neutral"
