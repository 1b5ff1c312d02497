"""`nucleate families`: the crystal families that requests may name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.families.family import Family

EXAMPLES = 3
SHOWN = 20


def families(
    name: Annotated[
        str,
        typer.Argument(
            help="A family by any of its names (spinel, 'half-Heusler'), or a formula, to see which families it fits."
        ),
    ] = "",
    top: Annotated[int, typer.Option(min=0, help="Known members shown of one family (0: all).")] = SHOWN,
) -> None:
    """List the crystal families that are known by name: their formulas, structure types and known members."""
    from nucleate.cli.tables import output_console
    from nucleate.families.family import get_family, lexicon

    console = output_console()
    if not name:
        _overview(list(lexicon().values()), console)
        return
    if fitting := _of_formula(name):
        console.print(fitting)
        return
    found = get_family(name)
    for line in _facts(found):
        console.print(line)
    _members(found, top, console)


def _of_formula(text: str) -> str:
    """A sentence on the families that a formula fits; "" for a text that is no formula, such as the name of a
    family."""
    from nucleate.chem.formula import formula_text, parse_formula
    from nucleate.errors import NucleateError
    from nucleate.families.family import family_names, normalised_name
    from nucleate.families.members import families_of

    try:
        counts = parse_formula(text) if normalised_name(text) not in family_names() else {}
    except NucleateError:
        counts = {}
    if not counts:
        return ""
    fitting, formula = [f.name for f in families_of(counts)], formula_text(counts)
    if not fitting:
        return f"{formula} fits no crystal family by its numbers and charges; nucleate families lists them"
    return (
        f"{formula} fits by its numbers and charges: {', '.join(fitting)}; "
        f"next: nucleate design '{formula}, {fitting[0]} type'"
    )


def _overview(every: list[Family], console: Console) -> None:
    from nucleate.cli.tables import TerminalColumn, show_table
    from nucleate.crystal.symmetry import space_group_symbol
    from nucleate.families.members import known_members

    groups = [", ".join(dict.fromkeys(space_group_symbol(t.space_group) for t in f.types)) for f in every]
    columns = [
        TerminalColumn("family", [f.name for f in every]),
        TerminalColumn("formula", [f.pattern for f in every]),
        TerminalColumn("space groups", groups, gives_way=2, folds=12),
        TerminalColumn("known", [f"{len(known_members(f.name)):,}" for f in every], right=True, gives_way=3),
        TerminalColumn("such as", [", ".join(_formulas(f)[:EXAMPLES]) for f in every], gives_way=1, folds=16),
    ]
    said = f"{len(every)} families; known: members in the Materials Project. nucleate families NAME tells of one."
    show_table(console, columns, [said])


def _facts(f: Family) -> list[str]:
    from nucleate.crystal.symmetry import space_group_symbol

    out = [f"{f.name}: {f.pattern}" + (f", also called {', '.join(f.synonyms)}" if f.synonyms else "")]
    for t in f.types:
        out.append(
            f"  {space_group_symbol(t.space_group)} ({t.space_group}), {t.num_atoms} atoms in the primitive cell, "
            f"as {t.example}"
        )
    out += [f"  charges {text}" for text in f.charge_texts]
    if f.metallic:
        out.append("  metals and others without simple charges too")
    return [*out, *([f"  {f.note}"] if f.note else [])]


def _formulas(f: Family) -> list[str]:
    """Formulas of the examples, then of the known members, each once."""
    from nucleate.chem.formula import formula_text
    from nucleate.families.members import known_members

    every = [t.elements for t in f.types] + [m.elements for m in known_members(f.name)]
    return list(dict.fromkeys(formula_text(f.composition(e)) for e in every))


def _members(f: Family, top: int, console: Console) -> None:
    from nucleate.chem.formula import formula_text
    from nucleate.cli.candidates import marked, radioactive
    from nucleate.cli.tables import TerminalColumn, show_table
    from nucleate.crystal.symmetry import space_group_symbol
    from nucleate.families.members import known_members

    found = known_members(f.name)
    shown = found[:top] if top else found
    rest = f"; {len(found) - len(shown):,} more with --top 0" if len(shown) < len(found) else ""
    heights = ["-" if m.e_above_hull != m.e_above_hull else f"{m.e_above_hull:.3f}" for m in shown]
    columns = [
        TerminalColumn("formula", [marked(formula_text(f.composition(m.elements)), m.elements) for m in shown]),
        TerminalColumn("space group", [space_group_symbol(f.types[m.structure_type].space_group) for m in shown]),
        *(TerminalColumn(letter, [m.elements[k] for m in shown], gives_way=3) for k, (letter, _) in enumerate(f.sites)),
        TerminalColumn("e_above_hull\neV/atom", heights, right=True, gives_way=1),
        TerminalColumn("id", [m.material_id for m in shown], gives_way=2),
    ]
    said = f"{len(found):,} known members (Materials Project), the most stable first{rest}"
    show_table(console, columns, [said, *radioactive(m.elements for m in shown)])
