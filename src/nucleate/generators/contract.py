"""Whether a generator can be asked for something: checked in this one place, for all generators, before any work."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.generators.base import ASKED, Condition, Generator

if TYPE_CHECKING:
    from nucleate.generators.defaults import BaseGenerator

FIELDS = tuple(f.name for f in dataclasses.fields(Condition))
# What a composition says already: a generator that takes one need not know these fields, which are held against it
IMPLIED = frozenset({"chemical_system", "num_atoms", "contains", "exclude", "num_elements"})
NEEDED = {  # what the fields are called where one of them is missing
    "composition": "a formula, such as SrTiO3",
    "chemical_system": "a chemical system (Li-Fe-O)",
    "sites": "numbers of sites (--sites)",
}
_ORDER = ("properties", "chemical_system", "composition", "num_atoms")  # what is named first of all that it takes


def require_accepted(generator: Generator[Any] | BaseGenerator[Any], conditions: Sequence[Condition]) -> None:
    """Raise NucleateError, in one line, for the first condition that the generator cannot meet, with what it takes."""
    for condition in distinct(conditions):
        if generator.needs and not any(getattr(condition, name) for name in generator.needs):
            needed = " or ".join(NEEDED.get(name, ASKED[name]) for name in generator.needs)
            raise NucleateError(f"{generator.name} needs {needed}, and none was given")
        _require_fields(generator, condition)
        _require_consistent(condition)
        generator.check(condition)


def missing(generator: object) -> list[str]:
    """What an object lacks of the contract, by name."""
    names = "name", "makes", "accepts", "needs", "hints", "chunk", "check", "plan", "facts", "generate"
    return [name for name in names if not hasattr(generator, name)]


def takes(generator: Generator[Any] | BaseGenerator[Any]) -> str:
    """What a generator can be asked for, in words."""
    return words(generator.accepts, generator.facts().get("properties", ()))


def words(accepts: Collection[str], columns: Iterable[str] = ()) -> str:
    """Fields in words; columns: the properties by name."""
    out: list[str] = []
    for name in [*_ORDER, *(f for f in FIELDS if f not in _ORDER)]:
        if name in accepts:
            out += (list(columns) if name == "properties" else []) or [ASKED[name]]
    return ", ".join(out) or "no wishes"


def distinct(conditions: Sequence[Condition]) -> list[Condition]:
    """Distinct conditions (they hold dictionaries, so they cannot be hashed)."""
    out: list[Condition] = []
    for condition in conditions:
        if condition not in out:
            out.append(condition)
    return out


def _require_fields(generator: Generator[Any] | BaseGenerator[Any], condition: Condition) -> None:
    known = generator.accepts
    if condition.composition and "composition" in known:
        known = known | IMPLIED
    for name in FIELDS:
        value = getattr(condition, name)
        if name in known or value is None or (name != "num_atoms" and not value):
            continue
        what = next(iter(condition.properties)) if name == "properties" else ASKED[name]
        refusal = generator.hints.get(name, f"cannot be asked for {what}")
        instead = "" if "; " in refusal else f"; it takes {takes(generator)}"
        raise NucleateError(f"{generator.name} {refusal}{instead}")


def _require_consistent(condition: Condition) -> None:
    """Raise NucleateError for fields that contradict a composition."""
    composition = condition.composition
    if not composition:
        return
    if condition.chemical_system is not None and set(condition.chemical_system) != set(composition):
        raise NucleateError("the chemical system and the composition contradict each other; give one of them")
    size = sum(composition.values())
    if condition.num_atoms not in (None, size):
        raise NucleateError(f"the composition has {size} atoms, not {condition.num_atoms}")
    if lacking := [e for e in condition.contains if e not in composition]:
        raise NucleateError(f"{lacking[0]} must be there, and the composition is without it; give one of them")
    if barred := [e for e in condition.exclude if e in composition]:
        raise NucleateError(f"{barred[0]} is wanted and excluded; choose one")
    if condition.num_elements not in (None, len(composition)):
        raise NucleateError(f"the composition has {len(composition)} elements, not {condition.num_elements}")
