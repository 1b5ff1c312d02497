"""Formulas as people write them: what is read, and what is refused with a reason."""
# ruff: noqa: RUF001 - signs of other alphabets are the subject

from __future__ import annotations

import random
import warnings
from pathlib import Path

import pytest

from nucleate.chem.elements import SYMBOLS
from nucleate.chem.formula import formula_text, parse_formula
from nucleate.chem.written import looks_like_formula, with_joined_adducts
from nucleate.errors import NucleateError

READ = {
    "hydrates": {
        "CuSO4·5H2O": "CuSO9H10", "CuSO4*5H2O": "CuSO9H10", "CuSO4•5H2O": "CuSO9H10", "CuSO4⋅5H2O": "CuSO9H10",
        "CuSO4 · 5 H2O": "CuSO9H10", "CuSO4 . 5H2O": "CuSO9H10", "CuSO4 x 5H2O": "CuSO9H10", "CuSO4×5H2O": "CuSO9H10",
        "CuSO4.5H2O": "CuSO9H10", "Zn(NO3)2.6H2O": "ZnN2O12H12", "Na2CO3.10H2O": "Na2CO13H20",
        "KAl(SO4)2.12H2O": "KAlS2O20H24", "MgCl2.6H2O": "MgCl2H12O6", "CaSO4.H2O": "CaSO5H2",
        "CaSO4.0.5H2O": "Ca2S2O9H2", "CaSO4·0.5H2O": "Ca2S2O9H2", "CaSO4·1/2H2O": "Ca2S2O9H2",
        "CaSO4·½H2O": "Ca2S2O9H2", "3CdSO4.8H2O": "Cd3S3O20H16", "Al2O3.2SiO2.2H2O": "Al2O9Si2H4",
        "CaO.Al2O3": "CaO4Al2", "K4[Fe(CN)6].3H2O": "K4FeC6N6H6O3", "NiSO4.(NH4)2SO4.6H2O": "NiS2O14N2H20",
        "Fe2O3.5H2O": "FeO4H5", "VOSO4.5H2O": "VO10SH10",
    },
    "decimals": {
        "Li0.5CoO2": "LiCo2O4", "Li.5CoO2": "LiCo2O4", "YBa2Cu3O6.5": "Y2Ba4Cu6O13", "Fe3O4.5": "Fe2O3",
        "LiMn1.5Ni0.5O4": "Li2Mn3NiO8", "LiNi0.8Co0.15Al0.05O2": "Li20Ni16Co3AlO40", "Fe0.95O": "Fe19O20",
        "La0.7Sr0.3MnO3": "La7Sr3Mn10O30", "Ba(Zr0.35Ti0.65)O3": "Ba20Zr7Ti13O60",
        "La1.86Sr0.14CuO4": "La93Sr7Cu50O200", "Li1.2Ni0.13Mn0.54Co0.13O2": "Li120Ni13Mn54Co13O200",
        "Cu(OH)1.5Cl0.5": "Cu2O3H3Cl",
    },
    "fractions": {
        "Li1/2CoO2": "LiCo2O4", "Pb(Mg1/3Nb2/3)O3": "Pb3MgNb2O9", "Li½CoO2": "LiCo2O4", "LiCoO2½": "Li2Co2O5",
        "Li4/3Ti5/3O4": "Li4Ti5O12",
    },
    "rounded fractions": {
        "Ba(Mg0.333Ta0.667)O3": "Ba3MgTa2O9", "Ba(Mg.333Ta.667)O3": "Ba3MgTa2O9", "Pb(Zn0.33Nb0.67)O3": "Pb3ZnNb2O9",
        "BaMg0.3333Ta0.6667O3": "Ba3MgTa2O9", "La0.67Sr0.33MnO3": "La2SrMn3O9", "Sr(Co0.33Ta0.66)O3": "Sr3CoTa2O9",
        "LiNi0.33Mn0.33Co0.33O2": "Li3NiMnCoO6", "LiNi0.333Mn0.333Co0.334O2": "Li3NiMnCoO6",
        "Li1.33Ti1.67O4": "Li4Ti5O12", "Ba(Fe0.1667Nb0.8333)O3": "Ba6FeNb5O18", "La0.857Sr0.143MnO3": "La6SrMn7O21",
        "Na0.333WO3": "NaW3O9", "Fe2.67O4": "Fe2O3", "Li0.33La0.56TiO3": "Li3La5Ti9O27",
    },
    "typesetting": {
        "SrTiO₃": "SrTiO3", "Fe_2O_3": "Fe2O3", "SrTi_{0.5}Zr_{0.5}O_3": "Sr2TiZrO6", "SrTiO$_3$": "SrTiO3",
        "H<sub>2</sub>O": "H2O", "ＮａＣｌ": "NaCl", "NaCl.": "NaCl", " Sr Ti O3 ": "SrTiO3",
        "[Co(NH3)6]Cl3": "CoN6H18Cl3", "Ca2{SiO4}": "Ca2SiO4",
    },
    "capitals": {"CO": "CO", "CO2": "CO2", "PO": "PO", "KHCO3": "KHCO3", "K2CO3": "K2CO3", "YBO3": "YBO3", "BN": "BN"},
}  # fmt: skip


@pytest.mark.parametrize(("text", "formula"), [pair for kind in READ.values() for pair in kind.items()])
def test_texts_with_one_meaning_are_read(text, formula):
    assert "".join(f"{e}{n if n > 1 else ''}" for e, n in parse_formula(text).items()) == formula


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("YBa2Cu3O6.5H2O", "as YBa2Cu3O6.5H2O and as YBa2Cu3O6·5H2O"),
        ("VO2.5H2O", "as VO2.5H2O and as VO2·5H2O"),
        ("Na0.35CoO2.1.3H2O", "can be read as"),
        ("CuSO4·nH2O", "n is a variable"),
        ("CuSO4.xH2O", "x is a variable"),
        ("CuSO4·", "there is no compound on one side of a dot"),
        ("CuSO4..5H2O", "two full stops"),
        ("CuSO4 + 5H2O", "an adduct is written with a dot"),
        ("Na0.67MnO2", "0.67 can be 67/100 or a rounded 2/3; write Na67/100MnO2 or Na2/3MnO2"),
        ("LiNi0.33Mn0.33Co0.34O2", "0.33 can be 33/100 or a rounded 1/3"),
        ("Na+", "it has a charge; a formula describes a neutral crystal"),
        ("Fe3+", "charge"),
        ("SO4-2", "charge"),
        ("SO4^2-", "charge"),
        ("[Fe(CN)6]4-", "charge"),
        ("Na+Cl-", "charge"),
        ("SO₄²⁻", "'²' is a superscript"),
        ("YBa2Cu3O7-x", "x is a variable; put a number in its place"),
        ("YBa2Cu3O7−δ", "δ is a variable"),
        ("La1-xSrxMnO3", "x is a variable"),
        ("NaxCoO2", "x is a variable"),
        ("Nx", "x is a variable"),
        ("(1-x)BaTiO3-xPbTiO3", "x is a variable"),
        ("naCl", "did you mean NaCl"),
        ("NACL", "did you mean NaCl"),
        ("fe2o3", "did you mean Fe2O3"),
        ("caco3", "did you mean CaCO3"),
        ("SIO2", "SiO2 or S I O2"),
        ("COO", "CoO or C O O"),
        ("NIO", "NiO or N I O"),
        ("YB2O3", "Yb2O3 or Y B2 O3"),
        ("YBCO", "an abbreviation of YBa2Cu3O7"),
        ("СО2", "'С' is a Cyrillic letter; write the Latin C"),
        ("Οs", "Greek letter; write the Latin O"),
        ("D2O", "isotope of hydrogen"),
        ("SiO2 (quartz)", "'quartz' is not an element.*: SiO2"),
        ("TiO2-anatase", "'anatase' is not an element.*: TiO2"),
        ("α-Al2O3", "'α' is not an element.*: Al2O3"),
        ("2H-MoS2", "'2H' is not an element.*: MoS2"),
        ("NaCl(aq)", "'aq' is not an element"),
        ("Li0FeO2", "a number of atoms is zero"),
        ("Li1/0CoO2", "a number is divided by zero"),
        ("(Fe,Mg)O", "leaves the ratio open"),
        ("La0,7Sr0,3MnO3", "write decimals with a point.*La0.7Sr0.3MnO3"),
        ("Zn(OAc)2", "acetate is C2H3O2"),
        ("ABO3", "'A' is not an element; if it stands for one, write that element"),
        ("Ca(OH]2", "closes a bracket of another kind"),
        ("Fe/2", "there is no number on one side"),
        ("LiFePO4/C", "there is no number on one side"),
        ("ZnS:Mn", "doped"),
        ("Fe0.9Va0.1O", "a vacancy"),
        ("Li-Fe-O", "it is for chemical systems"),
        ("2NaCl", "a number follows no element"),
    ],
)  # fmt: skip
def test_texts_with_no_or_two_meanings_are_refused_with_the_reason(text, reason):
    with pytest.raises(NucleateError, match=reason):
        parse_formula(text)


def test_charges_decide_between_a_full_stop_and_a_decimal_point():
    assert parse_formula("MgCl2.6H2O") == parse_formula("MgCl2·6H2O")  # Cl2.6 would not be neutral
    assert parse_formula("TiO2.5H2O") == parse_formula("TiO2·5H2O")
    assert parse_formula("NaCl.5KBr") == parse_formula("NaCl·5KBr")


def test_blanks_in_a_formula_make_its_capitals_count():
    assert parse_formula("S I O2") == {"S": 1, "I": 1, "O": 2}
    with pytest.raises(NucleateError, match="not an element"):
        parse_formula("SIO2X")


def test_formulas_of_models_are_read_strictly():
    for text in ("CuSO4·5H2O", "Li1/2CoO2", "Li0.5CoO2", "SrTiO₃"):
        with pytest.raises(NucleateError):
            parse_formula(text, strict=True)
    assert parse_formula("SIO2", strict=True) == {"S": 1, "I": 1, "O": 2}


def test_any_text_is_read_or_refused():
    signs = "CuSO4.5H2O·*()[]{}1/3-+^_x δ₂²,:NaClKDAc½"
    chance = random.Random(1)
    for _ in range(3000):
        text = "".join(chance.choice(signs) for _ in range(chance.randint(1, 14)))
        try:
            counts = parse_formula(text)
        except NucleateError as error:
            assert str(error) and "\n" not in str(error)
        else:
            assert counts and all(n > 0 for n in counts.values())


@pytest.mark.parametrize(
    "text", ["Li1/2CoO2", "Pb(Mg1/3Nb2/3)O3", "CuSO4.H2O", "MgCl2.NH3", "CaSO4·1/2H2O", "BaO1/2-x"]
)
def test_a_formula_is_no_file(text):
    assert looks_like_formula(text)


@pytest.mark.parametrize(
    "text", ["run1/2", "a.cif", "NaCl.cif", "X.CIF", "data/NaCl", "./NaCl", "Fe2O3/POSCAR", "C:\\x"]
)
def test_a_file_is_no_formula(text):
    assert not looks_like_formula(text)


@pytest.mark.parametrize("text", ["CuSO4 . 5H2O", "CuSO4*5H2O", "CuSO4 * 5H2O", "CuSO4 · 5 H2O", "CuSO4 x 5H2O"])
def test_adducts_in_a_sentence_are_closed_up(text):
    assert with_joined_adducts(f"crystals of {text}. 5 of them") == "crystals of CuSO4·5H2O. 5 of them"


@pytest.mark.parametrize("text", ["Ba Ti *", "Li ? O4", "a spinel. 5 Crystals", "3 x 3 supercells", "CuSO4.5H2O"])
def test_other_signs_stay_as_they_are(text):
    assert with_joined_adducts(text) == text


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"O": 12, "P": 3, "Zr": 2, "Na": 1}, "NaZr2P3O12"),
        ({"W": 4, "Hf": 1, "Si": 1}, "HfSiW4"),
        ({"O": 8, "P": 2, "Fe": 2, "Li": 2}, "LiFePO4"),
        ({"Fe": 0.95, "O": 1}, "Fe19O20"),
        ({"O": 4}, "O2"),
        ({"Na": 1, "O": 1}, "Na2O2"),
        ({"Xe": 1, "F": 2}, "XeF2"),
        ({}, ""),
    ],
)
def test_a_formula_has_one_spelling(counts, text):
    assert formula_text(counts) == text


def test_only_the_formula_class_spells_formulas():
    import nucleate

    allowed = {
        "composition.py",
        "corrections.py",
        "match.py",
        "metre.py",
        "measurements.py",
        "database.py",
    }  # these files have keys of their own
    files = [f for f in Path(nucleate.__file__).parent.rglob("*.py") if f.name not in allowed]
    assert not [f.name for f in files if ".reduced_formula" in f.read_text(encoding="utf-8")]


def test_the_spelling_is_pymatgens_without_brackets():
    from pymatgen.core import Composition, Element

    pairs = [Composition({a: 1, b: 2}) for a in SYMBOLS for b in SYMBOLS if a != b][::7]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # noble gases have no electronegativity
        known = [c for c in pairs if all(Element(str(e)).X == Element(str(e)).X for e in c)]
        assert all(formula_text(c) == c.reduced_formula for c in known)
        for text in ("O2", "N2", "Na2O2", "H2O2", "HfSiW4", "LiFePO4", "Ba3MgTa2O9", "Cs2AgBiCl6"):
            assert formula_text(Composition(text)) == Composition(text).reduced_formula == text
