"""Retrieved structure types as answers: each crystal once, and several geometries where much is free."""

import pytest

from nucleate.crystal.same_crystal import is_same_crystal, prepare_for_comparison
from nucleate.retrieval.merging import LEAST, LOOSE, OTHER, distinct
from nucleate.retrieval.retrieve import RetrievedPrototype, RetrievedRelative
from tests.helpers.small_library import disordered, perovskite, rutile, small_library

SPECIES = ["Li"] * 2 + ["Fe"] * 2 + ["O"] * 4
SAME = {e: e for e in ("Sr", "Ti", "O", "Li", "Fe")}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    crystals = [
        (1, perovskite("Sr", "Ti", "O", 3.905), {}),
        (2, perovskite("Sr", "Ti", "O", 3.93, shift=0.0077), {}),
        (3, disordered(1, SPECIES), {}),
        (4, disordered(2, SPECIES), {}),
        (5, disordered(1, SPECIES, 6.35), {}),
        (6, rutile("Ti", "O"), {}),
    ]
    return small_library(tmp_path_factory.mktemp("library"), crystals)


def answer(library, probability, free, *numbers):
    relatives = tuple(RetrievedRelative(library[f"mp-{n}"], SAME, 1.0, 1.0) for n in numbers)
    return RetrievedPrototype(
        probability, relatives[0].entry.space_group, relatives[0].entry.num_atoms, free, relatives
    )


def test_two_structure_types_that_are_one_crystal_are_one_answer(library):
    found = distinct([answer(library, 0.5, 0, 1), answer(library, 0.3, 1, 2), answer(library, 0.1, 1, 6)])
    assert [p.relatives[0].entry.id for p in found] == ["mp-1", "mp-6"]
    assert [p.probability for p in found] == pytest.approx([0.8, 0.1])


def test_a_crystal_may_come_first_by_the_votes_of_its_twin(library):
    found = distinct([answer(library, 0.4, 1, 6), answer(library, 0.3, 0, 1), answer(library, 0.25, 1, 2)])
    assert [p.relatives[0].entry.id for p in found] == ["mp-1", "mp-6"]


def test_improbable_answers_are_compared_with_those_of_their_structure_type(library):
    (found,) = distinct([answer(library, 0.9, 0, 1), answer(library, LEAST / 2, 0, 1)])
    assert found.probability == pytest.approx(0.9 + LEAST / 2)


def test_another_geometry_of_a_loose_structure_type_is_an_answer_of_its_own(library):
    (first, second) = distinct([answer(library, 0.5, LOOSE, 3, 5, 4)])
    assert first.probability == pytest.approx(0.5 * (1 - OTHER)) and second.probability == pytest.approx(0.5 * OTHER)
    assert second.relatives[0].entry.id == "mp-4"  # mp-5 is the same crystal as mp-3
    assert not is_same_crystal(*(prepare_for_comparison(p.structure()) for p in (first, second)), None)


def test_a_structure_type_that_leaves_little_free_has_one_geometry(library):
    assert len(distinct([answer(library, 0.5, LOOSE - 1, 3, 4)])) == 1
