"""Known crystals as precedents: what they propose for new compositions, and how draws follow them."""

import math
from collections import Counter

import numpy as np
import pytest
from small_library import fluorite, perovskite, rock_salt, rutile, small_library
from tiny_sites import tiny_sites

from nucleate.chem.distance import element_movers_distance
from nucleate.errors import NucleateError
from nucleate.generators import Condition, load_generator
from nucleate.generators.precedents import HIGHEST, REACH, Precedents
from nucleate.generators.symmetry_chooser import SymmetryChooser
from nucleate.library import load_library

CRYSTALS = (
    (1, perovskite("Ba", "Ti", "O", 4.0), dict(e_above_hull=0.0, split="train")),
    (2, perovskite("Cs", "Pb", "Cl", 5.6), dict(e_above_hull=None)),
    (3, fluorite("Ca", "F", 5.46), dict(e_above_hull=0.0, split="train")),
)
SRTIO3 = {"Sr": 1, "Ti": 1, "O": 3}


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return Precedents(small_library(tmp_path_factory.mktemp("few"), CRYSTALS))


def test_similar_elements_take_each_other_s_sites(few):
    proposed = few.of_composition(SRTIO3)
    best = max(proposed, key=proposed.get)
    assert best == (221, (("O", "c"), ("Sr", "a"), ("Ti", "b")))
    distance = (1 / 5) * 1  # Ba and Sr are neighbours on the scale
    assert proposed[best] == pytest.approx(math.exp(-distance / REACH), rel=0.05)


def test_only_crystals_with_the_same_numbers_of_atoms_make_proposals(few):
    assert set(few.of_composition({"Zr": 1, "O": 2})) == {(225, (("O", "c"), ("Zr", "a")))}
    assert few.of_composition({"Zr": 2, "O": 4}) == {}
    assert few.of_composition({"Sr": 1, "O": 1}) == {}


def test_with_numbers_of_sites_precedents_give_a_composition(few):
    proposed = few.of_sites({"Sr": 1, "Ti": 1, "O": 1}, None, 20)
    assert max(proposed, key=proposed.get) == (221, (("O", "c"), ("Sr", "a"), ("Ti", "b")))
    assert few.of_sites({"Sr": 1, "Ti": 1, "O": 1}, 62, 20) == {} == few.of_sites({"Sr": 2, "O": 1}, None, 20)
    assert few.of_sites({"Zr": 1, "O": 1}, 225, 2) == {}  # three atoms in a cell of two
    assert set(few.of_sites({"Zr": 1, "O": 1}, 225, 3)) == {(225, (("O", "c"), ("Zr", "a")))}


def test_with_elements_alone_precedents_give_numbers_of_atoms(few):
    assert set(few.of_system(("O", "Zr"), None, 20)) == {(225, (("O", "c"), ("Zr", "a")))}
    assert set(few.of_system(("Ti", "Sr", "O"), 221, 20)) == {(221, (("O", "c"), ("Sr", "a"), ("Ti", "b")))}
    assert few.of_system(("Ti", "Sr", "O"), 225, 20) == {} == few.of_system(("Ti", "Sr", "O"), None, 4)


def test_elements_without_a_place_on_the_scale_have_no_precedent(few):
    assert few.of_composition({"Rf": 1, "O": 2}) == {}


def test_distances_and_roles_are_those_of_the_formulas(tmp_path):
    crystals = [
        *CRYSTALS,
        (4, rutile("Sn", "O"), dict(e_above_hull=HIGHEST + 0.01)),
        (5, rock_salt("Na", "Cl", 5.6), {}),
    ]
    library = small_library(tmp_path, crystals)
    every = Precedents(library, highest=math.inf)
    for found, composition, reach in (
        (every.of_composition({"Ti": 2, "O": 4}, 2.0), {"Sn": 2, "O": 4}, 2.0),
        (every.of_sites({"Li": 1, "Br": 1}, 225, 2), {"Na": 1, "Cl": 1}, REACH),
        (every.of_system(("Br", "Li"), 225, 2), {"Na": 1, "Cl": 1}, REACH),
    ):
        ((number, sites),) = found
        made = {e: composition[o] for e, o in zip(sorted({e for e, _ in sites}), sorted(composition), strict=True)}
        assert number in (136, 225)
        distance = element_movers_distance(made, composition)
        assert found[number, sites] == pytest.approx(math.exp(-distance / reach))
    assert Precedents(library).of_composition({"Ti": 2, "O": 4}) == {}  # too far above the hull


def test_hidden_crystals_propose_nothing(tmp_path):
    library = small_library(tmp_path, CRYSTALS)
    for view in (library.hidden(ids=["mp-1"]), library.hidden(formulas=[{"Ba": 1, "Ti": 1, "O": 3}])):
        for proposed in (
            Precedents(view).of_composition(SRTIO3),
            Precedents(view).of_sites({"Sr": 1, "Ti": 1, "O": 1}, 221, 20),
            Precedents(view).of_system(("Sr", "Ti", "O"), None, 20),
        ):
            assert len(proposed) == 1 and max(proposed.values()) < 1e-3  # of caesium lead chloride alone
    assert Precedents(library.only("mp-20:train")).of_composition({"Zr": 1, "O": 2})
    assert not Precedents(library.hidden(dataset="mp-20:train")).of_composition({"Zr": 1, "O": 2})


def test_every_known_crystal_is_a_precedent():
    known = Precedents(load_library())
    proposed = known.of_composition(SRTIO3)
    best = max(proposed, key=proposed.get)
    assert best == (221, (("O", "c"), ("Sr", "a"), ("Ti", "b"))) and proposed[best] > 10
    assert known.of_composition({"Mg": 6, "Al": 4, "Si": 6, "O": 24})  # garnets have 80 atoms in the primitive cell
    assert len(known.of_system(("K", "Cu", "Si"), None, 20)) > 1000


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    return load_generator(tiny_sites(tmp_path_factory.mktemp("sites")))


@pytest.fixture(scope="module")
def plain(generator):
    return generator.choices


def test_draws_follow_the_weights_of_precedents_and_statistics(plain, few):
    choices = SymmetryChooser(plain.codec, plain.max_atoms, few, statistics_weight=1.0)
    condition = Condition(composition=SRTIO3)
    known = choices.proposed(condition)
    rng = np.random.default_rng(0)
    drawn = Counter((number, tuple(sorted(s))) for number, s in (choices.draw(condition, rng) for _ in range(3000)))
    for (number, sites), n in drawn.most_common(3):
        chance = math.exp(choices.log_probability(condition, number, sites))
        assert abs(n / 3000 - chance) < 4 * math.sqrt(chance / 3000)
    assert drawn.most_common(1)[0][0] in known
    assert choices.log_probability(condition, 221, (("Ti", "a"),)) == -math.inf


def test_precedents_have_weight_in_the_number_of_formula_units(generator):
    units = Counter(generator.draw_formula_units(SRTIO3, seed) for seed in range(100))
    assert set(units) == {1, 2, 4}  # those of cubic and tilted perovskites; hardly any precedent has three
    assert generator.draw_formula_units({"O": 3, "Sr": 1, "Ti": 1}, 0) == generator.draw_formula_units(SRTIO3, 0)
    assert {generator.draw_formula_units(SRTIO3, seed, 62) for seed in range(20)} == {4}
    with pytest.raises(NucleateError, match="one formula unit has 21 atoms"):
        generator.draw_formula_units({"O": 21}, 0)


def test_precedents_that_contradict_the_condition_are_left_out(plain, few):
    choices = SymmetryChooser(plain.codec, plain.max_atoms, few)
    assert choices.proposed(Condition(composition=SRTIO3, space_group=62)) == {}
    assert choices.proposed(Condition(composition=SRTIO3, sites={"Sr": 1, "Ti": 1, "O": 2})) == {}
    assert choices.proposed(Condition(composition=SRTIO3, sites={"Sr": 1, "Ti": 1, "O": 1}, space_group=221))
    assert SymmetryChooser(plain.codec, plain.max_atoms).proposed(Condition(composition=SRTIO3)) == {}
