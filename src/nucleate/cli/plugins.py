"""`nucleate plugins`: generators, models, potentials, engines and DFT programs by name, with the packages that bring
them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleate.plugins import PluginEntry, PluginTable


def plugins() -> None:
    """List the generators, potentials, engines and DFT programs that can be asked for by name, and the packages with
    models.

    Those that other installed packages bring are among them.
    """
    from rich.text import Text

    from nucleate.cli.tables import TerminalColumn, coloured, output_console, show_table
    from nucleate.train.shipped import WEIGHTS, other_models

    rows = [(table, part, *_said(table, part)) for table in tables() for part in table.entries()]
    columns = [
        TerminalColumn("kind", [table.noun for table, *_ in rows]),
        TerminalColumn("name", [part.name for _, part, *_ in rows]),
        TerminalColumn("package", [part.source for _, part, *_ in rows]),
        TerminalColumn(
            "what it takes", [coloured("fail", text) if bad else Text(text) for *_, text, bad in rows], folds=20
        ),
    ]
    refused = [text for table in tables() if table is not WEIGHTS for text in table.problems()]
    refused += other_models().problems
    shipped = "shipped weights (nucleate doctor) and files of weights are generators too"
    show_table(output_console(), columns, [*refused, shipped, "how to write one's own: docs/plugins.md"])


def tables() -> Iterator[PluginTable]:
    """The tables that other packages can add to."""
    from nucleate.dft.programs import PROGRAMS
    from nucleate.engine.registry import ENGINES
    from nucleate.generators.registry import GENERATORS
    from nucleate.potentials.registry import POTENTIALS
    from nucleate.train.shipped import WEIGHTS

    yield from (GENERATORS, WEIGHTS, POTENTIALS, ENGINES, PROGRAMS)


def _said(table: PluginTable, part: PluginEntry) -> tuple[str, bool]:
    """What a part takes, or why it cannot be used, and whether that is so. Own parts need not be loaded for it."""
    from nucleate.dft.programs import PROGRAMS
    from nucleate.errors import NucleateError
    from nucleate.generators.contract import accepted_text, fields_text
    from nucleate.generators.defaults import BaseGenerator
    from nucleate.generators.methods import RETRIEVAL, TEMPLATE
    from nucleate.generators.registry import GENERATORS, get_registered
    from nucleate.potentials.registry import POTENTIALS, get_potential
    from nucleate.train.shipped import WEIGHTS, folder_of

    try:
        if part.name in (RETRIEVAL, TEMPLATE):
            return fields_text(BaseGenerator.accepts), False  # without its library of crystals
        if table is WEIGHTS:
            return f"{len(list(folder_of(part).glob('*.safetensors')))} models", False
        if table is GENERATORS:
            return accepted_text(get_registered(part.name)), False
        if table is POTENTIALS:
            elements = get_potential(part.name).elements
            return "crystals of any element" if elements is None else f"crystals of {len(elements)} elements", False
        table.load(part.name)
        return ("crystals, for nucleate dft" if table is PROGRAMS else "stages and candidates"), False
    except NucleateError as error:
        return str(error), True
