"""Wyckoff patterns: equal for crystals of one structure type, whatever their setting and elements."""

from itertools import permutations

import numpy as np
import pytest

from nucleate.crystal.normalisers import normaliser
from nucleate.crystal.wyckoff import get_space_group
from nucleate.crystal.wyckoff_patterns import automorphisms, pattern_of


def places(number, *letters):
    table = get_space_group(number)
    return tuple(tuple(table.index(x) for x in own) for own in letters)


def test_perovskite_has_one_pattern_in_both_settings():
    first = pattern_of(221, places(221, "a", "b", "c"))
    second = pattern_of(221, places(221, "b", "a", "d"))
    assert first.pattern == second.pattern
    assert first.pattern.counts == (1, 1, 3)
    assert len(automorphisms(first.pattern)) == 1  # a cage of twelve and an octahedron are no alternatives


def test_the_slots_of_rock_salt_may_be_exchanged():
    assert set(automorphisms(pattern_of(225, places(225, "a", "b")).pattern)) == {(0, 1), (1, 0)}


def test_half_heusler_slots_are_three_and_one_of_them_is_special():
    """4a, 4b, 4c of F-43m: the element on the site between the others (4c) is the special one."""
    pattern = pattern_of(216, places(216, "a", "b", "c")).pattern
    special = [s for s in range(3) if all(p[s] == s for p in automorphisms(pattern))]
    assert len(automorphisms(pattern)) == 2 and len(special) == 1


def test_elements_on_general_positions_of_p1_are_all_alike():
    pattern = pattern_of(1, places(1, "a", "a", "a")).pattern
    assert set(automorphisms(pattern)) == set(permutations(range(3)))


@pytest.mark.parametrize("number", [2, 14, 62, 136, 194, 225])
def test_every_setting_and_order_of_elements_gives_the_same_pattern(number):
    rng = np.random.default_rng(number)
    table = get_space_group(number)
    for _ in range(5):
        own = [tuple(rng.integers(0, len(table.positions), rng.integers(1, 3)).tolist()) for _ in range(3)]
        wanted = pattern_of(number, tuple(own)).pattern
        moved = normaliser(number).letters[rng.integers(len(normaliser(number).letters))]
        order = rng.permutation(3)
        other = tuple(tuple(moved[list(own[i])].tolist()) for i in order)
        assert pattern_of(number, other).pattern == wanted


@pytest.mark.parametrize("number", [2, 62, 194, 216, 225])
def test_automorphisms_are_a_group(number):
    rng = np.random.default_rng(number)
    table = get_space_group(number)
    own = tuple((int(rng.integers(0, len(table.positions))),) for _ in range(3))
    every = set(automorphisms(pattern_of(number, own).pattern))
    for a in every:
        assert tuple(int(i) for i in np.argsort(a)) in every
        assert all(tuple(a[i] for i in b) in every for b in every)
