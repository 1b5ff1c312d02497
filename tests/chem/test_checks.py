"""Charge and electronegativity: known compounds, and SMACT itself as the oracle."""

import warnings

import pytest
from pymatgen.core import Composition

from nucleate.chem.checks import charge_neutrality, electronegativity_balance, reduced_counts
from nucleate.chem.verdict import Verdict


@pytest.mark.parametrize(
    ("formula", "charge", "electronegativity"),
    [
        ("SrTiO3", "pass", "pass"),
        ("Sr8Ti8O24", "pass", "pass"),
        ("LiFePO4", "pass", "pass"),
        ("Fe3O4", "pass", "pass"),
        ("SrTiO", "fail", "unknown"),
        ("NaCl3", "fail", "unknown"),
        ("Ar2O", "unknown", "unknown"),
        ("Xx2O3", "unknown", "unknown"),
        ("FeAl", "pass", "pass"),
        ("O2", "pass", "pass"),
        ("Xe", "pass", "pass"),
    ],
)
def test_known_compounds(formula, charge, electronegativity):
    composition = Composition(formula)
    assert charge_neutrality(composition).verdict == charge
    assert electronegativity_balance(composition).verdict == electronegativity


def test_reasons_name_states_and_set():
    assert charge_neutrality({"Sr": 1, "Ti": 1, "O": 3}).reason == "Sr2+ Ti4+ O2- (icsd24)"
    assert charge_neutrality({"Fe": 3, "O": 4}).reason == "mixed valence Fe2+ Fe3+ O2- (icsd24)"
    assert charge_neutrality({"Na": 1, "Cl": 1}).reason == "Na+ Cl- (icsd24)"
    assert "icsd24" in charge_neutrality({"Sr": 1, "Ti": 1, "O": 1}).reason
    assert "Ar" in charge_neutrality({"Ar": 2, "O": 1}).reason
    assert charge_neutrality({"Fe": 1, "Al": 1}).reason == "intermetallic"
    assert charge_neutrality({"Si": 8}).reason == "element"


def test_a_neutral_formula_may_be_unbalanced():
    composition = Composition("ClH3")  # adds up only as Cl3+ and H-, though chlorine draws electrons from hydrogen
    assert charge_neutrality(composition).reason == "Cl3+ H- (icsd24)"
    assert electronegativity_balance(composition).verdict == "fail"


def test_fractions_are_exact():
    assert reduced_counts(Composition("Fe0.95O")) == (("Fe", 19), ("O", 20))
    assert reduced_counts({"Na": 1 / 3, "Cl": 1 / 3}) == (("Cl", 1), ("Na", 1))
    assert reduced_counts({}) == ()
    # int() would turn Li0.5CoO2 into CoO2
    assert charge_neutrality(Composition("Li0.5Na0.5Cl")).verdict == "pass"
    assert charge_neutrality(Composition("Li0.5Na0.6Cl")).verdict == "fail"


def test_an_empty_composition_is_unknown():
    assert charge_neutrality({}).verdict == "unknown"


def test_too_many_for_smact_is_answered_or_unknown_but_never_a_silent_fail():
    niobate = Composition("Nb12O29")  # 12 atoms in 7 states each: SMACT warns and says False
    assert charge_neutrality(niobate).verdict == "pass"
    huge = Composition("Fe301O403")  # neither Fe2+ nor Fe3+ alone is neutral
    assert charge_neutrality(huge).verdict == "unknown"
    assert "too many" in charge_neutrality(huge).reason


def test_agrees_with_smact():
    from smact.screening import smact_validity

    names = (
        "CaFe2O4 Mn3O4 BaTiO3 KNO3 MgSO4 Al2O3 CuFeS2 FeS2 WO3 VO2 V3O5 PbS PN BN SiC CSi K2O2 BaO2 ClO OF2 Ti4O7 "
        "CeO2 Eu3O4 U3O8 CmO2 Cs2LiBiCl6 NaCl2 KCl2 CaO3 LiCoO2 Li2CoO2 LiMn2O4 Cu2O CuO CuO2 AgO NH3 CH4 HF SF6 SO4 "
        "XeF2 XeF8 TiB2 MgB2 LaB6 GaAs CdTe InN PbI2 CsPbI3 CuI3 SnS2 Sn2S3 Sb2O4 BiO2 ClH3 H3S HSi BSi2"
    )
    formulas = names.split()
    for formula in formulas:
        composition = Composition(formula)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # SMACT warns where it gives up: no formula here may
            charge, both = (
                smact_validity(composition, p, oxidation_states_set="icsd24", mixed_valence=True) for p in (False, True)
            )
        assert (charge_neutrality(composition).verdict == "pass") == charge, formula
        assert (electronegativity_balance(composition).verdict == "pass") == both, formula


def test_a_verdict_is_one_of_three():
    with pytest.raises(ValueError, match="pass"):
        Verdict("maybe")
