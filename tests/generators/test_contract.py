"""Every generator of this package honours a field of a condition, or refuses it in one line."""

import dataclasses

import pytest
from papers import of_papers
from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.generators import Condition, load_formula_generator, load_generator
from nucleate.generators.contract import CONDITION_FIELDS, IMPLIED_BY_COMPOSITION, missing_attributes, require_accepted
from nucleate.generators.defaults import BaseGenerator
from nucleate.generators.planning import plan_condition
from nucleate.generators.random_search import RandomSearch
from nucleate.generators.registry import GENERATORS, get_formula_generator, get_generator, require_generator
from nucleate.generators.template import TemplateGenerator
from nucleate.generators.template_library import library_from_structures
from nucleate.plugins import _import
from nucleate.request.request import Request
from nucleate.testing.contracts import EXAMPLES, check_refusals, check_structure_generator

SALT = Structure.from_spacegroup(225, Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
LARGE = Structure.from_spacegroup(62, Lattice.orthorhombic(6, 4, 8), ["Na", "Cl"], [[0.1, 0.25, 0.2], [0.4, 0.25, 0.6]])


class Boxes(BaseGenerator[Structure]):
    """The smallest possible generator."""

    name = "boxes"

    def draw(self, conditions, seeds, progress=None):
        species = [[e for e, n in c.composition.items() for _ in range(n)] for c in conditions]
        return [
            Structure(Lattice.cubic(4 + s % 7), z, [[i / len(z)] * 3 for i in range(len(z))])
            for z, s in zip(species, seeds, strict=True)
        ]


FORMULAS = "diffusion-bert-all", "diffusion-lm"
WEIGHTS = "mp20-csp", "mp20-dng", "mp20-cds", "mp20-sites"
PAPERS = "mp20-unimat", "mp20-unimat-csp", "compact-csp"
NAMES = [
    "random",
    "retrieval",
    "template",
    "prototype",
    "boxes",
    *WEIGHTS,
    FORMULAS[0],
    *of_papers(*PAPERS, FORMULAS[1]),
]
MADE = {
    "random": RandomSearch,
    "template": lambda: TemplateGenerator(library_from_structures([("salt", SALT), ("large", LARGE)]), distinct=False),
    "retrieval": lambda: GENERATORS.make("retrieval"),
    "prototype": lambda: GENERATORS.make("prototype"),
    "boxes": Boxes,
}


class Made(dict):
    """Generators by name, made when they are first asked for."""

    def __missing__(self, name):
        load = load_formula_generator if name in FORMULAS else load_generator
        self[name] = MADE[name]() if name in MADE else load(name)
        return self[name]


@pytest.fixture(scope="module")
def generators():
    return Made()


def test_there_is_an_example_of_every_field():
    assert set(EXAMPLES) == set(CONDITION_FIELDS) == {f.name for f in dataclasses.fields(Condition)}


@pytest.mark.parametrize("name", NAMES)
def test_a_field_is_honoured_or_refused(generators, name):
    assert not missing_attributes(generators[name])
    check_refusals(generators[name])


def test_fields_that_a_composition_implies_are_compared_with_it(generators):
    salt = {"Na": 1, "Cl": 1}
    implied = {"chemical_system": ("Cl", "Na"), "num_atoms": 2, "contains": ("Na",), "exclude": ("K",)}
    agreeing = Condition(composition=salt, num_elements=2, **implied)
    against = {"contains": ("K",), "exclude": ("Na",), "num_elements": 3, "num_atoms": 3, "chemical_system": ("Na",)}
    assert set(against) == IMPLIED_BY_COMPOSITION
    for name in ("random", "retrieval", "template", "prototype", "mp20-csp", "mp20-sites"):
        require_accepted(generators[name], [agreeing])
        for field, value in against.items():
            with pytest.raises(NucleateError, match=r"contradict|composition|excluded"):
                require_accepted(generators[name], [Condition(composition=salt, **{field: value})])


def test_all_conditions_are_checked_before_any_work():
    boxes, drawn = Boxes(), []
    boxes.draw = lambda *_: drawn.append(1)
    with pytest.raises(NucleateError, match="boxes cannot be asked for a space group"):
        boxes.generate([Condition(composition={"Na": 1}), Condition(composition={"K": 1}, space_group=1)], [0, 1])
    assert not drawn


def test_a_plan_draws_what_is_left_open():
    wishes = Request("", 1, composition={"Ti": 1, "O": 2}, num_atoms=(10, None), properties={"gap": (1.0, 2.0)})
    plans = [plan_condition(wishes, seed) for seed in range(20)]
    assert all(p.composition == {"Ti": 4, "O": 8} and 1 <= p.properties["gap"] <= 2 for p in plans)
    assert len({p.properties["gap"] for p in plans}) == 20
    some = Request("", 1, space_groups=(221, 225, 62), num_atoms=(3, 5), contains=("Li",))
    plans = [plan_condition(some, seed) for seed in range(60)]
    assert {p.space_group for p in plans} == {221, 225, 62} and {p.num_atoms for p in plans} == {3, 4, 5}
    assert plans == [plan_condition(some, seed) for seed in range(60)] and plans[0].contains == ("Li",)
    with pytest.raises(NucleateError, match="hardly any cells are made of 3 to 5 atoms"):
        plan_condition(some, 0, size=lambda *_: 9)


def test_the_smallest_generator_keeps_the_contract():
    check_structure_generator(Boxes(), [Condition(composition={"Na": 1}), Condition(composition={"Mg": 1, "O": 2})])


def test_prototypes_and_methods_keep_the_contract(generators):
    conditions = [Condition(composition={"Sr": 2, "Ti": 2, "O": 6}), Condition(composition={"Mg": 4, "Al": 8, "O": 16})]
    check_structure_generator(generators["prototype"], conditions, varies=False)
    with pytest.raises(NucleateError, match="Sr3Ti3O9 fits no|SrTiO3 fits no crystal family in a cell of 11|fits no"):
        generators["prototype"].generate([Condition(composition={"Na": 5, "K": 4, "O": 2})], [0])


def test_generators_by_name():
    assert all(callable(_import(target)) for target in GENERATORS.own.values())
    assert get_generator("random").sizes == RandomSearch(get_generator("mp20-csp").info.num_atoms_counts).sizes
    assert get_formula_generator("diffusion-bert-all").name == "diffusion-bert-all"
    for name in ("random", "mp20-dng"):
        require_generator(name)
    with pytest.raises(NucleateError, match=r"^no weights 'nothing'; shipped: .*; or give a file$"):
        require_generator("nothing")
    with pytest.raises(NucleateError, match="random has no guidance scale to be set; leave it out"):
        get_generator("random", steps=None, guidance_scale=2.0)
    with pytest.raises(NucleateError, match="the generator 'random' makes structures, not formulas"):
        get_formula_generator("random")
