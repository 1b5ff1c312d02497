"""Which property network judges the crystals of a generator by the properties that were wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from nucleate.generators.properties import Range
    from nucleate.train.property import PropertyModel


def property_network_for(
    properties: Mapping[str, Range], facts: Mapping[str, Any], judge: str = "auto"
) -> tuple[PropertyModel | None, dict[str, Range], list[str]]:
    """(property network, column -> wanted range of what it predicts, the wanted columns that it does not predict).

    properties: what is wanted, by names. facts: of the generator (`generators.base.Generator.facts`). judge: name or
    file of a property network; "auto" takes the shipped one for the data of the generator. The network is None where
    there is none. Raises NucleateError where a network that was named predicts none of the properties.
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
    """The shipped property network that was trained on the same data as the generator and predicts most of the columns.

    None where no network predicts any.
    """
    from nucleate.generators.load import read_info
    from nucleate.generators.model_checks import facts_of
    from nucleate.systems.base import PROPERTY
    from nucleate.train.shipped import shipped_weights

    wanted, best = set(columns), ("", 0)
    for name in shipped_weights(PROPERTY):
        other = read_info(name, PROPERTY)
        known = len(wanted & set(other.recipe.predict))
        if known > best[1] and dataset_of(facts_of(other)) == dataset_of(facts):
            best = (name, known)
    return best[0] or None


def judges_hint(columns: Iterable[str], facts: Mapping[str, Any]) -> str:
    """The networks of nucleate-papers that predict one of these columns for the data of a generator, and the command
    that brings them; "" if none is missing. To be appended to a message."""
    from nucleate.systems.base import PROPERTY
    from nucleate.train.papers import PAPERS
    from nucleate.train.shipped import papers_hint

    judges = {name: model for name, model in PAPERS.items() if model.kind == PROPERTY}
    wanted, dataset = set(columns), dataset_of(facts)
    return papers_hint(name for name, m in judges.items() if m.dataset == dataset and wanted & set(m.properties))


def dataset_of(facts: Mapping[str, Any]) -> str:
    """The first dataset that a network was trained on, by its facts; "" where that is not known."""
    return str(facts.get("dataset", "")).split("+")[0].partition(":")[0]
