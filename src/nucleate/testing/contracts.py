"""Checks that every generator has to pass; call them from the tests of a new generator."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nucleate.crystal.convert import atom_counts
from nucleate.errors import NucleateError
from nucleate.generators.base import Condition, Fixed, Generator, StructureGenerator
from nucleate.generators.contract import CONDITION_FIELDS, IMPLIED_BY_COMPOSITION, missing_attributes, require_accepted

# A value of every field of `Condition`, for two atoms of rock salt
EXAMPLES: Mapping[str, Any] = {
    "composition": {"Na": 1, "Cl": 1},
    "chemical_system": ("Na", "Cl"),
    "num_atoms": 2,
    "space_group": 225,
    "properties": {"no_such_property": 1.0},
    "fixed": Fixed(((4.0, 0, 0), (0, 4.0, 0), (0, 0, 4.0)), ("Na", "Cl"), ((0.0,) * 3, (0.5,) * 3), "lattice"),
    "lattice_shape": "cubic",
    "contains": ("Na",),
    "exclude": ("K",),
    "num_elements": 2,
    "pattern": "Na ?",
    "sites": {"Na": 1, "Cl": 1},
}


def check_refusals(generator: Generator[Any]) -> None:
    """Raise AssertionError unless `generator` has every attribute and method of the contract, refuses in one line every
    field of a condition that it does not accept, and gives `facts()` that can be written as JSON."""
    assert not missing_attributes(generator), f"it lacks {', '.join(missing_attributes(generator))}"
    assert generator.name and generator.makes in ("structures", "formulas")
    unknown = set(generator.accepts) - set(CONDITION_FIELDS)
    assert not unknown, f"it accepts what are no fields of a condition: {unknown}"
    assert set(generator.needs) <= set(generator.accepts), "it needs a field that it does not accept"
    json.dumps(dict(generator.facts()))
    least = {name: EXAMPLES[name] for name in generator.needs[:1]}
    if least:
        assert refusal_of(generator, Condition()), "it says that it needs a field, but accepts a condition without it"
    for name in CONDITION_FIELDS:
        known = set(generator.accepts) | (IMPLIED_BY_COMPOSITION if "composition" in least else set())
        said = refusal_of(generator, Condition(**{**least, name: EXAMPLES[name]}))
        if name not in known:
            assert generator.name in said and "; " in said, f"{name} is not refused: '{said}'"
        elif name != "properties":
            assert "cannot be asked" not in said, f"{name} is among the accepted fields, but is refused: {said}"
        assert "\n" not in said


def refusal_of(generator: Generator[Any], condition: Condition) -> str:
    """The message for a condition that the generator cannot meet, "" for one that it can meet."""
    try:
        require_accepted(generator, [condition])
    except NucleateError as error:
        return str(error)
    return ""


def check_structure_generator(
    generator: StructureGenerator, conditions: Sequence[Condition], tolerance: float = 1e-3, varies: bool = True
) -> None:
    """Raise AssertionError unless `generator` is deterministic, independent of the batch, and honours its conditions.

    conditions: at least two that the generator can meet, of different numbers of atoms. tolerance: how far fractional
    coordinates, and lattice vectors relative to the longest component, may differ between batches, because numbers
    are rounded differently in batches of different shapes. varies: whether another seed has to give another crystal.
    """
    check_refusals(generator)
    seeds = [11 + i for i in range(len(conditions))]
    together = generator.generate(conditions, seeds)
    assert len(together) == len(conditions), f"{len(together)} structures for {len(conditions)} conditions"
    again = generator.generate(conditions, seeds)
    for i, (a, b) in enumerate(zip(together, again, strict=True)):
        assert a == b, f"crystal {i} differs between two equal calls"
    reverse = generator.generate(conditions[::-1], seeds[::-1])[::-1]
    for i, condition in enumerate(conditions):
        (alone,) = generator.generate([condition], [seeds[i]])
        for other in (alone, reverse[i]):
            assert other.species == together[i].species, f"the species of crystal {i} depend on its batch"
            gap = np.abs(other.frac_coords - together[i].frac_coords) % 1.0
            assert np.minimum(gap, 1 - gap).max() < tolerance, f"the coordinates of crystal {i} depend on its batch"
            scale = np.abs(other.lattice.matrix).max()
            gap = np.abs(other.lattice.matrix - together[i].lattice.matrix).max() / scale
            assert gap < tolerance, f"the lattice of crystal {i} depends on its batch ({gap:.1e})"
    for condition, structure in zip(conditions, together, strict=True):
        counts = atom_counts(structure)
        if condition.composition is not None:
            assert counts == dict(condition.composition), f"{counts} is not {condition.composition}"
        if condition.chemical_system is not None:
            outside = set(counts) - set(condition.chemical_system)
            assert not outside, f"{counts} has elements outside of {condition.chemical_system}"
        if condition.num_atoms is not None:
            assert len(structure) == condition.num_atoms
        assert structure.volume > 0 and np.isfinite(structure.frac_coords).all()
    if not varies:
        return
    (of_seed_1,) = generator.generate([conditions[0]], [1])
    (of_seed_2,) = generator.generate([conditions[0]], [2])
    assert of_seed_1 != of_seed_2, "two seeds give the same crystal"
