"""Recipes from files, and to and from the metadata of weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nucleate.config import complaint, keys_at, read_toml
from nucleate.errors import NucleateError
from nucleate.systems.older import modern
from nucleate.systems.recipe import Recipe
from nucleate.systems.registry import SYSTEMS


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe from TOML; errors name the file and the key."""
    values = read_toml(path)
    try:
        return read_recipe(values if "system" in values else modern(values, _known, whole=False))
    except NucleateError as error:
        raise NucleateError(f"{path}: {error}") from None


def read_recipe(values: Mapping[str, Any]) -> Recipe:
    """A recipe from its tables; raises NucleateError for an unknown system, and for a setting that it does not have,
    with the systems that do."""
    name = values.get("system")
    if not isinstance(name, str) or name not in SYSTEMS:
        raise NucleateError(f"'system' must be one of {', '.join(SYSTEMS)}, not {name!r}")
    config = SYSTEMS[name].config
    for key in (key for section in values for key in _keys(values, section)):
        owners = [other for other, system in SYSTEMS.items() if _has(system.config, key)]
        if owners and name not in owners:
            raise NucleateError(f"'{'.'.join(key)}' is a knob of {_listed(owners)}, not of {name}")
    try:
        return config.parsed(values)
    except ValidationError as error:
        raise NucleateError(complaint(config, error)) from None


def recipe_to_json(recipe: Recipe) -> str:
    """One line of JSON that `recipe_from_json` reads back exactly."""
    return json.dumps(recipe.model_dump(mode="json"))


def recipe_from_json(text: str) -> Recipe:
    """The inverse of `recipe_to_json`; recipes that older versions wrote are read as well."""
    values = json.loads(text)
    if not isinstance(values, dict):
        raise NucleateError("the recipe is no table")
    return read_recipe(values if "system" in values else modern(values, _known, whole=True))


def _known(system: str, section: str) -> frozenset[str]:
    """The settings that a section of a system's recipes has; for a setting outside of sections, itself."""
    config = SYSTEMS[system].config
    inner = keys_at(config, [section])
    return frozenset(inner or {section} & keys_at(config, []))


def _keys(values: Mapping[str, Any], section: str) -> list[tuple[str, ...]]:
    """The setting itself, or all settings of a section."""
    inner = values[section]
    return [(section, key) for key in inner] if isinstance(inner, Mapping) else [(section,)]


def _has(config: type[Recipe], key: tuple[str, ...]) -> bool:
    return key[-1] in keys_at(config, list(key[:-1]))


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
