import pytest

from nucleate.chem.formula import parse_formula
from nucleate.errors import NucleateError
from nucleate.request.parse import parse_request


@pytest.mark.parametrize(
    ("text", "composition", "system", "candidates"),
    [
        ("Li-Fe-O, 5 candidates", None, ("Li", "Fe", "O"), 5),
        ("O-Fe-Li", None, ("O", "Fe", "Li"), 5),
        ("SrTiO3", {"Sr": 1, "Ti": 1, "O": 3}, None, 5),
        ("12 structures, Sr2Ti2O6", {"Sr": 1, "Ti": 1, "O": 3}, None, 12),
        ("Li0.5CoO2; 2 crystals", {"Li": 1, "Co": 2, "O": 4}, None, 2),
        ("Ca3(PO4)2", {"Ca": 3, "P": 2, "O": 8}, None, 5),
        ("Si", {"Si": 1}, None, 5),
        ("", None, None, 5),
        ("anything, 1 candidate", None, None, 1),
    ],
)
def test_understood(text, composition, system, candidates):
    r = parse_request(text)
    assert (r.composition, r.chemical_system, r.candidates) == (composition, system, candidates)


@pytest.mark.parametrize(
    ("kw", "message"),
    [
        ({"text": "Xx2O3"}, "'Xx' is not an element"),
        ({"text": "!!"}, "'!!' was not understood; give a formula"),
        ({"text": "Li-Fe-O, -3 candidates"}, "cannot make -3 candidates; ask for 1"),
        ({"text": "SrTiO3", "candidates": 0}, "cannot make 0 candidates"),
        ({"text": "SrTiO3, 2.5 candidates"}, "whole number"),
        ({"text": "SrTiO3, 5 candidates", "candidates": 6}, "says 5 candidates, the option 6"),
        ({"text": "a pretty blue crystal"}, "was not understood"),
        ({"text": "SrTiO3", "elements": "Li,Fe"}, "contradict each other"),
        ({"text": "Li-Fe-O", "elements": "Li,Fe"}, "contradict each other"),
        ({"text": "", "elements": "Li,Fe,Qq"}, "'Qq' is not an element"),
        ({"text": "", "elements": "Li,Li"}, "named twice"),
        ({"text": "", "elements": " "}, "no elements given"),
        ({"text": "SrTiO3", "num_atoms": 7}, "whole formula units"),
        ({"text": "Si, -2 atoms"}, "cannot have -2 atoms"),
        ({"text": "Sr(TiO3"}, "never closed"),
        ({"text": "SrTiO3)"}, "never opened"),
        ({"text": "Sr0TiO3"}, "number of atoms is zero"),
        ({"text": "srtio3"}, "not a formula"),
        ({"text": "Li-Feo-O"}, "'Feo' is not an element"),
        ({"text": "Li ? Xx4"}, "'Xx' is not an element"),
        ({"text": "Li ? *"}, "both ? and *"),
        ({"text": "what is it?"}, "'what is it?' was not understood"),
        ({"text": "", "contains": "Li,Qq"}, "'Qq' is not an element"),
        ({"text": "", "exclude": ""}, "no elements given"),
        ({"text": "SrTiO3, space group Pnmq"}, "no space group is called 'Pnmq'; similar ones: "),
        (
            {"text": "SrTiO3, cubic", "space_group": "Pnma"},
            "a cubic space group and space group Pnma (62) contradict each other",
        ),
        ({"text": "SrTiO3", "space_group": "common:0"}, "a number from 1 to 230, not '0'"),
        ({"text": "K-Cu", "sites": "K"}, "'K' is not"),
    ],
)
def test_refused_in_one_line(kw, message):
    with pytest.raises(NucleateError) as error:
        parse_request(**kw)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_words_and_options_together():
    r = parse_request("SrTiO3, 10 atoms", candidates=3)
    assert (r.num_atoms, r.candidates) == (10, 3)
    assert parse_request("10,000 atoms", elements="Li,O").num_atoms == 10_000
    assert parse_request("", elements="Li,Fe,O").chemical_system == ("Li", "Fe", "O")


def test_the_description_says_how_the_request_was_understood():
    assert parse_request("Li-Fe-O").describe() == "the 5 best crystals in the chemical system Li-Fe-O"
    assert (
        parse_request("SrTiO3, 10 atoms").describe().endswith("crystal structures of SrTiO3 with 10 atoms in the cell")
    )


def test_wishes_about_elements():
    r = parse_request("Ba Ti *, 3 formulas", contains="O", exclude="Pb-Cd", num_elements=4)
    assert r.wishes == {"contains": ("O",), "exclude": ("Pb", "Cd"), "num_elements": 4, "pattern": "Ba Ti *"}
    assert r.describe() == (
        "the 3 best crystals of formulas such as Ba Ti * with O in it and no Pb, Cd and 4 different elements"
    )
    assert parse_request("anything").wishes == {} and parse_request("", default=20).candidates == 20


@pytest.mark.parametrize(
    ("kw", "groups", "words"),
    [
        ({"text": "Li-Fe-O, space group Pnma"}, (62,), "space group Pnma (62)"),
        ({"text": "SrTiO3, space group 221, 2 candidates"}, (221,), "space group Pm-3m (221)"),
        ({"text": "SrTiO3", "space_group": "Pnma,R-3c"}, (62, 167), "space group Pnma (62) or R-3c (167)"),
        ({"text": "Li-Fe-O, cubic"}, tuple(range(195, 231)), "a cubic space group"),
        ({"text": "orthorhombic, Li-Fe-O"}, tuple(range(16, 75)), "an orthorhombic space group"),
        ({"text": "Li-Fe-O", "space_group": "common:5"}, None, "one of 5 space groups"),
    ],
)
def test_space_groups(kw, groups, words):
    r = parse_request(**kw)
    assert r.space_groups == groups if groups else len(r.space_groups) == 5
    assert r.describe().endswith(f" with {words}")


def test_families_whose_names_begin_like_a_crystal_system():
    assert parse_request("a hexagonal perovskite").families == ("hexagonal perovskite",)
    cubic = parse_request("cubic perovskites with Ti, 3 candidates")
    assert cubic.families == ("perovskite",) and len(cubic.space_groups) == 36 and cubic.contains == ("Ti",)
    said = parse_request("a spinell in Li-Mn-O").describe()
    assert said.endswith("Li-Mn-O with the structure of spinel (AB2X4); 'spinell' taken for spinel")
    assert parse_request("a lithium conductor").describe().endswith("with Li in it; not understood: conductor")


def test_sites():
    r = parse_request("K-Cu-Si", space_group="62", sites="K:1,Cu:2,Si:1")
    assert r.sites == {"K": 1, "Cu": 2, "Si": 1} and r.describe().endswith("Pnma (62) and sites K:1, Cu:2, Si:1")


def test_nested_brackets():
    assert parse_formula("[Co(NH3)6]Cl3") == {"Co": 1, "N": 6, "H": 18, "Cl": 3}
    with pytest.raises(NucleateError, match="not a formula: unexpected"):
        parse_formula("[Co(NH3)6]Cl3", strict=True)


def test_radioactive_elements_are_allowed_only_if_they_are_named():
    plain = parse_request("anything")
    assert {"Tc", "Pm", "Po", "U", "Pu"} <= plain.unasked and plain.exclude == ()
    assert "--elements all" in plain.left_out
    everything = parse_request("anything", elements="all")
    assert not everything.unasked and everything.left_out == "" and everything.chemical_system is None
    assert "U" not in parse_request("U ? O4").unasked and "Tc" in parse_request("U ? O4").unasked
    assert "Tc" not in parse_request("", contains="Tc").unasked
    assert not parse_request("UO2").unasked and not parse_request("U-O").unasked
    assert "Tc" in parse_request("a transition metal oxide").unasked  # a group of elements does not name Tc


def test_elements_are_excluded_by_symbols_and_groups():
    excluded = parse_request("anything", exclude="Pb, rare earths; radioactive").exclude
    assert {"Pb", "La", "Y", "U", "Tc"} <= set(excluded) and len(set(excluded)) == len(excluded)
    assert parse_request("", exclude="Pb Cd").exclude == parse_request("", exclude="Pb-Cd").exclude == ("Pb", "Cd")
    for text, words in (("pb", "did you mean Pb?"), ("blue", "toxic"), (",", "no elements given")):
        with pytest.raises(NucleateError) as error:
            parse_request("", exclude=text)
        assert words in str(error.value)
