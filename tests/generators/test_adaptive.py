"""Adaptive cells from a tiny model: conditions are met exactly, whatever the network predicts."""

import dataclasses

import pytest
import torch
from small_library import small_library
from tiny_sites import UNITS, tiny_sites

from nucleate.crystal.asymmetric import AsymmetricUnit, Site, asymmetric_unit, symmetric_batch
from nucleate.crystal.convert import structures_from_batch
from nucleate.crystal.merge import merge_images
from nucleate.crystal.orbits import expand_orbits
from nucleate.crystal.symmetry import space_group
from nucleate.crystal.wyckoff import get_space_group
from nucleate.errors import NucleateError
from nucleate.generators import Condition, load_generator
from nucleate.generators.adaptive import RECORD
from nucleate.generators.contract import require_accepted
from nucleate.generators.symmetry_chooser import settings_of_sites
from nucleate.testing.contracts import check_structure_generator

SRTIO3 = {"Sr": 1, "Ti": 1, "O": 3}
COMPOSITIONS = [SRTIO3, {"Sr": 2, "O": 2}, {"Ti": 2, "O": 4}, {"Li": 4, "Ti": 4, "O": 8}]


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    return load_generator(tiny_sites(tmp_path_factory.mktemp("sites")))


def test_the_contract_of_generators(generator):
    check_structure_generator(generator, [Condition(composition=c) for c in COMPOSITIONS[:2]], tolerance=5e-3)


def counts(structure) -> dict[str, int]:
    return {e.symbol: int(n) for e, n in structure.composition.items()}


@pytest.mark.parametrize("number", [1, 2, 14, 12, 62, 139, 166, 194, 221, 225, 227])
def test_every_sample_has_its_group_and_its_composition(generator, number):
    able = []
    for composition in COMPOSITIONS:
        condition = Condition(composition=composition, space_group=number)
        try:
            generator.check(condition)
        except NucleateError:
            continue
        able.append(condition)
    assert able
    for condition, crystal in zip(able * 2, generator.generate(able * 2, range(len(able) * 2)), strict=True):
        assert counts(crystal) == condition.composition
        assert crystal.properties[RECORD]["space_group"] == number
        found, _ = space_group(crystal, 1e-3)
        assert found == number or get_space_group(found).order >= get_space_group(number).order


def test_sites_are_met_where_the_composition_is_open(generator):
    condition = Condition(sites={"Sr": 1, "Ti": 2}, space_group=62)
    crystals = generator.generate([condition] * 6, range(6))
    for crystal in crystals:
        labels = crystal.properties[RECORD]["sites"]
        assert sorted(label.split()[0] for label in labels) == ["Sr", "Ti", "Ti"]
        assert set(counts(crystal)) == {"Sr", "Ti"} and len(crystal) <= 20
    both = Condition(composition={"Sr": 4, "Ti": 8}, sites={"Sr": 1, "Ti": 2}, space_group=62)
    (crystal,) = generator.generate([both], [0])
    assert counts(crystal) == both.composition and len(crystal.properties[RECORD]["sites"]) == 3


def test_open_fields_are_drawn_with_the_frequencies_of_training_crystals(generator):
    options = generator.choices.options(Condition(composition=SRTIO3))
    odds = {a.space_group: p for a, p in options}
    assert sum(odds.values()) == pytest.approx(1) and max(odds, key=odds.get) == 221
    assert set(odds) <= {u.space_group for u in UNITS}
    options = generator.choices.options(Condition(sites={"Ti": 1, "O": 1}, space_group=136))
    best, _ = max(options, key=lambda option: option[1])
    assert dict(best.atoms) == {"Ti": 2, "O": 4}
    assert set(generator.choices.common(6)) == {u.space_group for u in UNITS}


def test_a_chemical_system_alone_is_filled_as_known_crystals_are(generator):
    wanted = Condition(chemical_system=("Ti", "O", "Sr"), space_group=221)
    crystals = generator.generate([wanted] * 8, range(8))
    for crystal in crystals:
        assert set(counts(crystal)) == {"Sr", "Ti", "O"} and len(crystal) <= 20
        assert crystal.properties[RECORD]["space_group"] == 221
    assert sum(counts(c) == SRTIO3 for c in crystals) >= 4  # these cubic perovskites have the most similar elements
    six = Condition(chemical_system=("Li", "O", "Sr", "Ti"), space_group=230)
    with pytest.raises(NucleateError, match=r"in space group Ia-3d \(230\) says where.* as in Li:1,O:1,Sr:1,Ti:1"):
        generator.check(six)


def test_one_of_several_space_groups_is_drawn_as_known_crystals_have_them(generator):
    unit = Condition(composition=SRTIO3)
    drawn = [generator.draw_space_group(unit, (62, 221, 230), seed) for seed in range(60)]
    assert set(drawn) == {62, 221} and drawn == [generator.draw_space_group(unit, (62, 221, 230), s) for s in range(60)]
    cell = dataclasses.replace(unit, num_atoms=5)
    assert {generator.draw_space_group(cell, (62, 221, 230), seed) for seed in range(20)} == {221}
    system = Condition(chemical_system=("Sr", "O"))
    assert 225 in {generator.draw_space_group(system, (225, 62), seed) for seed in range(20)}
    with pytest.raises(NucleateError, match="none of the 2 space groups asked for can have Sr1 Ti1 O3"):
        generator.draw_space_group(cell, (62, 230), 0)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (Condition(), "and none was given"),
        (Condition(composition=SRTIO3, space_group=231), "1 to 230, not 231"),
        (
            Condition(composition=SRTIO3, space_group=62),
            r"Pnma \(62\) has no Wyckoff positions for Sr1 Ti1 O3.*cells of 4 times",
        ),
        (Condition(composition=SRTIO3, space_group=230), "groups that have, the commonest first: P-1"),
        (
            Condition(composition={"Ti": 2, "O": 4}, sites={"Ti": 2, "O": 4}, space_group=136),
            "it can with 2 sites in all",
        ),
        (Condition(sites={"Sr": 3, "O": 3}, space_group=62), "has 4, 8 atoms; ask for fewer sites"),
        (Condition(sites={"Sr": 1, "O": 1}, num_atoms=4), "only together with a formula"),
        (
            Condition(composition=SRTIO3, sites={"Sr": 1, "O": 1}),
            "composition has Sr, Ti, O, but sites are given for Sr, O",
        ),
        (Condition(composition={"Fe": 1, "O": 1}), "never saw Fe"),
        (Condition(composition={"Sr": 21}), "1 to 20 atoms, not 21"),
        (Condition(composition=SRTIO3, lattice_shape="cubic"), "cannot be asked for a lattice shape"),
    ],
)
def test_the_impossible_is_refused_with_what_is_possible(generator, condition, words):
    with pytest.raises(NucleateError, match=words):
        require_accepted(generator, [condition])


def test_annealed_langevin_dynamics_draws_too(generator):
    settings = generator.settings.changed(
        sampler="langevin", corrector_steps=2, corrector_size=1e-5, lattice_noise=0.15
    )
    slow = type(generator)(generator.model, generator.info, settings=settings)
    (crystal,) = slow.generate([Condition(composition=SRTIO3, space_group=221)], [0])
    assert counts(crystal) == SRTIO3


def test_images_on_top_of_each_other_are_one_atom():
    near = AsymmetricUnit(
        62, (5.4, 7.6, 5.3, 90, 90, 90), (Site(38, "c", (0.03, 0.49)), Site(8, "d", (0.29, 0.256, 0.71)))
    )
    (structure,) = structures_from_batch(expand_orbits(symmetric_batch([near])).crystals)
    merged = merge_images(structure)
    assert (counts(structure)["O"], counts(merged)["O"]) == (8, 4)
    assert [s.letter for s in asymmetric_unit(merged, 1e-3).sites] == ["c", "c"]
    assert merge_images(merged) is merged
    assert torch.tensor(merged.distance_matrix).fill_diagonal_(9).min() > 1


def test_known_crystals_that_are_hidden_are_no_precedents(generator, tmp_path):
    library = small_library(tmp_path)
    every, none = generator.with_library(library), generator.with_library(library.hidden(dataset="mp-20:train"))
    wanted = Condition(composition={"Sr": 1, "Ti": 1, "O": 3})
    assert generator.uses_library and generator.library is None and every.choices is not none.choices
    assert sum(every.choices.proposed(wanted).values()) > sum(none.choices.proposed(wanted).values()) > 0
    hidden = library.hidden(formulas=[{e: 1, "Ti": 1, "O": 3} for e in ("Sr", "Ba", "Ca")])
    assert not generator.with_library(hidden).choices.proposed(wanted)


def test_letters_are_those_that_the_model_knows(generator):
    swapped = (("O", "d"), ("Sr", "b"), ("Ti", "a"))  # a perovskite about another origin
    usual = (("O", "c"), ("Sr", "a"), ("Ti", "b"))
    assert generator.choices.usual_setting(221, swapped) == (221, usual)
    assert set(settings_of_sites(221, swapped)) == {swapped, usual}
    assert settings_of_sites(1, (("O", "a"),)) == ((("O", "a"),),)
