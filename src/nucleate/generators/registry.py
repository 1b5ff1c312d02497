"""Generators by name: those of trained weights, the methods of this package, and plug-ins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nucleate.errors import NucleateError
from nucleate.generators.base import Generator, StructureGenerator
from nucleate.generators.contract import missing_attributes
from nucleate.generators.methods import PROTOTYPE, RANDOM, RESERVED, RETRIEVAL, TEMPLATE
from nucleate.plugins import PluginTable
from nucleate.systems.base import FORMULA
from nucleate.train.papers import PAPERS
from nucleate.train.shipped import require_brought, require_weights, shipped_weights, weights_file

STRUCTURES, FORMULAS = "structures", "formulas"  # what generators make


def _reserved() -> dict[str, Any]:
    return dict.fromkeys([*RESERVED, *shipped_weights(), *shipped_weights(FORMULA), *PAPERS])


GENERATORS = PluginTable(
    "nucleate.generators",
    "generator",
    {
        RETRIEVAL: "nucleate.generators.retrieval:RetrievalGenerator",
        TEMPLATE: "nucleate.generators.template:load_templates",
        PROTOTYPE: "nucleate.families.prototypes:PrototypeGenerator",
        RANDOM: "nucleate.generators.random_search:sized_search",
    },
    _reserved,
)


def require_generator(name: str | Path, makes: str = STRUCTURES) -> None:
    """Raise NucleateError where there is neither a generator nor weights of that name. Nothing is loaded."""
    if str(name) in GENERATORS:
        return
    require_brought(name)
    try:
        require_weights(name, FORMULA if makes == FORMULAS else None)
    except NucleateError as error:
        names = [part.name for part in GENERATORS.entries() if GENERATORS.plugin(part.name) is not None]
        brought = f"; of plug-ins: {', '.join(names)}" if names else ""
        refused = "".join(f"; {text}" for text in GENERATORS.problems() if f"'{name}'" in text)
        raise NucleateError(f"{error}{brought}{refused}") from None


def get_generator(name: str | Path, **options: Any) -> StructureGenerator:
    """The generator of structures of that name: of shipped weights, a file of weights, a method or a plug-in.

    options: of `load.load_generator`, for weights only; None means the value of their recipe. Raises NucleateError
    where there is no generator of that name, and for options that it does not have.
    """
    return _get(str(name), STRUCTURES, options)


def get_formula_generator(name: str | Path, **options: Any) -> Generator[str]:
    """The generator of formulas of that name; otherwise as `get_generator`."""
    return _get(str(name), FORMULAS, options)


def get_registered(name: str) -> Generator[Any]:
    """The generator of structures or of formulas of a name in the table; raises as `get_generator`."""
    return _made(name)


def _get(name: str, makes: str, options: dict[str, Any]) -> Any:
    require_generator(name, makes)
    if name not in GENERATORS:
        from nucleate.generators import load_formula_generator, load_generator

        return (load_generator if makes == STRUCTURES else load_formula_generator)(name, **options)
    if given := [option for option, value in options.items() if value is not None]:
        raise NucleateError(f"{name} has no {given[0].replace('_', ' ')} to be set; leave it out")
    made = _made(name)
    if made.makes != makes:
        raise NucleateError(f"the generator '{name}'{_source(name)} makes {made.makes}, not {makes}")
    return made


def _source(name: str) -> str:
    part = GENERATORS.plugin(name)
    return f" of the package {part.source}" if part is not None else ""


def _made(name: str) -> Any:
    made = GENERATORS.make(name)
    if lacking := missing_attributes(made):
        raise NucleateError(
            f"the generator '{name}'{_source(name)} lacks {', '.join(lacking)}; it has to follow "
            "nucleate.generators.base.Generator, for instance by deriving from BaseGenerator"
        )
    return made


def is_weights(name: str | Path) -> bool:
    """Whether the name is of shipped weights or of a file of weights."""
    return str(name) not in GENERATORS and weights_file(name) is not None
