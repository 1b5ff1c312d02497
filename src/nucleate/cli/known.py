"""`nucleate known`: look known crystals up, offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.library.entries import KnownEntries, KnownEntry
    from nucleate.library.filters import Filters
    from nucleate.library.library import Library
    from nucleate.library.nearest import KnownRelative
    from nucleate.tasks.polymorphs import FormulaPolymorphs
    from nucleate.tasks.predict_targets import Target

SHOWN = 20
POLYMORPHS = "--polymorphs"
POLYMORPH_ENDINGS = ".csv", ".json"  # of --out, beside those of crystals

RANGE = "a number or a range (1..2, ..0.05, 3..)"


def known(
    query: Annotated[
        str,
        typer.Argument(help="A formula (SrTiO3), a chemical system (Li-Fe-O, with its subsystems) or an id (mp-149)."),
    ] = "",
    exact: Annotated[
        bool, typer.Option("--exact", help="Of a chemical system only crystals with all elements.")
    ] = False,
    contains: Annotated[str, typer.Option(help="Elements that must be there: Li,O.")] = "",
    exclude: Annotated[
        str, typer.Option(help="Elements, or groups of them, that must not be there: Pb,Cd; toxic,rare earth.")
    ] = "",
    num_elements: Annotated[str, typer.Option(help=f"How many different elements: {RANGE}.")] = "",
    num_atoms: Annotated[str, typer.Option(help=f"Atoms in the primitive cell: {RANGE}.")] = "",
    space_group: Annotated[
        str, typer.Option(help="A space group (Pnma, 225), several ('62,225') or a crystal system (cubic).")
    ] = "",
    anonymous: Annotated[str, typer.Option(help="Formula with letters for the elements: ABC3, A2B7.")] = "",
    prototype: Annotated[
        str,
        typer.Option(
            help="Structure type: a crystal family (perovskite; nucleate families), a name (cuprite, D0_3) or a label "
            "(ABC3_cP5_221_a_b_c)."
        ),
    ] = "",
    stable: Annotated[bool, typer.Option("--stable", help="Only crystals on the hull of the source.")] = False,
    e_above_hull: Annotated[str, typer.Option(help=f"Energy above the hull, eV/atom: {RANGE}.")] = "",
    e_form: Annotated[str, typer.Option(help=f"Formation energy, eV/atom: {RANGE}.")] = "",
    gap: Annotated[str, typer.Option(help=f"Band gap by PBE, eV, of crystals for which it is known: {RANGE}.")] = "",
    experimental: Annotated[
        bool | None,
        typer.Option(
            "--experimental/--hypothetical",
            help="Made in an experiment, or not (by the Materials Project; not known of others).",
        ),
    ] = None,
    source: Annotated[
        str,
        typer.Option(help="Only of the Materials Project (mp: these have energies), or only of the OQMD (oqmd)."),
    ] = "",
    like: Annotated[
        Path | None,
        typer.Option(
            help="A file of one crystal: the known crystals that are nearest to it, and in what. Asked alone."
        ),
    ] = None,
    hide: Annotated[
        list[str] | None,
        typer.Option(
            help="Crystals that must not be found, with all of their formula and structure: mp-20:val,test, an id, a "
            "formula (in all structures), or a file with an id or a formula in each line; may be given repeatedly."
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="Crystals shown (0: all); --out writes all that are found.")] = SHOWN,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Write .cif (one crystal), a folder (CIFs), .extxyz, .jsonl, .db, or .csv (no structures).",
        ),
    ] = None,
) -> None:
    """Look up known crystals, offline: by formula, elements, structure type, symmetry, energy.

    The most stable come first; of equally stable ones those that were made. Crystals are of the Materials Project
    (materialsproject.org), and those that it lacks of the OQMD's ICSD part (oqmd.org; S. Kirklin et al., npj Comput.
    Mater. 1, 15010 (2015), J. E. Saal et al., JOM 65, 1501 (2013)); both CC-BY 4.0: whoever passes them on must name
    them, as every file of --out does. Energies and gaps are those of the Materials Project alone.
    """
    from nucleate.cli.tables import counted_noun, output_console
    from nucleate.errors import NucleateError
    from nucleate.library.entries import KnownEntries
    from nucleate.library.files import check_format
    from nucleate.library.library import load_library
    from nucleate.tasks.known import filters_of, nothing_found

    console = output_console()
    if out is not None:
        check_format(out)
    library = load_library(hide=hide or [])
    filters = filters_of(
        library,
        query=query,
        exact=exact,
        contains=contains,
        exclude=exclude,
        num_elements=num_elements,
        num_atoms=num_atoms,
        space_group=space_group,
        anonymous=anonymous,
        prototype=prototype,
        stable=stable,
        e_above_hull=e_above_hull,
        e_form=e_form,
        band_gap=gap,
        experimental=experimental,
        source=source,
    )
    relatives: list[KnownRelative] = []
    if like is not None:
        relatives = _relatives(library, like, filters, top)
        found = KnownEntries(library.table, [r.entry.row for r in relatives])
    elif not filters.asked() and out is None:
        _overview(library, console)
        return
    else:
        found = library.select(filters)
    if not len(found):
        raise NucleateError(
            nothing_found(library, filters, OPTIONS) if like is None else f"nothing known is like {like}"
        )
    if out is not None:
        found.write(out)
    _table(found, found[:top] if top else found, relatives, console)
    if library.hidden_text:
        console.print(f"hidden: {library.hidden_text}")
    if out is not None:
        console.print(f"{counted_noun(len(found), 'crystal')} in {out}", soft_wrap=True)


def _relatives(library: Library, like: Path, filters: Filters, top: int) -> list[KnownRelative]:
    from nucleate.errors import NucleateError
    from nucleate.io import read_structures

    if filters.asked():
        raise NucleateError("--like is asked alone; of what else is known, leave it out")
    read = read_structures([like])
    if read.problems:
        raise NucleateError(str(read.problems[0]))
    if len(read.structures) != 1:
        raise NucleateError(f"{like} holds {len(read.structures)} crystals; --like takes one")
    return library.like(read.structures[0].structure, top or len(library))


OPTIONS = {
    "formula": "the formula", "system": "the elements", "contains": "--contains", "exclude": "--exclude",
    "num_elements": "--num-elements", "num_atoms": "--num-atoms", "space_groups": "--space-group",
    "anonymous": "--anonymous", "prototypes": "--prototype", "among": "--prototype",
    "e_above_hull": "--stable or --e-above-hull", "e_form": "--e-form", "band_gap": "--gap",
    "experimental": "--experimental or --hypothetical", "ids": "the id", "sources": "--source",
}  # fmt: skip


def _overview(library: Library, console: Console) -> None:
    import numpy as np

    table = library.table
    made = int((table.experimental == 1).sum())
    formulas = len(np.unique(table.formulas.keys))
    console.print(f"{len(library):,} known crystals of {formulas:,} formulas; {made:,} were made in an experiment")
    console.print(library.entries().attribution, soft_wrap=True)
    console.print("look one up: nucleate known SrTiO3; nucleate known --help shows what can be asked", soft_wrap=True)


def _raised(entries: Sequence[KnownEntry]) -> list[str]:
    """The sentence on crystals whose energy is not the one that the data give."""
    raised = [f"{e.id} by {e.raised:.3f}" for e in entries if e.raised]
    if not raised:
        return []
    return [
        f"raised: {', '.join(raised)} eV/atom; the Materials Project gives them the energy of a crystal of the same "
        "formula that is lower by CHGNet, and the difference is added"
    ]


def _table(found: KnownEntries, shown: KnownEntries, relatives: Sequence[KnownRelative], console: Console) -> None:
    """relatives: of each crystal what it has in common with the one of --like; none where that is not asked."""
    from nucleate.cli.candidates import marked, radioactive
    from nucleate.cli.tables import TerminalColumn, counted_noun, show_table

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    entries = list(shown)
    made = {True: "yes", False: "no", None: "-"}
    columns = [
        TerminalColumn("id", [e.id for e in entries]),
        TerminalColumn("formula", [marked(e.formula, e.elements) for e in entries]),
        TerminalColumn("space\ngroup", [e.space_group_symbol for e in entries]),
        TerminalColumn("atoms", [str(e.num_atoms) for e in entries], right=True, gives_way=2),
        TerminalColumn("e_above_hull\neV/atom", [number(e.e_above_hull) for e in entries], right=True),
        TerminalColumn("e_form\neV/atom", [number(e.e_form) for e in entries], right=True, gives_way=3),
        TerminalColumn("gap\neV", [number(e.band_gap) for e in entries], right=True, gives_way=4),
        TerminalColumn("made", [made[e.experimental] for e in entries], gives_way=1),
        TerminalColumn("prototype", [e.prototype for e in entries], gives_way=5),
    ]
    if relatives:
        columns[2:2] = [
            TerminalColumn("in common", [r.relation for r in relatives[: len(entries)]]),
            TerminalColumn(
                "distance", [f"{r.distance:.2f}" for r in relatives[: len(entries)]], right=True, gives_way=1
            ),
            TerminalColumn("it has", [r.differs for r in relatives[: len(entries)]], folds=24, gives_way=6),
        ]
    rest = f", the first {len(shown):,} shown (--top 0: all)" if len(shown) < len(found) else ""
    said = f"{counted_noun(len(found), 'known crystal')}{rest}; made: in an experiment, by the Materials Project"
    show_table(
        console,
        columns,
        [said, *_raised(entries), found.attribution, *radioactive(e.elements for e in entries)],
        whole="--out FILE.csv has them",
    )


def with_energy(arguments: Sequence[str]) -> list[str]:
    """The arguments of a command line with an energy after POLYMORPHS, where the user gave none."""
    from nucleate.tasks.polymorphs import WITHIN

    out: list[str] = []
    for i, argument in enumerate(arguments):
        out.append(argument)
        if argument == POLYMORPHS and not _is_number(arguments[i + 1] if i + 1 < len(arguments) else ""):
            out.append(f"{WITHIN:g}")
    return out


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def list_polymorphs(wanted: Sequence[Target], hide: Sequence[str], within: float, out: Path | None) -> None:
    """Print the polymorphs of each formula, and write them. A formula without any is told and does not stop the
    others; it is an error where it is the only one."""
    from nucleate.cli.tables import counted_noun, output_console
    from nucleate.errors import NucleateError
    from nucleate.library.library import load_library
    from nucleate.tasks.polymorphs import polymorphs, write_polymorphs

    library = load_library(hide=list(hide))
    console, notes = output_console(), output_console(stderr=True)
    found: list[FormulaPolymorphs] = []
    for target in wanted:
        try:
            if target.problem or target.system:
                raise NucleateError(target.problem or f"{'-'.join(target.system)} is no formula; polymorphs are of one")
            found.append(polymorphs(library, target.counts, within))
        except NucleateError as error:
            if len(wanted) == 1:
                raise
            notes.print(str(error), style="yellow", soft_wrap=True)
    if not found:
        raise NucleateError("none of the formulas has a known crystal with an energy")
    for one in found:
        _show_polymorphs(one, within)
    if out is not None:
        every = [polymorph for one in found for polymorph in one.listed]
        write_polymorphs(out, every)
        console.print(f"{counted_noun(len(every), 'crystal')} in {out}", soft_wrap=True)


def _show_polymorphs(found: FormulaPolymorphs, within: float) -> None:
    from nucleate.cli.candidates import marked
    from nucleate.cli.tables import TerminalColumn, counted_noun, output_console, show_table
    from nucleate.families.naming import structure_type_name

    made = {True: "yes", False: "no", None: "-"}
    entries = [one.entry for one in found.listed]
    columns = [
        TerminalColumn("id", [e.id for e in entries]),
        TerminalColumn("formula", [marked(e.formula, e.elements) for e in entries], gives_way=4),
        TerminalColumn("structure type", [structure_type_name(e) or e.prototype for e in entries], gives_way=3),
        TerminalColumn("space\ngroup", [e.space_group_symbol for e in entries]),
        TerminalColumn("atoms", [str(e.num_atoms) for e in entries], right=True, gives_way=2),
        TerminalColumn("above lowest\nmeV/atom", [f"{1000 * one.height:.0f}" for one in found.listed], right=True),
        TerminalColumn("e_above_hull\neV/atom", [f"{e.e_above_hull or 0.0:.3f}" for e in entries], right=True),
        TerminalColumn("made", [made[e.experimental] for e in entries], gives_way=1),
    ]
    if any(one.also for one in found.listed):
        columns.append(TerminalColumn("also", [", ".join(one.also) or "-" for one in found.listed], folds=24))
    crystals = len(entries) + sum(len(one.also) for one in found.listed)
    said = [
        f"{counted_noun(len(entries), 'structure')} of {found.formula} up to {within:g} eV/atom above the lowest, from "
        f"{counted_noun(crystals, 'known crystal')}"
        + (f"; {counted_noun(found.higher, 'crystal')} higher" if found.higher else "")
        + (f"; {counted_noun(found.unknown, 'crystal')} without an energy" if found.unknown else ""),
        "also: the same structure, by pymatgen's StructureMatcher; energies: of the Materials Project",
    ]
    show_table(output_console(), columns, said)
