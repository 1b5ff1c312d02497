"""Known crystals as precedents: what they propose for new compositions, and how draws follow them."""

import math
from collections import Counter

import numpy as np
import pytest
from tiny_sites import tiny_sites

from nucleate.errors import NucleateError
from nucleate.generators import Condition, load_generator
from nucleate.generators.precedents import REACH, Precedents, read_assignment, shipped_precedents, write_sites
from nucleate.generators.symmetry_chooser import SymmetryChooser

PEROVSKITE = (221, (("Ba", "a"), ("O", "c"), ("Ti", "b")))
FLUORITE = (225, (("Ca", "a"), ("F", "c")))
FEW = Precedents.of([PEROVSKITE, (221, (("Cl", "c"), ("Cs", "a"), ("Pb", "b"))), FLUORITE])
SRTIO3 = {"Sr": 1, "Ti": 1, "O": 3}


def test_similar_elements_take_each_other_s_sites():
    proposed = FEW.of_composition(SRTIO3)
    best = max(proposed, key=proposed.get)
    assert best == (221, (("O", "c"), ("Sr", "a"), ("Ti", "b")))
    distance = (1 / 5) * 1  # Ba and Sr are neighbours on the scale
    assert proposed[best] == pytest.approx(math.exp(-distance / REACH), rel=0.05)


def test_only_crystals_with_the_same_numbers_of_atoms_make_proposals():
    assert set(FEW.of_composition({"Zr": 1, "O": 2})) == {(225, (("O", "c"), ("Zr", "a")))}
    assert FEW.of_composition({"Zr": 2, "O": 4}) == {}
    assert FEW.of_composition({"Sr": 1, "O": 1}) == {}
    assert len(FEW) == 3


def test_with_numbers_of_sites_precedents_give_a_composition():
    proposed = FEW.of_sites({"Sr": 1, "Ti": 1, "O": 1}, None, 20)
    assert max(proposed, key=proposed.get) == (221, (("O", "c"), ("Sr", "a"), ("Ti", "b")))
    assert FEW.of_sites({"Sr": 1, "Ti": 1, "O": 1}, 62, 20) == {} == FEW.of_sites({"Sr": 2, "O": 1}, None, 20)
    assert FEW.of_sites({"Zr": 1, "O": 1}, 225, 2) == {}  # three atoms in a cell of two
    assert set(FEW.of_sites({"Zr": 1, "O": 1}, 225, 3)) == {(225, (("O", "c"), ("Zr", "a")))}


def test_with_elements_alone_precedents_give_numbers_of_atoms():
    assert set(FEW.of_system(("O", "Zr"), None, 20)) == {(225, (("O", "c"), ("Zr", "a")))}
    assert set(FEW.of_system(("Ti", "Sr", "O"), 221, 20)) == {(221, (("O", "c"), ("Sr", "a"), ("Ti", "b")))}
    assert FEW.of_system(("Ti", "Sr", "O"), 225, 20) == {} == FEW.of_system(("Ti", "Sr", "O"), None, 4)


def test_elements_without_a_place_on_the_scale_have_no_precedent():
    assert FEW.of_composition({"Rf": 1, "O": 2}) == {}


def test_sites_as_text():
    sites = (("O", "c"), ("Sr", "a"), ("Ti", "b"))
    assert write_sites(sites) == "O c, Sr a, Ti b" and read_assignment("O c, Sr a, Ti b") == sites
    with pytest.raises(NucleateError, match="sites are written as"):
        read_assignment("O c, Sr")


def test_the_shipped_precedents_have_their_own_crystals():
    known = shipped_precedents()
    assert len(known) == 26308
    proposed = known.of_composition(SRTIO3)
    assert max(proposed, key=proposed.get)[0] == 221


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    return load_generator(tiny_sites(tmp_path_factory.mktemp("sites")))


@pytest.fixture(scope="module")
def plain(generator):
    return generator.choices


def test_draws_follow_the_weights_of_precedents_and_statistics(plain):
    choices = SymmetryChooser(plain.codec, plain.max_atoms, FEW, statistics_weight=1.0)
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


def test_precedents_that_contradict_the_condition_are_left_out(plain):
    choices = SymmetryChooser(plain.codec, plain.max_atoms, FEW)
    assert choices.proposed(Condition(composition=SRTIO3, space_group=62)) == {}
    assert choices.proposed(Condition(composition=SRTIO3, sites={"Sr": 1, "Ti": 1, "O": 2})) == {}
    assert choices.proposed(Condition(composition=SRTIO3, sites={"Sr": 1, "Ti": 1, "O": 1}, space_group=221))
    assert SymmetryChooser(plain.codec, plain.max_atoms).proposed(Condition(composition=SRTIO3)) == {}
