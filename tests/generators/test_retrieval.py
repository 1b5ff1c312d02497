"""The generator of retrieved structures: the contract, sizes of cells, and what a seed chooses."""

from collections import Counter

import pytest
from small_library import small_library

from nucleate.errors import NucleateError
from nucleate.generators import Condition
from nucleate.generators.registry import get_generator
from nucleate.generators.retrieval import RetrievalGenerator
from nucleate.request.request import Request
from nucleate.testing.contracts import check_refusals, check_structure_generator


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    return RetrievalGenerator(small_library(tmp_path_factory.mktemp("library")))


def test_the_contract(generator):
    check_refusals(generator)
    conditions = [Condition(composition={"Ca": 1, "Sn": 1, "O": 3}), Condition(composition={"Sn": 4, "O": 8})]
    check_structure_generator(generator, conditions, varies=False)
    assert get_generator("retrieval").name == "retrieval"


def test_types_are_drawn_as_often_as_they_are_probable(generator):
    # of titanium dioxide, by all known crystals: rutile has two formula units in its primitive cell, anatase as well
    shares = {p.space_group: p.probability for p in generator.retriever.retrieve({"Ti": 1, "O": 2}, 20).prototypes}
    wishes = Request("", 1, composition={"Ti": 1, "O": 2})
    sizes = Counter(sum(generator.plan(wishes, seed).composition.values()) for seed in range(300))
    assert set(sizes) <= {6, 12} and sizes[6] > 200
    made = generator.generate([Condition(composition={"Ti": 2, "O": 4})] * 300, list(range(300)))
    drawn = Counter(s.get_space_group_info()[1] for s in made[:60])
    assert set(drawn) == {136, 141} and shares[136] + shares[141] > 0.9


def test_a_cell_may_repeat_a_smaller_one(generator):
    (made,) = generator.generate([Condition(composition={"Mg": 4, "O": 4})], [0])
    assert made.composition.as_dict() == {"Mg": 4, "O": 4}
    with pytest.raises(NucleateError, match="no known crystal has the ratio 5:7"):
        generator.generate([Condition(composition={"Ti": 7, "O": 5})], [0])
    with pytest.raises(NucleateError, match="no known crystal has Si"):
        generator.generate([Condition(composition={"Si": 1, "O": 2})], [0])
    with pytest.raises(NucleateError, match="no known structure type of TiO2 fits into 3 atoms"):
        generator.generate([Condition(composition={"Ti": 1, "O": 2})], [0])


def test_hidden_crystals_are_not_drawn(generator):
    view = generator.library.hidden(formulas=[{"Mg": 1, "O": 1}, {"Na": 1, "Cl": 1}, {"Li": 1, "Cl": 1}])
    assert generator.uses_library
    with pytest.raises(NucleateError, match="no known crystal has Mg"):
        generator.with_library(view).generate([Condition(composition={"Mg": 1, "O": 1})], [0])
