"""Recipes: every system refuses what it does not have, by name, and reads what older versions wrote."""

import json
from pathlib import Path

import pytest

from nucleate.errors import NucleateError
from nucleate.systems import SYSTEMS, load_recipe, recipe_from_json, recipe_to_json, system_of
from nucleate.systems.older import DEFAULTS
from nucleate.systems.reading import read_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_loads_and_carries_its_file_name(path):
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe_from_json(recipe_to_json(recipe)) == recipe
    assert isinstance(recipe, system_of(recipe).config)


def test_the_folder_of_recipes_is_not_empty():
    assert {"mp20-csp", "mp20-dng"} <= {p.stem for p in RECIPES}
    assert {load_recipe(p).system for p in RECIPES} == set(SYSTEMS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\n[network]\ndimension = 3', "unknown key 'network.dimension'; known here: attention,"),
        ('name = "x"\n[network]\ndim = "wide"', "'network.dim' must be int, not 'wide'"),
        ('name = "x"\ntask = "cook"', "'task' must be one of csp, dng, formula, property, not 'cook'"),
        ('name = "x"\nsystem = "joint"\ntask = "cook"', "'task' must be one of csp, dng, not 'cook'"),
        (
            'name = "x"\nsystem = "cook"',
            "'system' must be one of joint, unimat, compact, sites, formulas, property,",
        ),
        ('name = "x"\n[codec]\nkind = "cook"', "'codec.kind' must be one of joint, unimat, compact, sites, not 'cook'"),
        ('name = "x"\nnetwork = 3', "'network' must be a table"),
        ('name = "x"\n[network]\ncondition_on = "a"', "must be a list"),
        ("task = 'csp'", "missing key 'name'"),
        ("name = ", "is not TOML"),
    ],
)
def test_errors_name_file_and_key(tmp_path, text, message):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(NucleateError, match=message) as error:
        load_recipe(path)
    assert "r.toml" in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_is_named():
    with pytest.raises(NucleateError, match="no recipe at nowhere.toml"):
        load_recipe("nowhere.toml")


@pytest.mark.parametrize(
    ("system", "section", "knob", "message"),
    [
        ("joint", "codec", {"slots": 3}, "'codec.slots' is a setting of unimat, not of joint"),
        (
            "unimat",
            "codec",
            {"species_scale": "pettifor"},
            "'codec.species_scale' is a setting of compact, not of unimat",
        ),
        ("compact", "network", {"edges": 3}, "'network.edges' is a setting of sites, not of compact"),
        ("sites", "codec", {"vocabulary": "all"}, "'codec.vocabulary' is a setting of formulas, not of sites"),
        ("formulas", "network", {"predict": ["x"]}, "'network.predict' is a setting of property, not of formulas"),
        (
            "property",
            "sample",
            {"steps": 3},
            "'sample.steps' is a setting of joint, .* and bins, not of property",
        ),
        ("compact", "sample", {"corrector_steps": 0}, "is a setting of joint and sites, not of compact"),
        ("sites", "train", {"condition_dropout": 0.5}, "is a setting of joint, .*formulas and bins, not of sites"),
    ],
)
def test_a_setting_of_another_system_is_refused_by_name(system, section, knob, message):
    with pytest.raises(NucleateError, match=message):
        read_recipe({"name": "x", "system": system, section: knob})


def test_only_systems_with_two_tasks_take_the_setting_task():
    with pytest.raises(NucleateError, match="'task' is a setting of joint, unimat, compact and bins, not of sites"):
        read_recipe({"name": "x", "system": "sites", "task": "csp"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"system": "joint", "task": "dng"}, "'diffusion.species' must be"),
        ({"system": "joint", "diffusion": {"species": "uniform"}}, "'diffusion.species' must be"),
        ({"system": "unimat", "codec": {"lattice": "matrix"}}, "must be one of log-metric, parameters, not 'matrix'"),
        ({"system": "unimat", "network": {"widths": [8]}}, 'of the network of kind "dense", and has no effect here'),
        ({"system": "unimat", "network": {"kind": "dense", "seen": 8}}, 'of the network of kind "sparse"'),
        ({"system": "formulas", "diffusion": {"embedding_dim": 8}}, 'of words = "embedding", and has no effect here'),
        ({"system": "formulas", "network": {"self_conditioning": True}}, 'needs words = "embedding"'),
        ({"system": "formulas", "sample": {"sampler": "ddim"}}, "must be one of one-by-one, ancestral with words"),
        ({"system": "formulas", "network": {"condition_on": ["chemical_system"]}}, "no condition 'chemical_system'"),
        ({"system": "property", "network": {"predict": []}}, "'network.predict' must not be empty"),
        ({"system": "property"}, "missing key 'network'"),
        ({"system": "joint", "codec": {"num_elements": 200}}, "'codec.num_elements' must be at most 118"),
        ({"system": "joint", "sample": {"species_temperature": 0}}, "'sample.species_temperature' must be above 0"),
    ],
)
def test_contradicting_settings_are_refused(values, message):
    with pytest.raises(NucleateError, match=message) as refused:
        read_recipe({"name": "x"} | values)
    assert "\n" not in str(refused.value)


OLDER = [  # task and codec.kind of older recipes, and their system
    ("csp", "joint", "joint"),
    ("dng", "unimat", "unimat"),
    ("csp", "compact", "compact"),
    ("csp", "sites", "sites"),
    ("formula", "joint", "formulas"),
    ("property", "joint", "property"),
]


@pytest.mark.parametrize(("task", "kind", "system"), OLDER, ids=[o[2] for o in OLDER])
def test_the_metadata_of_older_weights_are_read(task, kind, system):
    """They list the knobs of all systems, at their defaults where nothing was set."""
    tables = {name: dict(table) for name, table in DEFAULTS.items()}
    tables["codec"]["kind"] = kind
    tables["network"] |= {"dim": 64, "predict": ["gap"] if task == "property" else []}
    older = {"name": "x", "task": task} | tables
    recipe = recipe_from_json(json.dumps(older))
    assert recipe.system == system and recipe.network.dim == 64
    tables["codec"]["vocabulary"] = (
        "all"  # a setting of formulas; it has no effect on other systems, but older weights with it must open
    )
    recipe = recipe_from_json(json.dumps(older))
    assert recipe.codec.vocabulary == "all" if system == "formulas" else recipe.system == system
    tables["codec"]["colour"] = "red"
    with pytest.raises(NucleateError, match=r"unknown key 'codec\.colour'"):
        recipe_from_json(json.dumps(older))


def test_older_weights_with_settings_of_the_other_kind_of_network_open():
    tables = {name: dict(table) for name, table in DEFAULTS.items()}
    tables["codec"]["kind"] = "unimat"
    tables["network"] |= {"kind": "dense", "layers": 2, "widths": [8, 16]}
    recipe = recipe_from_json(json.dumps({"name": "x", "task": "dng"} | tables))
    assert recipe.network.kind == "dense" and recipe.network.widths == (8, 16)


def test_older_recipes_of_users_are_read(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(
        'name = "x"\ntask = "dng"\n[codec]\nkind = "unimat"\nslots = 5\n[sample]\nsteps = 9\ncorrector_steps = 0\n'
    )
    recipe = load_recipe(path)  # corrector_steps never had an effect on UniMat, and older recipes set it
    assert (recipe.system, recipe.task, recipe.codec.slots, recipe.sample.steps) == ("unimat", "dng", 5, 9)
    path.write_text('name = "x"\ntask = "dng"\n[codec]\nkind = "compact"\nslots = 12\n')
    with pytest.raises(NucleateError, match="'codec.slots' is a setting of unimat, not of compact"):
        load_recipe(path)
