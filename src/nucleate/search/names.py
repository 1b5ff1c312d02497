"""Refusal of settings with unknown names, before anything is imported that takes seconds to load."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable

from nucleate.errors import NucleateError
from nucleate.settings.base import Settings, entries
from nucleate.settings.sampling import KNOWN

NO_PROPERTIES = frozenset({"chemical_system", "balanced"})  # conditions of models that are not properties


def require_names(
    *,
    weights: Iterable[str] = (),
    formula_weights: Iterable[str] = (),
    property_weights: Iterable[str] = (),
    potentials: Iterable[str] = (),
    references: Iterable[str] = (),
    datasets: Iterable[str] = (),
    templates: Iterable[str] = (),
    samplers: Iterable[str] = (),
) -> None:
    """Raise NucleateError for the first name that does not exist, with the names that there are."""
    from nucleate.data.tables import require_dataset
    from nucleate.generators.registry import FORMULAS, require_generator
    from nucleate.hull.load import require_reference
    from nucleate.potentials.registry import require_potential
    from nucleate.systems.base import PROPERTY
    from nucleate.train.shipped import require_weights

    for name in weights:
        require_generator(name)
    for name in formula_weights:
        require_generator(name, FORMULAS)
    for name in property_weights:
        require_weights(name, PROPERTY)
    for name in potentials:
        require_potential(name)
    for name in references:
        require_reference(name)
    for name in datasets:
        require_dataset(name)
    for name in templates:
        for part in map(str.strip, name.split("+")):
            if part != KNOWN:
                require_dataset(part)
    for name in samplers:
        from nucleate.systems.registry import all_sampler_names

        if name not in all_sampler_names():
            raise NucleateError(f"unknown sampler '{name}'; known are {', '.join(all_sampler_names())}")


def require_named(settings: Settings, without: Container[str] = ()) -> None:
    """Raise NucleateError for the first name in the settings that does not exist.

    Each field says what its value is a name of (`settings.base.About`). without: settings that are not looked at, by
    their names in `Settings.of`, because the task will not use them.
    """
    named: defaultdict[str, list[str]] = defaultdict(list)
    values = settings.flat()
    for entry in entries(type(settings)):
        value = values[entry.key]
        if entry.about.names and value and value not in entry.about.words and entry.key not in without:
            named[entry.about.names].append(value)
    require_names(**named)


def require_properties(names: Iterable[str], weights: Iterable[str] = ()) -> None:
    """Raise NucleateError for the first property that none of these weights can be asked for.

    weights: names or files; none stands for all shipped weights.
    """
    from nucleate.generators.properties import resolve_property, short_name
    from nucleate.generators.registry import GENERATORS
    from nucleate.train.papers import PAPERS
    from nucleate.train.shipped import conditions_of, papers_hint, require_weights, shipped_weights, weights_file

    names, weights = list(names), list(weights)
    if not names:
        return
    if any(name in GENERATORS for name in weights):
        return  # such a generator says what it can be asked for only once it is loaded
    given = [weights_file(name) or require_weights(name) for name in weights or shipped_weights()]
    offers = set().union(*map(conditions_of, given)) - NO_PROPERTIES
    unknown = [name for name in names if resolve_property(name, offers) is None]
    if unknown:
        whose = " and ".join(weights) or "no shipped model"
        offered = ", ".join(sorted(set(map(short_name, offers)))) or "none"
        able = [n for n, m in PAPERS.items() if m.kind is None and resolve_property(unknown[0], m.properties)]
        hint = "" if weights else papers_hint(able)
        raise NucleateError(
            f"{whose} can{'not' if weights else ''} be asked for {unknown[0]}; properties on offer: {offered}{hint}; "
            "teach a model one of your own data with: nucleate train --from mp20-dng --property COLUMN --dataset NAME"
        )


def require_elements(symbols: Iterable[str], potential: str) -> None:
    """Raise NucleateError where a potential of this package does not know one of the elements.

    Other potentials are not looked at here; they refuse elements once they are loaded.
    """
    from nucleate.potentials.base import MPTRJ_ELEMENTS, unknown_elements_text
    from nucleate.potentials.registry import POTENTIALS

    if potential in POTENTIALS.own and (said := unknown_elements_text(potential, MPTRJ_ELEMENTS, symbols)):
        raise NucleateError(
            f"{said}, so crystals with it can be neither relaxed nor placed on a hull; give a potential that knows it "
            "(mace:FILE or matgl:FOLDER), or only generate or predict crystals, which needs no potential"
        )
