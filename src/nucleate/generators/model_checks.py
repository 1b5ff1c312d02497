"""Checks whether a trained model can meet a condition; a condition that it cannot meet is refused in one line."""

from __future__ import annotations

from typing import Any

from nucleate.chem.elements import atomic_number
from nucleate.crystal.shape import named_shape
from nucleate.errors import NucleateError
from nucleate.generators.base import Condition, Fixed
from nucleate.generators.contract import fields_text
from nucleate.generators.properties import resolve_property
from nucleate.train.checkpoint import ModelInfo, PropertyStats

MAX_DEVIATIONS = 10.0  # a wanted property may lie this many standard deviations from the training mean


def check_model_condition(info: ModelInfo, condition: Condition) -> None:
    """Raise NucleateError, in one line, for values of accepted fields that the model `info` cannot meet."""
    check_properties(info, condition)
    if condition.lattice_shape is not None:
        named_shape(condition.lattice_shape)
    if condition.fixed is not None:
        _check_fixed(info, condition, condition.fixed)
    if condition.composition:
        largest = max(condition.composition.values())
        room = info.sampler.room(info.recipe)
        if room is not None and largest > room:
            raise NucleateError(f"{info.recipe.name} has room for {room} atoms of an element, not {largest}")
    elif not set(info.elements).difference(map(atomic_number, condition.exclude)):
        raise NucleateError(f"all elements that {info.recipe.name} knows are excluded; leave one in")
    elements = condition.composition or condition.chemical_system or ()
    unseen = [e for e in elements if atomic_number(e) not in info.elements]
    if unseen:
        raise NucleateError(
            f"{info.recipe.name} never saw {', '.join(unseen)} in training; it knows {len(info.elements)} elements"
        )
    given = len(condition.fixed.species) if condition.fixed is not None else 1
    size = sum(condition.composition.values()) if condition.composition else (condition.num_atoms or given)
    if not 1 <= size <= info.max_atoms:
        raise NucleateError(f"{info.recipe.name} makes cells of 1 to {info.max_atoms} atoms, not {size}")
    if condition.chemical_system and condition.num_atoms and condition.num_atoms < len(condition.chemical_system):
        raise NucleateError(f"{condition.num_atoms} atoms cannot hold {len(condition.chemical_system)} elements")


def _check_fixed(info: ModelInfo, condition: Condition, fixed: Fixed) -> None:
    kept = {fixed.species[i] for i in fixed.species_at}
    n = sum(condition.composition.values()) if condition.composition else condition.num_atoms
    if n is not None and n < len(fixed.species):
        raise NucleateError(f"the fixed cell has {len(fixed.species)} atoms, more than the {n} asked for")
    if condition.lattice_shape is not None and fixed.cell:
        raise NucleateError("a lattice shape and a fixed cell contradict each other; give one of them")
    if not condition.composition:
        unseen = [e for e in sorted(kept) if atomic_number(e) not in info.elements]
        if unseen:
            raise NucleateError(f"{info.recipe.name} never saw {', '.join(unseen)} in training")
        foreign = sorted(kept - set(condition.chemical_system or kept))
        if foreign:
            raise NucleateError(f"the fixed cell keeps {', '.join(foreign)}, outside the chemical system asked for")
        return
    for symbol in sorted(kept):
        have = sum(fixed.species[i] == symbol for i in fixed.species_at)
        wanted = condition.composition.get(symbol, 0)
        if have > wanted:
            raise NucleateError(f"the fixed cell keeps {have} {symbol}, but the composition has {wanted}")


def check_properties(info: ModelInfo, condition: Condition) -> None:
    """Raise NucleateError for a property that the model does not know, or a value far from its training data."""
    for name, target in condition.properties.items():
        column = resolve_property(name, info.conditions)
        if column is None:
            takes = fields_text(info.sampler.accepts(info.recipe), info.conditions)
            raise NucleateError(f"{info.recipe.name} cannot be asked for {name}; it takes {takes}")
        stats = info.conditions[column]
        if is_out_of_range(stats, target):
            deviations = deviations_from_mean(stats, target)
            raise NucleateError(
                f"{name}={target:g} lies {deviations:.0f} standard deviations outside the training data "
                f"of {info.recipe.name} ({stats.low:.3g} to {stats.high:.3g}); ask for a value nearer to it"
            )


def deviations_from_mean(stats: PropertyStats, target: float) -> float:
    """Standard deviations between a wanted value and the training mean."""
    return abs(target - stats.mean) / stats.std


def is_out_of_range(stats: PropertyStats, target: float) -> bool:
    """Whether a wanted value lies more than MAX_DEVIATIONS from the training mean; true for nan as well."""
    return not deviations_from_mean(stats, target) <= MAX_DEVIATIONS


def facts_of(info: ModelInfo) -> dict[str, Any]:
    """What is known of a trained model, as plain JSON values (`base.Generator.facts`)."""
    columns = {
        name: {"mean": s.mean, "std": s.std, "low": s.low, "high": s.high} for name, s in info.conditions.items()
    }
    return {"training": info.training, "dataset": info.recipe.data.dataset, "properties": columns}
