"""The table of `nucleate predict --polymorphs`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleate.tasks.polymorphs import Polymorphs
    from nucleate.tasks.predict_targets import Target

OPTION = "--polymorphs"
ENDINGS = ".csv", ".json"  # of --out, beside those of crystals


def with_energy(arguments: Sequence[str]) -> list[str]:
    """The arguments of a command line with an energy after OPTION, where the user gave none."""
    from nucleate.tasks.polymorphs import WITHIN

    out: list[str] = []
    for i, argument in enumerate(arguments):
        out.append(argument)
        if argument == OPTION and not _is_number(arguments[i + 1] if i + 1 < len(arguments) else ""):
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
    found: list[Polymorphs] = []
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
        _show(one, within)
    if out is not None:
        every = [polymorph for one in found for polymorph in one.listed]
        write_polymorphs(out, every)
        console.print(f"{counted_noun(len(every), 'crystal')} in {out}", soft_wrap=True)


def _show(found: Polymorphs, within: float) -> None:
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
        columns.append(TerminalColumn("the same", [", ".join(one.also) or "-" for one in found.listed], folds=24))
    crystals = len(entries) + sum(len(one.also) for one in found.listed)
    said = [
        f"{counted_noun(len(entries), 'structure')} of {found.formula} up to {within:g} eV/atom above the lowest, from "
        f"{counted_noun(crystals, 'known crystal')}"
        + (f"; {counted_noun(found.higher, 'crystal')} higher" if found.higher else "")
        + (f"; {counted_noun(found.unknown, 'crystal')} without an energy" if found.unknown else ""),
        "the same: by pymatgen's StructureMatcher within one space group; energies: of the Materials Project",
    ]
    show_table(output_console(), columns, said)
