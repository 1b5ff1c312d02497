"""Reading of recipes from files, and their conversion to and from the metadata of weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nucleate.config import complaint, keys_at, read_toml
from nucleate.errors import NucleateError
from nucleate.systems.older import updated_recipe
from nucleate.systems.recipe import Recipe
from nucleate.systems.registry import SYSTEMS


def load_recipe(path: str | Path) -> Recipe:
    """The recipe in a TOML file. Raises NucleateError that names the file and the key."""
    values = read_toml(path)
    try:
        return read_recipe(values if "system" in values else updated_recipe(values, _settings_of, complete=False))
    except NucleateError as error:
        raise NucleateError(f"{path}: {error}") from None


def read_recipe(values: Mapping[str, Any]) -> Recipe:
    """A recipe from its tables. Raises NucleateError for an unknown system, and for a setting that the system does not
    have, with the names of the systems that have it."""
    name = values.get("system")
    if not isinstance(name, str) or name not in SYSTEMS:
        raise NucleateError(f"'system' must be one of {', '.join(SYSTEMS)}, not {name!r}")
    config = SYSTEMS[name].config
    for key in (key for section in values for key in _keys(values, section)):
        owners = [other for other, system in SYSTEMS.items() if _has(system.config, key)]
        if owners and name not in owners:
            raise NucleateError(f"'{'.'.join(key)}' is a setting of {_listed(owners)}, not of {name}")
    try:
        return config.parsed(values)
    except ValidationError as error:
        raise NucleateError(complaint(config, error)) from None


def recipe_to_json(recipe: Recipe) -> str:
    """A recipe as one line of JSON; `recipe_from_json` gives back an equal recipe."""
    return json.dumps(recipe.model_dump(mode="json"))


def recipe_from_json(text: str) -> Recipe:
    """The recipe of a text that `recipe_to_json` or an older version wrote. Raises NucleateError as `read_recipe` does,
    and json's ValueError for a text that is no JSON."""
    values = json.loads(text)
    if not isinstance(values, dict):
        raise NucleateError("the recipe is not a table")
    return read_recipe(values if "system" in values else updated_recipe(values, _settings_of, complete=True))


def _settings_of(system: str, section: str) -> frozenset[str]:
    """The settings of a section of a system's recipes; for a setting that is in no section, only itself."""
    config = SYSTEMS[system].config
    inner = keys_at(config, [section])
    return frozenset(inner or {section} & keys_at(config, []))


def _keys(values: Mapping[str, Any], section: str) -> list[tuple[str, ...]]:
    """The paths of all settings of a section; for a setting that is in no section, its own path."""
    inner = values[section]
    return [(section, key) for key in inner] if isinstance(inner, Mapping) else [(section,)]


def _has(config: type[Recipe], key: tuple[str, ...]) -> bool:
    return key[-1] in keys_at(config, list(key[:-1]))


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
