"""Choices of sites that can be completed: held against an enumeration of all ways (`crystal.assignments`)."""

from math import gcd

import pytest
from every_way import every_way

from nucleate.chem.elements import element_symbol
from nucleate.crystal.assignments import Assignments, compatible_space_groups
from nucleate.crystal.decorated import DecoratedPrototype, in_writing_order
from nucleate.crystal.feasible import CANONICAL_GROUPS, PartialSites, groups_that_hold
from nucleate.crystal.wyckoff import get_space_group


@pytest.mark.parametrize("composition", [{"Na": 1}, {"Na": 1, "Cl": 1}, {"Ti": 1, "O": 2}, {"Sr": 1, "Ti": 1, "O": 3}])
def test_space_groups_are_those_that_can_hold_the_atoms(composition):
    counts = tuple(sorted(composition.values()))
    expected = set(compatible_space_groups(tuple(composition.items()))) & set(CANONICAL_GROUPS)
    assert set(groups_that_hold(counts)) == expected


@pytest.mark.parametrize(
    ("number", "composition"),
    [
        (47, {"Na": 1, "Cl": 1}),
        (221, {"Sr": 1, "Ti": 1, "O": 3}),
        (225, {"Na": 2, "Cl": 2}),
        (62, {"Fe": 4, "O": 8}),
        (14, {"Zr": 2, "O": 4}),
        (2, {"Na": 3, "Cl": 3}),
        (216, {"Li": 1, "Mg": 1, "P": 1}),
        (187, {"W": 1, "S": 2}),
    ],
)
def test_every_way_is_found_once_and_no_way_is_a_dead_end(number, composition):
    elements, reduced = in_writing_order(composition)
    start = PartialSites(reduced, units=gcd(*composition.values())).decided(number)
    letters = [p.letter for p in get_space_group(number).positions]
    symbols = [element_symbol(z) for z in elements]
    found = [
        tuple(sorted((s, letters[i]) for s, own in zip(symbols, state.places, strict=True) for i in own))
        for state in every_way(start, 52)
    ]
    assert len(found) == len(set(found))
    assert set(found) == {tuple(sorted(a)) for a in Assignments(number, composition)}


def test_positions_without_a_choice_are_taken_at_once():
    start = PartialSites((1, 1, 3), units=1).decided(221)
    after = start.decided(0).after_forced(52)
    assert after.places[:2] == ((0,), (1,))  # titanium has one place left
    assert not after.done and len(after.choices(52)) == 2  # oxygen on 3c or 3d


def test_a_decorated_prototype_is_the_same_in_every_setting():
    a = DecoratedPrototype.of(221, {38: [0], 22: [1], 8: [2]})
    b = DecoratedPrototype.of(221, {8: [3], 38: [1], 22: [0]})
    other = DecoratedPrototype.of(221, {38: [1], 22: [0], 8: [2]})
    assert a == b != other
    assert a.composition == {"Sr": 1, "Ti": 1, "O": 3} and a.units == 1
    assert {(a.space_group, p) for p in b.settings()} == {(b.space_group, p) for p in a.settings()}
    assert a.sites == (("O", "c"), ("Sr", "a"), ("Ti", "b"))


def test_cells_repeat_only_as_far_as_they_may():
    assert PartialSites((1, 2)).choices(9) == (1, 2, 3)
