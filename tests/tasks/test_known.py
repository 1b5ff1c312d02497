"""Questions about known crystals: words become filters, and a message explains why nothing is found."""

import math

import pytest

from nucleate.api.knowing import known
from nucleate.errors import NucleateError
from nucleate.library.filters import Filters
from nucleate.library.hiding import hidden_view
from nucleate.tasks.known import filters_of, nothing_found, read_anonymous, read_bounds, read_query
from tests.helpers.small_library import small_library


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return small_library(tmp_path_factory.mktemp("library"))


def ids(entries):
    return " ".join(entry.id for entry in entries)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"query": "SrTiO3"}, "mp-1 mp-3"),
        ({"query": "Sr2Ti2O6", "experimental": True}, "mp-1"),
        ({"query": "mp-7"}, "mp-7"),
        ({"query": "Li - Fe - O"}, "mp-10 mp-11 mp-12 mp-13"),
        ({"query": "Li-Fe-O", "exact": True}, "mp-11 mp-12"),
        ({"query": "Li-Fe-O", "stable": True}, "mp-10"),
        ({"prototype": "ABC3_cP5_221_a_b_c"}, "mp-2 mp-1 mp-3 mp-15"),
        ({"prototype": "ABC3_cP5_221_a_b_c", "contains": "Ca"}, "mp-15"),
        ({"space_group": "cubic", "num_elements": 2, "contains": ["Cl", "Li"]}, "mp-14"),
        ({"space_group": ["Pm-3m", 136], "anonymous": "A2B"}, "mp-7 mp-9"),
        ({"band_gap": (1.8, None), "num_atoms": "..5"}, "mp-6 mp-15"),
        ({"query": "NaCl", "hide": "mp-4"}, ""),
        ({"query": "Na-Cl", "hide": ["mp-20:val", "Fe"]}, "mp-4 mp-5"),
        ({"query": "Ti-O", "hide": "TiO2"}, ""),
    ],
)
def test_known_crystals_are_found_by_filters(library, asked, wanted):
    assert ids(known(**asked, library=library)) == wanted


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"query": "Xx2O3"}, "'Xx2O3' is not a formula"),
        ({"query": "Li-Zz-O"}, "'Zz' is not an element"),
        ({"space_group": "Pmna3"}, "no space group is called 'Pmna3'; similar ones: Pmn"),
        ({"prototype": "perovskit"}, "no crystal family is called 'perovskit'"),
        ({"prototype": "ABC3_cP5_221_a_b_d"}, "the prototype 'ABC3_cP5_221_a_b_d'; similar ones: ABC3_cP5"),
        ({"prototype": "AB9_cP5_500_a_b_d"}, "labels are written as in ABC3_cP5_221_a_b_c"),
        ({"prototype": "garnet"}, "this library has no crystal of the family garnet"),
        ({"anonymous": "abc"}, "'abc' is no anonymous formula"),
        ({"anonymous": "AB0"}, "numbers of atoms are at least 1"),
        ({"band_gap": "2..1"}, "band_gap takes a number or a range such as 1..2"),
        ({"e_form": "low"}, "e_form takes a number or a range"),
        ({"e_form": (1, 2, 3)}, "e_form takes a number or a range"),
        ({"exact": True}, "exact is about a chemical system"),
        ({"stable": True, "e_above_hull": 0.1}, "choose one of stable"),
        ({"exclude": "poison"}, "neither an element nor a group of elements"),
        ({"contains": 3.5}, "a text or a list of texts was expected"),
        ({"hide": "mp-999"}, "so it cannot be hidden"),
    ],
)  # fmt: skip
def test_bad_input_is_answered_with_what_would_be_right(library, asked, message):
    with pytest.raises(NucleateError) as error:
        known(**asked, library=library)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"query": "SrTiO4"}, "SrTiO4 is not among the known crystals; known with these elements: SrTiO3"),
        ({"query": "SrFeTiO4"}, "with some of its elements: SrTiO3, TiO2"),
        ({"query": "KBr"}, "KBr is not among the known crystals; there is none with its elements alone"),
        ({"query": "mp-99"}, "no known crystal has the id mp-99; ids are written as in mp-149"),
        (
            {"query": "Sr-Ti-O", "space_group": "136", "experimental": False},
            "no known crystal meets all that is asked; there are 1 without the space group",
        ),
        ({"query": "Sr-Ti-O", "space_group": "136", "contains": "Sr"}, "2 without the space group, 1 without what"),
        ({"num_atoms": 199}, "no known crystal meets what is asked"),
        ({"anonymous": "A999B"}, "no known crystal meets what is asked"),
        ({"query": f"mp-{10**30}"}, "no known crystal has the id"),
    ],
)  # fmt: skip
def test_an_empty_answer_says_what_there_is(library, asked, message):
    filters = filters_of(library, **asked)
    assert not library.select(filters)
    assert message.replace("there are 1", "there is 1") in nothing_found(library, filters)


def test_hidden_crystals_are_named_where_nothing_is_found(library):
    view = hidden_view(library, ["NaCl"])
    assert "(2 crystals of 1 formulas are hidden)" in nothing_found(view, Filters(formula={"Na": 1, "Cl": 1}))


def test_a_file_can_hide_crystals(library, tmp_path):
    (tmp_path / "hidden.txt").write_text("mp-4\n\nTiO2\n")
    view = hidden_view(library, [str(tmp_path / "hidden.txt"), "mp-20:val"])
    assert len(view) == len(library) - 5 and "mp-6" not in view and "mp-8" not in view and "mp-5" not in view


def test_queries_and_bounds_are_read_from_text():
    assert read_query("Li-Fe").system == ("Li", "Fe") and read_query("K2O").formula == {"K": 2, "O": 1}
    assert read_anonymous("A2BC4") == (2, 1, 4)
    assert read_bounds("1..2", "x") == (1, 2) and read_bounds("..2", "x") == (-math.inf, 2)
    assert read_bounds((0, None), "x") == (0, math.inf) and read_bounds(3, "x") == (3, 3) == read_bounds("3", "x")
