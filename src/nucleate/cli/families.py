"""`nucleate families`: the crystal families that requests may name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from nucleate.search.families import Family

EXAMPLES = 3
SHOWN = 20


def families(
    name: Annotated[
        str, typer.Argument(help="One of them, by any of its names: spinel, 'half-Heusler', K2NiF4 type.")
    ] = "",
    top: Annotated[int, typer.Option(min=0, help="Known members shown of one family (0: all).")] = SHOWN,
) -> None:
    """List the crystal families that are known by name: their formulas, structure types and known members."""
    from rich.console import Console

    from nucleate.search.families import family, lexicon

    console = Console()
    if not name:
        console.print(_overview(list(lexicon().values())))
        return
    found = family(name)
    for line in _facts(found):
        console.print(line, highlight=False, markup=False)
    console.print(_members(found, top))


def _overview(every: list[Family]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from nucleate.crystal.symmetry import symbol
    from nucleate.search.families import members

    out = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("family", "formula", "space groups", "known", "such as"):
        out.add_column(column, justify="right" if column == "known" else "left", overflow="fold")
    for f in every:
        groups = ", ".join(dict.fromkeys(symbol(t.space_group) for t in f.types))
        found = members(f.name)
        out.add_row(f.name, f.pattern, groups, f"{len(found):,}", ", ".join(_formulas(f)[:EXAMPLES]))
    return out


def _facts(f: Family) -> list[str]:
    from nucleate.crystal.symmetry import symbol

    out = [f"{f.name}: {f.pattern}" + (f", also called {', '.join(f.synonyms)}" if f.synonyms else "")]
    for t in f.types:
        out.append(
            f"  {symbol(t.space_group)} ({t.space_group}), {t.num_atoms} atoms in the primitive cell, as {t.example}"
        )
    out += [f"  charges {text}" for text in f.charge_texts]
    if f.metallic:
        out.append("  metals and others without simple charges too")
    return [*out, *([f"  {f.note}"] if f.note else [])]


def _formulas(f: Family) -> list[str]:
    """Of the examples, then of the most stable members, each once."""
    from nucleate.chem.formula import formula_text
    from nucleate.search.families import members

    every = [t.elements for t in f.types] + [m.elements for m in members(f.name)]
    return list(dict.fromkeys(formula_text(f.composition(e)) for e in every))


def _members(f: Family, top: int) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from nucleate.chem.formula import formula_text
    from nucleate.crystal.symmetry import symbol
    from nucleate.search.families import members

    found = members(f.name)
    shown = found[:top] if top else found
    rest = f"; {len(found) - len(shown):,} more" if len(shown) < len(found) else ""
    caption = f"{len(found):,} known members (Materials Project), the most stable first{rest}"
    out = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, caption=caption, caption_justify="left")
    for column in ("formula", "space group", *(letter for letter, _ in f.sites), "e_above_hull, eV/atom", "id"):
        out.add_column(column, justify="right" if "eV" in column else "left")
    for m in shown:
        height = "-" if m.e_above_hull != m.e_above_hull else f"{m.e_above_hull:.3f}"
        group = symbol(f.types[m.structure_type].space_group)
        out.add_row(formula_text(f.composition(m.elements)), group, *m.elements, height, m.material_id)
    return out
