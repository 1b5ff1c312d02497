"""Requests in plain words, and what is understood of them."""

import pytest

from nucleate.chem.classes import GROUPS, classes
from nucleate.errors import NucleateError
from nucleate.request.words import read_words

RARE, ALKALI = GROUPS["rare earth"], GROUPS["alkali metal"]
SENTENCES = [
    ("a stable chalcogenide with atom ratio 1:1:2 that is not known",
     {"classes": ("chalcogenide",), "ratio": (1, 1, 2), "novel": True, "stable": 0.025}),
    ("metastable nitrides with Ti", {"classes": ("nitride",), "contains": ("Ti",), "stable": 0.1}),
    ("a stable oxide within 50 meV/atom of the convex hull", {"classes": ("oxide",), "stable": 0.05}),
    ("a spinel with energy above the hull below 0.03 eV/atom", {"families": ("spinel",), "stable": 0.03}),
    ("a cobalt spinel oxide", {"families": ("spinel",), "classes": ("oxide",), "contains": ("Co",)}),
    ("an elpasolite", {"families": ("elpasolite",)}),
    ("a pyrochlore without rare earths", {"families": ("pyrochlore",), "exclude": RARE}),
    ("a metal containing Ti", {"classes": ("metal",), "contains": ("Ti",)}),
    ("a lithium conductor candidate, band gap above 2 eV",
     {"contains": ("Li",), "properties": {"band_gap": (2.0, 10.0)}, "left": ("conductor",)}),
    ("a spinell", {"families": ("spinel",), "notes": ("'spinell' taken for spinel",)}),
    ("perovskites", {"families": ("perovskite",)}),
    ("a garnet", {"families": ("garnet",)}),
    ("half-Heuslers with Ti or Zr", {"families": ("half-Heusler",), "any_of": (("Ti", "Zr"),)}),
    ("half Heusler with titanium and zirconium", {"families": ("half-Heusler",), "contains": ("Ti", "Zr")}),
    ("lead-free halide double perovskites", {"families": ("elpasolite",), "exclude": ("Pb",)}),
    ("double perovskite oxide, no lead",
     {"families": ("double perovskite",), "classes": ("oxide",), "exclude": ("Pb",)}),
    ("K2NiF4 type oxide, no lead, cadmium or mercury",
     {"families": ("Ruddlesden-Popper n=1",), "classes": ("oxide",), "exclude": ("Pb", "Cd", "Hg")}),
    ("ternary nitride with band gap between 1 and 2 eV",
     {"classes": ("nitride",), "num_elements": (3, 3), "properties": {"band_gap": (1.0, 2.0)}}),
    ("a quaternary chalcogenide", {"classes": ("chalcogenide",), "num_elements": (4, 4)}),
    ("an olivine of iron and manganese", {"families": ("olivine",), "contains": ("Fe", "Mn")}),
    ("a sulfide, two to one", {"classes": ("sulfide",), "ratio": (1, 2)}),
    ("Ruddlesden-Popper oxides without alkali metals",
     {"families": ("Ruddlesden-Popper n=1",), "classes": ("oxide",), "exclude": ALKALI}),
    ("a perovskite titanate with formation energy below -3 eV/atom",
     {"families": ("perovskite",), "classes": ("titanate",),
      "properties": {"formation_energy_per_atom": (-6.0, -3.0)}}),
    ("garnets free of actinides", {"families": ("garnet",), "exclude": GROUPS["actinide"]}),
    ("an intermetallic Laves phase with a noble metal",
     {"families": ("Laves phase",), "classes": ("metal",), "any_of": (GROUPS["noble metal"],)}),
    ("rock-salt structured carbide", {"families": ("rock salt",), "classes": ("carbide",)}),
    ("rocksalt nitride", {"families": ("rock salt",), "classes": ("nitride",)}),
    ("a new skutterudite", {"families": ("skutterudite",), "novel": True}),
    ("an argyrodite with bromine", {"families": ("argyrodite",), "contains": ("Br",)}),
    ("a delafossite that is not in the ICSD", {"families": ("delafossite",), "novel": True}),
    ("novel pervoskite oxides",
     {"families": ("perovskite",), "classes": ("oxide",), "novel": True,
      "notes": ("'pervoskite' taken for perovskite",)}),
    ("phosphates of lithium and iron", {"classes": ("phosphate",), "contains": ("Li", "Fe")}),
    ("a sodium phosphate with three elements",
     {"classes": ("phosphate",), "contains": ("Na",), "num_elements": (3, 3)}),
    ("band gap of 1.5 eV, a halide", {"classes": ("halide",), "properties": {"band_gap": (1.5, 1.5)}}),
    ("an oxide with band gap over 3 eV and without toxic elements",
     {"classes": ("oxide",), "properties": {"band_gap": (3.0, 10.0)}, "exclude": GROUPS["toxic element"]}),
    ("rare-earth pyrochlore", {"families": ("pyrochlore",), "any_of": (RARE,)}),
    ("I want a zincblende semiconductor please", {"families": ("zincblende",), "left": ("semiconductor",)}),
    ("No lead, a chalcopyrite selenide",
     {"families": ("chalcopyrite",), "classes": ("selenide",), "exclude": ("Pb",)}),
    ("MAX phases with aluminium", {"families": ("MAX phase 211",), "contains": ("Al",)}),
    ("aluminum MAX phase", {"families": ("MAX phase 211",), "contains": ("Al",)}),
    ("an anti-perovskite nitride", {"families": ("antiperovskite",), "classes": ("nitride",)}),
    ("a compound of atomic ratio 3:1:4 excluding copper", {"ratio": (1, 3, 4), "exclude": ("Cu",)}),
    ("unreported Heusler alloys with a rare earth",
     {"families": ("Heusler",), "novel": True, "any_of": (RARE,)}),
    ("a layered rock salt oxide with nickel, not containing cobalt",
     {"families": ("layered NaFeO2",), "classes": ("oxide",), "contains": ("Ni",), "exclude": ("Co",)}),
    ("wolframite tungstate of zinc or magnesium",
     {"families": ("wolframite",), "classes": ("tungstate",), "any_of": (("Zn", "Mg"),)}),
    ("a sulfide spinel without gallium or a rare earth",
     {"families": ("spinel",), "classes": ("sulfide",), "exclude": ("Ga", *RARE)}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SENTENCES, ids=[text for text, _ in SENTENCES])
def test_understood(text, expected):
    wish = read_words(text)
    assert {k: v for k, v in vars(wish).items() if v not in ((), None, {}, False)} == expected


def test_there_are_forty():
    assert len(SENTENCES) >= 40


def test_texts_without_a_wish_are_empty():
    wish = read_words("a pretty blue crystal")
    assert wish.empty and wish.left == ("pretty", "blue")


def test_contradictions():
    with pytest.raises(NucleateError, match="asks for Co and against it"):
        read_words("a cobalt spinel without cobalt")
    with pytest.raises(NucleateError, match="2 elements and a ratio of 3 contradict"):
        read_words("a binary oxide of ratio 1:1:3")


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("oxide", {"Ti": 1, "O": 2}, {"O": 1, "F": 2}),
        ("phosphate", {"Li": 3, "P": 1, "O": 4}, {"Li": 3, "P": 1}),
        ("phosphide", {"Ga": 1, "P": 1}, {"Li": 3, "P": 1, "O": 4}),
        ("chalcogenide", {"Cu": 1, "In": 1, "Se": 2}, {"Cu": 1, "O": 1}),
        ("halide", {"Cs": 1, "Pb": 1, "Br": 3}, {"Br": 2}),
        ("metal", {"Ni": 3, "Al": 1}, {"Ni": 1, "O": 1}),
        ("metal", {"Co": 2, "Mn": 1, "Si": 1}, {"Si": 1, "Ge": 1}),
        ("hydride", {"Li": 1, "H": 1}, {"H": 2, "O": 1}),
    ],
)
def test_classes(name, inside, outside):
    assert classes()[name].holds(inside) and not classes()[name].holds(outside)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("an oxide, no perovskites", "'no perovskites': this negation"),
        ("oxides of Ti, cheaper than silicon", "'than silicon': this comparison"),
        ("substitutes for cobalt in LiCoO2", "'substitutes for cobalt in LiCoO2': this replacement"),
        ("cathodes above 4 V with Li", "'cathodes above 4 V with': this comparison"),
        ("no lead, tin halide", "'no lead, tin halide' can be read in two ways"),
        ("ein Nitrid", "understood in English alone, and 'ein' is not"),
        ("a glass of Si and O", "'glass' is out of scope"),
        ("an oxide without oxygen", "asks for the class oxide and excludes O"),
    ],
)
def test_the_words_that_stop_a_request_are_quoted(text, words):
    with pytest.raises(NucleateError) as error:
        read_words(text)
    assert words in str(error.value)


def test_formula_units_within_bounds():
    from nucleate.generators.bounds import units_within

    unit = {"Ti": 1, "O": 2}
    assert units_within(4, unit, (None, 10)) == 3 and units_within(1, unit, (6, None)) == 2
    assert units_within(2, unit, (None, None)) == 2
    with pytest.raises(NucleateError, match="7 to 8 atoms hold no whole formula units of 3 atoms"):
        units_within(1, unit, (7, 8))
