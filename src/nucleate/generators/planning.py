"""Makes the condition of one object from a request; what the request leaves open is drawn with a seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nucleate.errors import NucleateError
from nucleate.generators.base import Condition, Wishes
from nucleate.generators.bounds import Bounds, bounds_text, units_within, within

TRIES = 400  # draws of a number of atoms until one lies within bounds
MOST_MORE = 20  # with a lowest number of atoms only, up to so many more are drawn if the generator has no sizes

Units = Callable[[Mapping[str, int], int, int | None], int]
Size = Callable[[Condition, int], int]
Group = Callable[[Condition, Sequence[int], int], int]


def plan_condition(
    wishes: Wishes, seed: int, *, units: Units | None = None, size: Size | None = None, group: Group | None = None
) -> Condition:
    """The condition of one crystal.

    units: a function (formula, seed, space group or None) -> formula units in the cell; None means one. size: a
    function (condition, seed) -> atoms in a cell of open composition; None means any number within the wanted bounds.
    group: a function (condition, groups, seed) -> one of several space groups; None means that all are equally likely.
    The value of a property is drawn from its wanted range. Raises NucleateError for wishes that contradict each other,
    and where no draw meets them.
    """
    parts: dict[str, Any] = {
        "properties": draw_targets(wishes, seed),
        "fixed": wishes.fixed,
        "lattice_shape": wishes.lattice_shape,
        "sites": wishes.sites or None,
        "contains": wishes.contains,
        "num_elements": exact_number(wishes.num_elements),
        "pattern": wishes.pattern,
    }
    given = wishes.composition or wishes.chemical_system or wishes.sites
    if given and (both := [e for e in given if e in wishes.exclude]):
        raise NucleateError(f"{both[0]} is wanted and excluded; choose one")
    if not given:
        parts["exclude"] = wishes.exclude
    wanted = Condition(wishes.composition, wishes.chemical_system, exact_number(wishes.num_atoms), **parts)
    if wishes.space_groups:
        number = (group or _any_group)(wanted, wishes.space_groups, seed)
        wanted = dataclasses.replace(wanted, space_group=number)
    if wishes.composition is None:
        if isinstance(wishes.num_atoms, tuple):
            return dataclasses.replace(wanted, num_atoms=_size_within(wishes.num_atoms, size, wanted, seed))
        return wanted
    if isinstance(wishes.num_atoms, int):
        count = wishes.num_atoms // sum(wishes.composition.values())
    else:
        count = units(wishes.composition, seed, wanted.space_group) if units is not None else 1
        if wishes.num_atoms is not None:
            count = units_within(count, wishes.composition, wishes.num_atoms)
    composition = {e: n * count for e, n in wishes.composition.items()}
    return dataclasses.replace(wanted, composition=composition, num_atoms=None)


def plan_formula(wishes: Wishes, seed: int) -> Condition:
    """The condition of one formula, with values of properties drawn from their ranges. Raises as
    `formula_condition`."""
    return dataclasses.replace(formula_condition(wishes), properties=draw_targets(wishes, seed))


def formula_condition(wishes: Wishes) -> Condition:
    """The condition of formulas, without properties. Raises NucleateError for bounds, because generators of formulas
    take exact numbers only."""
    for number, name in ((wishes.num_atoms, "atoms"), (wishes.num_elements, "elements")):
        if isinstance(number, tuple):
            raise NucleateError(f"{bounds_text(number, name)}: a generator of formulas takes an exact number")
    return Condition(
        chemical_system=wishes.chemical_system,
        num_atoms=exact_number(wishes.num_atoms),
        contains=wishes.contains,
        exclude=wishes.exclude,
        num_elements=exact_number(wishes.num_elements),
        pattern=wishes.pattern,
    )


def draw_targets(wishes: Wishes, seed: int) -> dict[str, float]:
    """A value of each wanted property, drawn from its range with the seed."""
    from nucleate.diffusion.rng import Streams, derive_seeds

    out: dict[str, float] = {}
    for i, (name, (low, high)) in enumerate(wishes.properties.items()):
        share = float(Streams(derive_seeds(seed, 3, i)).uniform((1,))[0])
        out[name] = low + (high - low) * share
    return out


def exact_number(number: int | Bounds | None) -> int | None:
    """The number if it is one, None for bounds."""
    return number if isinstance(number, int) else None


def _any_group(wanted: Condition, groups: Sequence[int], seed: int) -> int:
    """One of the groups, all equally likely."""
    import numpy as np

    return groups[int(np.random.default_rng([seed, 4]).integers(len(groups)))] if len(groups) > 1 else groups[0]


def _size_within(bounds: Bounds, size: Size | None, wanted: Condition, seed: int) -> int:
    """A number of atoms within bounds that the generator draws; NucleateError if it draws none in many tries."""
    from nucleate.diffusion.philox import derived_seed

    if size is None:
        import numpy as np

        low = bounds[0] or 1
        return int(np.random.default_rng([seed, 7]).integers(low, 1 + (bounds[1] or low + MOST_MORE)))
    for i in range(TRIES):
        n = size(wanted, derived_seed(seed, 7, i))
        if within(n, bounds):
            return n
    raise NucleateError(f"hardly any cells are made of {bounds_text(bounds, 'atoms')}; ask for a formula")
