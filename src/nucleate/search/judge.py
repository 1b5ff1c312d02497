"""Which property network says what the crystals that a generator made are like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from nucleate.generators.properties import Range
    from nucleate.train.property import PropertyModel


def judge_of(
    properties: Mapping[str, Range], facts: Mapping[str, Any], judge: str = "auto"
) -> tuple[PropertyModel | None, dict[str, Range], list[str]]:
    """The network that judges the wanted `properties`, those it predicts by column, and the columns it does not.

    facts: of the generator (`generators.base.Generator.facts`). judge: a property network, name or file; "auto" takes
    the shipped one for the generator's data, None where there is none. Raises NucleateError for a named one that
    predicts none of them.
    """
    from nucleate.generators.properties import resolve_property
    from nucleate.train.property import load_property_network

    columns = facts.get("properties", ())
    wanted = {c: limits for name, limits in properties.items() if (c := resolve_property(name, columns))}
    if not wanted:
        return None, {}, []
    name = shipped_judge(wanted, facts) if judge == "auto" else judge
    if name is None:
        return None, {}, list(wanted)
    model = load_property_network(name)
    known = {c: limits for c, limits in wanted.items() if c in model.columns}
    if not known:
        raise NucleateError(f"{model.name} predicts {', '.join(model.columns)}, not {', '.join(wanted)}")
    return model, known, [c for c in wanted if c not in known]


def shipped_judge(columns: Iterable[str], facts: Mapping[str, Any]) -> str | None:
    """The shipped property network for the generator's data that predicts most of the columns, None if none does."""
    from nucleate.generators.accept import facts_of
    from nucleate.generators.load import read_info
    from nucleate.systems.base import PROPERTY
    from nucleate.train.shipped import shipped_weights

    wanted, best = set(columns), ("", 0)
    for name in shipped_weights(PROPERTY):
        other = read_info(name, PROPERTY)
        known = len(wanted & set(other.recipe.predict))
        if known > best[1] and dataset_of(facts_of(other)) == dataset_of(facts):
            best = (name, known)
    return best[0] or None


def dataset_of(facts: Mapping[str, Any]) -> str:
    """The first data set that a network was trained on; "" where none is known."""
    return str(facts.get("dataset", "")).split("+")[0].partition(":")[0]
