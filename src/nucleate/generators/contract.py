"""Checks, in one place for all generators and before any work, whether a generator can be asked for something."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.generators.base import ASKED, Condition, Generator

if TYPE_CHECKING:
    from nucleate.generators.defaults import BaseGenerator

CONDITION_FIELDS = tuple(f.name for f in dataclasses.fields(Condition))
# A composition already says these. A generator that takes one need not accept them; they are compared with it.
IMPLIED_BY_COMPOSITION = frozenset({"chemical_system", "num_atoms", "contains", "exclude", "num_elements"})
NEEDED = {  # how messages call the fields when one of them is missing
    "composition": "a formula, such as SrTiO3",
    "chemical_system": "a chemical system (Li-Fe-O)",
    "sites": "numbers of sites (--sites)",
}
_ORDER = ("properties", "chemical_system", "composition", "num_atoms")  # messages name these first


def require_accepted(generator: Generator[Any] | BaseGenerator[Any], conditions: Sequence[Condition]) -> None:
    """Raise NucleateError, in one line, for the first condition that the generator cannot meet. The line says what the
    generator can be asked for."""
    for condition in without_repetitions(conditions):
        if generator.needs and not any(getattr(condition, name) for name in generator.needs):
            needed = " or ".join(NEEDED.get(name, ASKED[name]) for name in generator.needs)
            raise NucleateError(f"{generator.name} needs {needed}, and none was given")
        _require_fields(generator, condition)
        _require_consistent(condition)
        generator.check(condition)


def missing_attributes(generator: object) -> list[str]:
    """Names of the attributes and methods of the contract that an object lacks."""
    names = "name", "makes", "accepts", "needs", "hints", "chunk", "check", "plan", "facts", "generate"
    return [name for name in names if not hasattr(generator, name)]


def accepted_text(generator: Generator[Any] | BaseGenerator[Any]) -> str:
    """What a generator can be asked for, as words for a message."""
    return fields_text(generator.accepts, generator.facts().get("properties", ()))


def fields_text(accepts: Collection[str], columns: Iterable[str] = ()) -> str:
    """Accepted fields as words for a message. columns: names of the properties that can be asked for."""
    out: list[str] = []
    for name in [*_ORDER, *(f for f in CONDITION_FIELDS if f not in _ORDER)]:
        if name in accepts:
            out += (list(columns) if name == "properties" else []) or [ASKED[name]]
    return ", ".join(out) or "no wishes"


def without_repetitions(conditions: Sequence[Condition]) -> list[Condition]:
    """The conditions without repetitions. They hold dictionaries, so they cannot be hashed."""
    out: list[Condition] = []
    for condition in conditions:
        if condition not in out:
            out.append(condition)
    return out


def _require_fields(generator: Generator[Any] | BaseGenerator[Any], condition: Condition) -> None:
    known = generator.accepts
    if condition.composition and "composition" in known:
        known = known | IMPLIED_BY_COMPOSITION
    for name in CONDITION_FIELDS:
        value = getattr(condition, name)
        if name in known or value is None or (name != "num_atoms" and not value):
            continue
        what = next(iter(condition.properties)) if name == "properties" else ASKED[name]
        refusal = generator.hints.get(name, f"cannot be asked for {what}")
        instead = "" if "; " in refusal else f"; it takes {accepted_text(generator)}"
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
        raise NucleateError(f"{lacking[0]} must be there, but the composition does not have it; give one of them")
    if barred := [e for e in condition.exclude if e in composition]:
        raise NucleateError(f"{barred[0]} is wanted and excluded; choose one")
    if condition.num_elements not in (None, len(composition)):
        raise NucleateError(f"the composition has {len(composition)} elements, not {condition.num_elements}")
