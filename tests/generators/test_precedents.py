"""Known crystals as precedents: what they propose for new compositions, and how draws follow them."""

import math
from collections import Counter

import numpy as np
import pytest
from tiny_sites import tiny_sites

from nucleate.errors import NucleateError
from nucleate.generators import Condition, load_generator
from nucleate.generators.choosing import Choices
from nucleate.generators.precedents import REACH, Precedents, read_sites, shipped_precedents, write_sites

PEROVSKITE = (221, (("Ba", "a"), ("O", "c"), ("Ti", "b")))
FLUORITE = (225, (("Ca", "a"), ("F", "c")))
FEW = Precedents.of([PEROVSKITE, (221, (("Cl", "c"), ("Cs", "a"), ("Pb", "b"))), FLUORITE])
SRTIO3 = {"Sr": 1, "Ti": 1, "O": 3}


def test_like_elements_take_the_places_of_like_ones():
    proposed = FEW.of_composition(SRTIO3)
    best = max(proposed, key=proposed.get)
    assert best == (221, (("O", "c"), ("Sr", "a"), ("Ti", "b")))
    distance = (1 / 5) * 1  # Ba and Sr are neighbours on the scale
    assert proposed[best] == pytest.approx(math.exp(-distance / REACH), rel=0.05)


def test_numbers_of_atoms_in_the_primitive_cell_decide_who_speaks():
    assert set(FEW.of_composition({"Zr": 1, "O": 2})) == {(225, (("O", "c"), ("Zr", "a")))}
    assert FEW.of_composition({"Zr": 2, "O": 4}) == {}
    assert FEW.of_composition({"Sr": 1, "O": 1}) == {}
    assert len(FEW) == 3


def test_numbers_of_sites_alone_bring_a_composition_along():
    proposed = FEW.of_sites({"Sr": 1, "Ti": 1, "O": 1}, None, 20)
    assert max(proposed, key=proposed.get) == (221, (("O", "c"), ("Sr", "a"), ("Ti", "b")))
    assert FEW.of_sites({"Sr": 1, "Ti": 1, "O": 1}, 62, 20) == {} == FEW.of_sites({"Sr": 2, "O": 1}, None, 20)
    assert FEW.of_sites({"Zr": 1, "O": 1}, 225, 2) == {}  # three atoms in a cell of two
    assert set(FEW.of_sites({"Zr": 1, "O": 1}, 225, 3)) == {(225, (("O", "c"), ("Zr", "a")))}


def test_elements_alone_bring_numbers_of_atoms_along():
    assert set(FEW.of_system(("O", "Zr"), None, 20)) == {(225, (("O", "c"), ("Zr", "a")))}
    assert set(FEW.of_system(("Ti", "Sr", "O"), 221, 20)) == {(221, (("O", "c"), ("Sr", "a"), ("Ti", "b")))}
    assert FEW.of_system(("Ti", "Sr", "O"), 225, 20) == {} == FEW.of_system(("Ti", "Sr", "O"), None, 4)


def test_elements_without_a_place_on_the_scale_have_no_precedent():
    assert FEW.of_composition({"Rf": 1, "O": 2}) == {}


def test_sites_as_text():
    sites = (("O", "c"), ("Sr", "a"), ("Ti", "b"))
    assert write_sites(sites) == "O c, Sr a, Ti b" and read_sites("O c, Sr a, Ti b") == sites
    with pytest.raises(NucleateError, match="sites are written as"):
        read_sites("O c, Sr")


def test_the_shipped_ones_know_their_crystals():
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


def test_draws_follow_precedents_and_statistics_by_how_loud_they_are(plain):
    choices = Choices(plain.codec, plain.max_atoms, FEW, doubt=1.0)
    condition = Condition(composition=SRTIO3)
    known = choices.proposed(condition)
    rng = np.random.default_rng(0)
    drawn = Counter((number, tuple(sorted(s))) for number, s in (choices.draw(condition, rng) for _ in range(3000)))
    for (number, sites), n in drawn.most_common(3):
        chance = math.exp(choices.log_probability(condition, number, sites))
        assert abs(n / 3000 - chance) < 4 * math.sqrt(chance / 3000)
    assert drawn.most_common(1)[0][0] in known
    assert choices.log_probability(condition, 221, (("Ti", "a"),)) == -math.inf


def test_precedents_have_a_say_in_how_many_formula_units_a_cell_has(generator):
    units = Counter(generator.draw_formula_units(SRTIO3, seed) for seed in range(100))
    assert set(units) == {1, 2, 4}  # perovskites, plain and tilted; three have no precedent to speak of
    assert generator.draw_formula_units({"O": 3, "Sr": 1, "Ti": 1}, 0) == generator.draw_formula_units(SRTIO3, 0)
    assert {generator.draw_formula_units(SRTIO3, seed, 62) for seed in range(20)} == {4}
    with pytest.raises(NucleateError, match="one formula unit has 21 atoms"):
        generator.draw_formula_units({"O": 21}, 0)


def test_what_is_told_silences_the_precedents_that_contradict_it(plain):
    choices = Choices(plain.codec, plain.max_atoms, FEW)
    assert choices.proposed(Condition(composition=SRTIO3, space_group=62)) == {}
    assert choices.proposed(Condition(composition=SRTIO3, sites={"Sr": 1, "Ti": 1, "O": 2})) == {}
    assert choices.proposed(Condition(composition=SRTIO3, sites={"Sr": 1, "Ti": 1, "O": 1}, space_group=221))
    assert Choices(plain.codec, plain.max_atoms).proposed(Condition(composition=SRTIO3)) == {}
