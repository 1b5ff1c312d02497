"""Template prediction on a small library made by hand."""

import itertools

import numpy as np
import pytest
from pymatgen.core import Composition, Lattice, Structure

from nucleate.chem.distance import cumulative_profiles, element_movers_distance
from nucleate.chem.elements import atomic_number
from nucleate.errors import NucleateError
from nucleate.generators.base import Condition
from nucleate.generators.substitute import assign_elements, element_distances, supercell_of, volume_ratio
from nucleate.generators.template import TemplateGenerator
from nucleate.generators.template_library import (
    count_ratio,
    dataset_templates,
    library_from_structures,
    load_template_library,
)
from nucleate.testing.contracts import check_structure_generator


def rocksalt(a, x, length):
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(length), [a, x], [[0, 0, 0], [0.5, 0.5, 0.5]])


def small_rocksalt(a, x, length):
    return rocksalt(a, x, length).get_primitive_structure()


def zincblende(a, x, length):
    return Structure.from_spacegroup("F-43m", Lattice.cubic(length), [a, x], [[0, 0, 0], [0.25, 0.25, 0.25]])


def caesium(a, x, length):
    return Structure.from_spacegroup("Pm-3m", Lattice.cubic(length), [a, x], [[0, 0, 0], [0.5, 0.5, 0.5]])


def perovskite(a, b, x, length):
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    return Structure.from_spacegroup("Pm-3m", Lattice.cubic(length), [a, b, x], sites)


KNOWN = [
    ("halite", rocksalt("Na", "Cl", 5.64)),
    ("sylvite", rocksalt("K", "Cl", 6.29)),
    ("griceite", small_rocksalt("Li", "F", 4.03)),
    ("sphalerite", zincblende("Zn", "S", 5.41)),
    ("cscl", caesium("Cs", "Cl", 4.12)),
    ("bto", perovskite("Ba", "Ti", "O", 4.0)),
    ("antiperovskite", perovskite("O", "Li", "Ca", 4.5)),
]
LIBRARY = library_from_structures(KNOWN)


def test_grouped_by_ratio():
    assert {key: sorted(LIBRARY.ids[i] for i in rows) for key, rows in LIBRARY.by_ratio.items()} == {
        (1, 1): ["cscl", "griceite", "halite", "sphalerite", "sylvite"],
        (1, 1, 3): ["antiperovskite", "bto"],
    }
    assert [LIBRARY.units(i) for i in range(4)] == [4, 4, 1, 4]
    assert LIBRARY.structure(0).composition.reduced_formula == "NaCl"


def test_the_nearest_formula_is_the_first_template():
    found = TemplateGenerator(LIBRARY, distinct=False).predict({"Rb": 1, "Cl": 1}, k=5)
    assert [p.template for p in found[:2]] == ["cscl", "sylvite"]  # neighbours of rubidium on both sides
    distances = [p.distance for p in found]
    assert distances == sorted(distances)
    assert found[1].distance == pytest.approx(element_movers_distance({"Rb": 1, "Cl": 1}, {"K": 1, "Cl": 1}))
    assert found[1].substitution == {"K": "Rb", "Cl": "Cl"} and found[1].template_formula == "KCl"
    assert found[1].structure.composition.reduced_formula == "RbCl" and found[1].space_group == 225
    assert found[1].similarity is None


def test_one_structure_type_is_one_answer():
    found = TemplateGenerator(LIBRARY).predict({"Rb": 1, "Br": 1}, k=5)
    assert [p.space_group for p in found] == [221, 225, 216]  # rock salt once, by its most similar compound
    many = TemplateGenerator(LIBRARY).predict_many([{"Rb": 1, "Br": 1}], k=5)[0]
    assert many.reason == "the given crystals have 3 structure types of the ratio 1:1 of RbBr"


def test_a_ratio_without_templates_is_named():
    generator = TemplateGenerator(LIBRARY)
    with pytest.raises(NucleateError, match="the given crystals have no structure of the ratio 1:2:5 of CaSi2O5"):
        generator.predict({"Ca": 1, "Si": 2, "O": 5})
    good, bad, huge = generator.predict_many([{"Li": 1, "Cl": 1}, {"Li": 1}, {"Li": 10**9, "O": 1}])
    assert good.predictions and good.reason and not bad.predictions
    assert bad.reason == "the given crystals have no structure of the ratio 1 of Li"
    assert huge.reason.startswith("the given crystals have no structure of the ratio 1:1000000000 of Li")


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ({}, "the formula is empty"),
        ({"Xx": 1, "O": 1}, "'Xx' is not an element"),
        ({"Fe": -1.0, "O": 1}, "must be a positive number"),
        ({"Fe": float("nan"), "O": 1}, "must be a positive number"),
        ({"Fe": 1e-6, "O": 1}, "no common measure"),
    ],
)
def test_what_is_no_formula_is_refused(formula, message):
    with pytest.raises(NucleateError, match=message):
        TemplateGenerator(LIBRARY).predict(formula)


def test_multiples_and_fractions_are_one_formula():
    predict = TemplateGenerator(LIBRARY).predict
    assert [p.template for p in predict({"K": 0.5, "F": 0.5})] == [p.template for p in predict({"F": 4, "K": 4})]


def test_a_prediction_does_not_depend_on_other_formulas():
    formulas = [{"Rb": 1, "Br": 1}, {"Sr": 1, "Zr": 1, "O": 3}, {"Mg": 1, "O": 1}, {"Rb": 1, "Br": 1}]
    for ranking in ("emd", "random"):
        generator = TemplateGenerator(LIBRARY, ranking, seed=3)
        together = [[p.template for p in found.predictions] for found in generator.predict_many(formulas)]
        assert together == [[p.template for p in generator.predict(f)] for f in formulas]


def test_the_best_assignment_not_the_greedy_one():
    """A greedy choice takes the most similar pair first, and its sum of distances is larger."""
    places = {s: element_distances()[atomic_number(s), atomic_number("He")] for s in ("Na", "Cs", "K", "Ca")}
    assert places["Cs"] < places["K"] < places["Na"] < places["Ca"]
    theirs, ours = (("Cs", 1), ("Na", 1)), (("Ca", 1), ("K", 1))
    pairs = assign_elements(theirs, ours)
    cost = element_distances()
    totals = [
        sum(cost[atomic_number(a), atomic_number(b)] for a, b in zip(("Cs", "Na"), order, strict=True))
        for order in itertools.permutations(("Ca", "K"))
    ]
    assert sum(cost[atomic_number(a), atomic_number(b)] for a, b in pairs.items()) == min(totals)
    with pytest.raises(NucleateError, match="the ratios differ"):
        assign_elements((("Cl", 1), ("Na", 1)), (("Cl", 2), ("Mg", 1)))


def test_only_elements_with_equal_counts_replace_each_other():
    found = assign_elements((("Ba", 1), ("O", 3), ("Ti", 1)), (("Ca", 3), ("N", 1), ("Sn", 1)))
    assert found["O"] == "Ca" and set(found) == {"Ba", "Ti", "O"}


def test_volumes():
    formula = {"Rb": 1, "Cl": 1}
    volumes = LIBRARY.atomic_volumes
    assert volumes.shape == (119,) and np.isnan(volumes[0]) and np.isnan(volumes[atomic_number("Rb")])
    # rubidium is not in the library, and its volume is not guessed
    note = TemplateGenerator(LIBRARY).predict(formula)[0]
    assert note.volume == 1 and "no atomic volume" in note.note
    scaled = TemplateGenerator(LIBRARY, distinct=False).predict({"K": 1, "F": 1})
    copied = TemplateGenerator(LIBRARY, volume="copy", distinct=False).predict({"K": 1, "F": 1})
    for s, c in zip(scaled, copied, strict=True):
        assert c.volume == 1 and not c.note
        assert c.structure.volume == pytest.approx(LIBRARY.structure(LIBRARY.ids.index(c.template)).volume)
        assert s.structure.volume / c.structure.volume == pytest.approx(s.volume)
        assert s.structure.frac_coords == pytest.approx(c.structure.frac_coords)
    assert volume_ratio((("Cl", 1), ("Na", 1)), {"Na": "K", "Cl": "Cl"}, volumes) > 1


def test_templates_can_be_left_out():
    own = TemplateGenerator(LIBRARY).predict({"Na": 1, "Cl": 1})[0]
    assert own.template == "halite" and own.distance == 0 and own.substitution == {"Na": "Na", "Cl": "Cl"}
    assert TemplateGenerator(LIBRARY, own=False).predict({"Na": 1, "Cl": 1})[0].template != "halite"
    without = TemplateGenerator(LIBRARY, exclude=["halite", "cscl"], distinct=False).predict({"Na": 1, "Cl": 1})
    assert {p.template for p in without} == {"sylvite", "griceite", "sphalerite"}
    only = TemplateGenerator(LIBRARY, own=False, exclude=["antiperovskite"])
    with pytest.raises(NucleateError, match="1:1:3 of BaTiO3 and another formula"):
        only.predict({"Ba": 1, "Ti": 1, "O": 3})


def test_elements_beyond_the_scale_are_refused_by_emd_only():
    with pytest.raises(NucleateError, match="without a place on the modified Pettifor scale"):
        TemplateGenerator(LIBRARY).predict({"Rf": 1, "O": 1})
    assert np.isnan(TemplateGenerator(LIBRARY, "random").predict({"Rf": 1, "O": 1})[0].distance)


def test_settings_are_checked():
    for settings, message in (
        ({"ranking": "best"}, "ranked by emd, metric, random"),
        ({"ranking": "metric"}, "needs a similarity network"),
        ({"volume": "big"}, "scaled, copy"),
    ):
        with pytest.raises(NucleateError, match=message):
            TemplateGenerator(LIBRARY, **settings)
    with pytest.raises(NucleateError, match="at least 1"):
        TemplateGenerator(LIBRARY).predict({"Na": 1, "Cl": 1}, k=0)
    with pytest.raises(NucleateError, match="no structures"):
        library_from_structures([])


class NoModel:
    """A similarity that prefers zinc sulphide."""

    def unknown(self, formula):
        return [s for s in formula if s == "Am"]

    def similarities(self, queries, known):
        return np.array([[0.9 if "Zn" in f else 0.1 for f in known] for _ in queries])


def test_ranked_by_a_model():
    generator = TemplateGenerator(LIBRARY, "metric", model=NoModel())
    found = generator.predict({"Na": 1, "Cl": 1})
    assert [p.template for p in found[:2]] == ["halite", "sphalerite"] and generator.name == "template-metric"
    assert [p.similarity for p in found[:2]] == [1.0, 0.9]  # the known crystal of the formula itself comes first
    with pytest.raises(NucleateError, match="no features of Am; rank by emd"):
        generator.predict({"Am": 1, "O": 1})


def test_the_contract_of_generators():
    generator = TemplateGenerator(LIBRARY, volume="copy")
    conditions = [Condition(composition={"Rb": 4, "Br": 4}), Condition(composition={"Sr": 2, "Zr": 2, "O": 6})]
    check_structure_generator(generator, conditions)
    (cell,) = generator.generate([Condition(composition={"Rb": 1, "Br": 1}, num_atoms=2)], [0])
    assert len(cell) == 2  # from a template with a cell as small as that


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Condition(), "none was given"),
        (Condition(composition={"Na": 1, "Cl": 1}, space_group=225), "cannot be asked for a space group"),
        (Condition(composition={"Na": 1, "Cl": 1}, properties={"e_form": -1.0}), "cannot be asked for e_form"),
        (Condition(composition={"Na": 1, "Cl": 1}, num_atoms=4), "has 2 atoms, not 4"),
        (Condition(composition={"Na": 1, "Cl": 1}, chemical_system=("Na", "K")), "contradict"),
        (Condition(composition={"Na": 2, "Cl": 7}), "the given crystals have no structure of the ratio 2:7 of Na2Cl7"),
    ],
)
def test_conditions_that_cannot_be_met(condition, message):
    with pytest.raises(NucleateError, match=message):
        TemplateGenerator(LIBRARY).generate([condition], [0])


def test_no_template_is_small_enough():
    library = library_from_structures([KNOWN[0]])  # four formula units
    with pytest.raises(NucleateError, match="no template of the ratio 1:1 of KBr fits into 2 formula units"):
        TemplateGenerator(library).generate([Condition(composition={"K": 2, "Br": 2})], [0])


def test_supercells_are_as_cubic_as_they_can_be():
    cell = supercell_of(Structure(Lattice.orthorhombic(2, 3, 10), ["Fe"], [[0, 0, 0]]), 6)
    assert len(cell) == 6 and sorted(cell.lattice.abc) == pytest.approx([6, 6, 10])


def test_names():
    assert count_ratio((("O", 3), ("Sr", 1))) == (1, 3)


def test_a_library_from_a_table(tmp_path):
    import pyarrow as pa

    from nucleate.data.write import table_from_items, write_crystal_table
    from nucleate.io import Named

    table, _ = table_from_items(Named(name, s, {"e_above_hull": 0.1 * i}) for i, (name, s) in enumerate(KNOWN))
    write_crystal_table(table, tmp_path / "known.parquet")
    library = dataset_templates(str(tmp_path / "known.parquet"), max_atoms=6)
    assert library.name == f"crystals of {tmp_path}/known.parquet (without 3 of more than 6 atoms)"
    assert library.ids == ("griceite", "cscl", "bto", "antiperovskite")  # the cubic cells of eight atoms are too large
    assert library.e_above_hull == pytest.approx([0.2, 0.4, 0.5, 0.6])
    assert library.structure(2).lattice.abc == pytest.approx((4, 4, 4), abs=1e-5)
    bare = table.select(["atomic_numbers", "frac_coords", "lengths", "angles"])
    write_crystal_table(pa.table(bare), tmp_path / "bare.parquet")
    unnamed = dataset_templates(str(tmp_path / "bare.parquet"))
    assert unnamed.ids[:2] == ("0", "1") and np.isnan(unnamed.e_above_hull).all()
    both = load_template_library(f"{tmp_path}/known.parquet+{tmp_path}/bare.parquet")
    assert len(both) == 14
    with pytest.raises(NucleateError, match="no crystal of up to 1 atoms"):
        load_template_library(str(tmp_path / "known.parquet"), max_atoms=1)
    with pytest.raises(NucleateError, match="no dataset 'nothing'"):
        load_template_library("nothing")


def test_of_one_formula_the_more_stable_crystal_comes_first(tmp_path):
    from nucleate.data.write import table_from_items, write_crystal_table
    from nucleate.io import Named

    items = [
        Named("high", caesium("Na", "Cl", 3.5), {"e_above_hull": 0.2}),
        Named("low", KNOWN[0][1], {"e_above_hull": 0.0}),
    ]
    write_crystal_table(table_from_items(items)[0], tmp_path / "two.parquet")
    found = TemplateGenerator(load_template_library(str(tmp_path / "two.parquet"))).predict({"K": 1, "Cl": 1})
    assert [p.template for p in found] == ["low", "high"]


@pytest.fixture(scope="module")
def known():
    return load_template_library("known")


def test_known_crystals_are_templates_of_any_size(known):
    generator = TemplateGenerator(known)
    names = {"Y3Al5O12": 230, "In2O3": 206, "LiFePO4": 62, "Mg2SiO4": 62, "CaSiO3": 2}
    for formula, group in names.items():
        composition = Composition(formula).get_el_amt_dict()
        found = generator.predict(composition, k=1)[0]
        assert found.distance == 0 and found.space_group == group and found.volume == 1
    assert len(generator.predict({"Y": 3, "Al": 5, "O": 12}, k=1)[0].structure) == 80  # garnets are large


def test_rows_of_known_crystals_say_what_their_entries_say(known):
    rows = known.of_ratio((1, 1, 3))
    heights = known.library.table.e_above_hull[rows]
    assert (np.diff(heights[~np.isnan(heights)]) >= 0).all() and len(rows) > 4000
    for row in rows[:: len(rows) // 20].tolist():
        crystal = known.structure(row)
        assert dict(known.formula(row)) == crystal.composition.reduced_composition.get_el_amt_dict()
        assert len(crystal) == known.units(row) * sum(n for _, n in known.formula(row))
        assert known.library[known.id(row)].row == row
    some = rows[:50]
    expected = cumulative_profiles([dict(known.formula(row)) for row in some.tolist()])
    assert known.profiles(some) == pytest.approx(expected, abs=1e-12)


def test_volumes_of_atoms_by_normal_equations_are_those_by_least_squares(known):
    """Of the oxides of two metals alone, where both ways are quick."""
    from scipy.optimize import nnls

    from nucleate.generators.known_templates import KnownTemplates
    from nucleate.library.filters import Filters

    library = known.library
    rows = Filters(system=("Li", "Fe", "O")).rows(library.table, None)
    others = np.setdiff1d(np.arange(len(library.table)), rows)
    found = KnownTemplates(library.without(others.tolist(), "others")).atomic_volumes
    atoms = {z: (library.table.elements[rows] == z) for z in (3, 8, 26)}
    counts = np.stack([(library.table.counts[rows] * of).sum(1) for of in atoms.values()], axis=1)
    expected = nnls(counts / library.table.volumes[rows, None], np.ones(len(rows)))[0]
    assert found[list(atoms)] == pytest.approx(expected, rel=1e-5) and np.isnan(found[11])


def test_a_hidden_crystal_does_not_come_back_as_a_template(known):
    """Hidden by its id: its twins of other ids are hidden too."""
    halite = {"Na": 1, "Cl": 1}
    first = TemplateGenerator(known).predict(halite, k=1)[0]
    assert first.space_group == 225 and first.distance == 0
    view = known.library.hidden(ids=[first.template])
    found = TemplateGenerator(load_template_library("known", view)).predict_many([halite], k=50)[0].predictions
    assert all(p.distance > 0 or p.space_group != 225 for p in found)
    assert any(p.space_group == 225 for p in found)  # rock salt is still a structure type, of other compounds
    none = known.library.hidden(formulas=[halite])
    assert all(p.distance > 0 for p in TemplateGenerator(load_template_library("known", none)).predict(halite, k=50))


def test_known_crystals_and_own_ones_together(tmp_path, known):
    from nucleate.data.write import table_from_items, write_crystal_table
    from nucleate.io import Named

    own = str(tmp_path / "own.parquet")
    write_crystal_table(table_from_items([Named("mine", zincblende("Na", "Cl", 6.5))])[0], tmp_path / "own.parquet")
    both = load_template_library(f"known+{own}")
    assert len(both) == len(known) + 1 and both.name == f"known crystals and crystals of {own}"
    found = TemplateGenerator(both).predict({"Na": 1, "Cl": 1}, k=50)
    mine = next(p for p in found if p.template == "mine")
    assert mine.distance == 0 and mine.space_group == 216 and found[0].space_group == 225
    without = TemplateGenerator(both).with_library(known.library.hidden(formulas=[{"Na": 1, "Cl": 1}]))
    own_alone = [p for p in without.predict({"Na": 1, "Cl": 1}, k=50) if p.distance == 0]
    assert without.uses_library and [p.template for p in own_alone] == ["mine"]
    with pytest.raises(NucleateError, match="known crystals are hidden, but the templates are those of"):
        load_template_library(own, known.library.hidden(ids=["mp-149"]))
