"""Charge and electronegativity: known compounds, and the verdicts of SMACT itself for comparison."""

import math
import random
import warnings
from collections import Counter

import pytest
from pymatgen.core import Composition

from nucleate.chem.checks import charge_neutrality, electronegativity_balance, smact_verdict
from nucleate.chem.composition import Formula
from nucleate.chem.elements import SYMBOLS
from nucleate.chem.states import STATE_SETS
from nucleate.chem.verdict import Verdict
from nucleate.errors import NucleateError


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
    assert Formula.of_amounts(Composition("Fe0.95O")) == (("Fe", 19), ("O", 20))
    assert Formula.of_amounts({"Na": 1 / 3, "Cl": 1 / 3}) == (("Cl", 1), ("Na", 1))
    assert Formula.of_amounts({}) == ()
    # int() would turn Li0.5CoO2 into CoO2
    assert charge_neutrality(Composition("Li0.5Na0.5Cl")).verdict == "pass"
    assert charge_neutrality(Composition("Li0.5Na0.6Cl")).verdict == "fail"


def test_an_empty_composition_is_unknown():
    assert charge_neutrality({}).verdict == "unknown"


def test_combinations_too_many_for_smact_are_never_a_silent_fail():
    niobate = Composition("Nb12O29")  # 12 atoms in 7 states each: SMACT warns and says False
    assert charge_neutrality(niobate).verdict == "pass"
    huge = Composition("Fe301O403")  # neither Fe2+ nor Fe3+ alone is neutral
    assert charge_neutrality(huge).verdict == "unknown"
    assert "too many" in charge_neutrality(huge).reason


FORMULAS = (
    "CaFe2O4 Mn3O4 BaTiO3 KNO3 MgSO4 Al2O3 CuFeS2 FeS2 WO3 VO2 V3O5 PbS PN BN SiC CSi K2O2 BaO2 ClO OF2 Ti4O7 "
    "CeO2 Eu3O4 U3O8 CmO2 Cs2LiBiCl6 NaCl2 KCl2 CaO3 LiCoO2 Li2CoO2 LiMn2O4 Cu2O CuO CuO2 AgO NH3 CH4 HF SF6 SO4 "
    "XeF2 XeF8 TiB2 MgB2 LaB6 GaAs CdTe InN PbI2 CsPbI3 CuI3 SnS2 Sn2S3 Sb2O4 BiO2 ClH3 H3S HSi BSi2"
)
ANIONS = ("O", "S", "F", "Cl", "N", "Te")


def made_up(n):
    """Formulas of two to four elements, most of them with an anion, few enough atoms for SMACT to try them all."""
    rng = random.Random(6)
    out = []
    while len(out) < n:
        symbols = [rng.choice(SYMBOLS[:92]) for _ in range(rng.randint(1, 3))] + [rng.choice(ANIONS)]
        counts = {s: rng.randint(1, 3) for s in sorted(set(symbols))}
        if sum(counts.values()) <= 7 and math.gcd(*counts.values()) == 1:
            out.append("".join(f"{s}{k}" for s, k in counts.items()))
    return out


@pytest.mark.parametrize("states", STATE_SETS)
def test_verdicts_agree_with_smact(states):
    from smact.screening import smact_validity

    settings = {
        "icsd24": {"oxidation_states_set": "icsd24", "mixed_valence": True},
        "smact14": {"oxidation_states_set": "smact14"},
        "icsd24-3": {},
    }[states]
    kinds = Counter()
    for formula in [*FORMULAS.split(), *made_up(140)]:
        composition = Composition(formula)
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "error", message=".*too many"
            )  # SMACT warns where it gives up, which it does not for these
            warnings.filterwarnings("ignore", message="No Pauling")
            charge, both = (smact_validity(composition, p, **settings) for p in (False, True))
        mine = charge_neutrality(composition, states).verdict, electronegativity_balance(composition, states).verdict
        assert (mine[0] == "pass") == charge, formula
        assert (mine[1] == "pass") == both == (smact_verdict(composition, states).verdict == "pass"), formula
        kinds[mine] += 1
    assert (
        min(kinds["pass", "pass"], kinds["pass", "fail"], kinds["fail", "unknown"]) >= 4
    )  # all kinds of verdicts occur


def test_sets_of_states():
    assert charge_neutrality({"Fe": 3, "O": 4}, "smact14").verdict == "fail"  # one state for each element
    assert charge_neutrality({"Ti": 1, "O": 2}, "smact14").reason == "Ti4+ O2- (smact14)"
    assert smact_verdict({"Ti": 1, "O": 1}, "icsd24-3").reason == "Ti2+ O2- (icsd24-3)"
    with pytest.raises(NucleateError, match="icsd24, smact14 or icsd24-3, not 'wiki'"):
        charge_neutrality({"Ti": 1}, "wiki")


def test_a_verdict_is_one_of_three():
    with pytest.raises(ValueError, match="pass"):
        Verdict("maybe")
