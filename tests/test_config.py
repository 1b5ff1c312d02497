import dataclasses
from pathlib import Path

import pytest

from nucleate.config import NetworkConfig, Recipe, load_recipe, recipe_from_json, recipe_to_json
from nucleate.errors import NucleateError

RECIPES = sorted((Path(__file__).parent.parent / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_loads_and_carries_its_file_name(path):
    assert load_recipe(path).name == path.stem


def test_there_are_recipes():
    assert {"mp20-csp", "mp20-dng"} <= {p.stem for p in RECIPES}


def test_json_round_trip_is_exact():
    recipe = Recipe("x", "dng", network=NetworkConfig(dim=64, condition_on=("chemical_system",)))
    assert recipe_from_json(recipe_to_json(recipe)) == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\n[network]\ndimension = 3', "unknown key 'network.dimension'; known here: attention,"),
        ('name = "x"\n[network]\ndim = "wide"', "'network.dim' must be int, not 'wide'"),
        ('name = "x"\ntask = "cook"', "'task' must be one of csp, dng, formula, property, not 'cook'"),
        ('name = "x"\nnetwork = 3', "'network' must be a table"),
        ('name = "x"\n[network]\ncondition_on = "a"', "must be a list"),
        ("task = 'csp'", "missing key 'name'"),
        ("name = ", "is not TOML"),
    ],
)
def test_a_wrong_recipe_is_refused_naming_file_and_key(tmp_path, text, message):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(NucleateError) as error:
        load_recipe(path)
    assert message in str(error.value) and "r.toml" in str(error.value)


def test_a_missing_recipe_is_one_line():
    with pytest.raises(NucleateError, match="no recipe at"):
        load_recipe("nowhere.toml")


def test_recipes_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe("x").name = "y"  # type: ignore[misc]
