"""Random structure search: what it makes, that it can be repeated, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.crystal.assignments import compatible_space_groups
from nucleate.crystal.convert import atom_counts
from nucleate.crystal.geometry import closest_contacts
from nucleate.crystal.symmetry import space_group
from nucleate.crystal.wyckoff import get_space_group
from nucleate.errors import NucleateError
from nucleate.generators import Condition
from nucleate.generators.placing import expected_volume
from nucleate.generators.random_search import APART, VOLUMES, RandomSearch
from nucleate.testing.contracts import check_structure_generator

COMPOSITIONS = (
    {"Na": 1, "Cl": 1},
    {"Sr": 1, "Ti": 1, "O": 3},
    {"Mg": 2, "Al": 4, "O": 8},
    {"La": 1, "Fe": 3, "H": 7},  # odd numbers, of which few groups are possible
    {"Cs": 1},
)


@pytest.fixture(scope="module")
def search() -> RandomSearch:
    return RandomSearch()


def test_random_search_keeps_the_contract(search: RandomSearch) -> None:
    check_structure_generator(search, [Condition(composition=c) for c in COMPOSITIONS[:2]])


def test_sensible_structures(search: RandomSearch) -> None:
    conditions = [Condition(composition=c) for c in COMPOSITIONS for _ in range(4)]
    structures = search.generate(conditions, range(len(conditions)))
    drawn = set()
    for condition, structure in zip(conditions, structures, strict=True):
        record = structure.properties["random_search"]
        assert closest_contacts(structure, 0.8)[1].ratio >= APART - 1e-5
        assert VOLUMES[0] <= record["volume"] <= VOLUMES[1]
        expected = record["final_volume"] * expected_volume(condition.composition or {})
        assert structure.volume == pytest.approx(expected, rel=1e-3)
        assert record["final_volume"] >= record["volume"] - 1e-3
        assert 1 <= record["attempts"] <= 5
        numbers = space_group(structure, symprec=1e-3)[0], record["space_group"]
        found, asked = (get_space_group(n).order for n in numbers)
        assert found >= asked  # special positions may have more symmetry than the group drawn
        drawn.add(record["space_group"])
    assert len(drawn) > 8


def test_the_global_random_state_is_not_used(search: RandomSearch) -> None:
    condition = Condition(composition={"Li": 2, "Fe": 1, "O": 3})
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    first = search.generate([condition], [3])
    assert (np.random.get_state()[1] == before).all()
    np.random.seed(2)
    assert search.generate([condition], [3]) == first


@pytest.mark.parametrize("number", [2, 62, 225, 166, 38, 230])
def test_a_space_group_is_honoured(search: RandomSearch, number: int) -> None:
    composition = {"Ca": 8, "O": 16} if number == 230 else {"Ca": 4, "F": 8} if number == 62 else {"Ca": 1, "F": 2}
    condition = Condition(composition=composition, space_group=number)
    for structure in search.generate([condition] * 2, [1, 2]):
        record = structure.properties["random_search"]
        assert record["space_group"] == record["first_space_group"] == number
        assert atom_counts(structure) == composition
        found = space_group(structure, symprec=1e-3)[0]
        assert found == number or get_space_group(found).order >= get_space_group(number).order
        assert closest_contacts(structure, 0.8)[1].ratio >= APART - 1e-5


def test_atoms_that_cannot_be_placed_are_an_error(search: RandomSearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nucleate.generators.random_search.place_atoms", lambda *_: None)
    with pytest.raises(NucleateError, match="the atoms of Ca1 F2 could not be placed in space group 225"):
        search.generate([Condition(composition={"Ca": 1, "F": 2}, space_group=225)], [0])


def test_groups_that_can_hold_a_composition() -> None:
    assert 225 in compatible_space_groups((("Na", 1), ("Cl", 1))) and 62 not in compatible_space_groups(
        (("Na", 1), ("Cl", 1))
    )
    assert 1 in compatible_space_groups((("Y", 1), ("Ba", 2), ("Cu", 3), ("O", 7)))
    for number in (1, 62, 166, 225, 227):
        rotations = get_space_group(number).rotations
        assert len(rotations) == {1: 1, 62: 8, 166: 12, 225: 48, 227: 48}[number]
        assert np.abs(np.linalg.det(rotations)) == pytest.approx(1)


def test_formula_units_follow_the_sizes_of_known_crystals() -> None:
    sizes, perovskite = [0] * 21, {"Sr": 1, "Ti": 1, "O": 3}
    sizes[10] = 5
    assert {RandomSearch(sizes).draw_formula_units(perovskite, seed) for seed in range(20)} == {2}
    assert RandomSearch().draw_formula_units({"O": 22}, 0) == 1
    assert {RandomSearch().draw_formula_units(perovskite, seed) for seed in range(40)} == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Condition(), "needs a formula"),
        (Condition(composition={"Xx": 1}), "'Xx' is not an element"),
        (Condition(composition={"Bk": 1}), "Bk has no radius"),
        (Condition(composition={"Og": 1}), "Og has no radius"),
        (Condition(composition={"Na": 0}), "whole numbers above 0"),
        (Condition(composition={"Na": 0.5}), "whole numbers above 0"),  # type: ignore[dict-item]
        (Condition(composition={"Na": 61}), "1 to 60 atoms, not 61"),
        (Condition(composition={"Na": 1}, num_atoms=2), "1 atoms, not 2"),
        (Condition(composition={"Na": 1}, chemical_system=("K",)), "contradict"),
        (Condition(composition={"Na": 1}, space_group=0), "1 to 230, not 0"),
        (
            Condition(composition={"Na": 1, "Cl": 1}, space_group=62),
            "Na1 Cl1 in .*cells of 4, 8, 12, 16 times",
        ),
        (Condition(composition={"Na": 1}, properties={"band_gap": 1.0}), "cannot be asked for band_gap"),
        (Condition(composition={"Na": 1}, lattice_shape="cubic"), "cannot be asked for a lattice shape"),
    ],
)
def test_impossible_conditions_are_refused(search: RandomSearch, condition: Condition, message: str) -> None:
    with pytest.raises(NucleateError, match=message) as caught:
        search.generate([condition], [0])
    assert "\n" not in str(caught.value)
