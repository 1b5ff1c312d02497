"""`nucleate substitute`: other elements into crystals of files. `nucleate order`: ordered cells of disordered ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.cli.from_settings import with_settings
from nucleate.cli.options import Overwrite
from nucleate.settings import OrderSettings, SubstituteSettings

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.io import Named
    from nucleate.orderings.partial import OrderedCrystals
    from nucleate.pipeline.candidate import Candidate
    from nucleate.tasks.substitute import Substituted

SHOWN = 40  # crystals on the screen


@with_settings(SubstituteSettings)
def substitute(
    files: Annotated[
        list[Path], typer.Argument(help="Crystals in files or folders; in CIF files several elements may share a site.")
    ],
    swap: Annotated[
        list[str] | None,
        typer.Option(
            "--swap",
            "-s",
            help="What is replaced by what: Ca=Sr,Ba (one crystal for each), Ca=Sr:0.5 (half of it), "
            "Ca=Sr:0.5+Ba:0.5, Li=vacancy:0.5; may be given repeatedly, and all combinations are made.",
        ),
    ] = None,
    *,
    given: Mapping[str, Any],
    top: Annotated[int, typer.Option(min=0, help="How many crystals are kept, the likeliest ones; 0: all.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Where crystals are written: a folder (CIFs), or a file .extxyz, .jsonl or .db."
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Replace elements of crystals by others: all combinations, each once, the likeliest ions first.

    Parts of an element, and sites that a file shares between elements, become ordered cells: every arrangement that
    symmetry tells from the others."""
    from nucleate.cli.resumable import check_out
    from nucleate.cli.tables import counted_noun, output_console, print_problems
    from nucleate.io.shared_sites import read_with_shared_sites
    from nucleate.pipeline.candidate_files import with_own_ids, write_candidates
    from nucleate.tasks.substitute import candidates_of, read_swaps, substitute_all

    swaps, settings = read_swaps(swap or []), SubstituteSettings.of(**given)
    if out is not None:
        check_out(out, overwrite)
    notes = output_console(stderr=True)
    crystals, problems = read_with_shared_sites(files)
    print_problems(problems, notes)
    made: list[tuple[Substituted, Candidate]] = []
    for item in crystals:
        found = substitute_all(item.structure, swaps, settings)
        made += zip(found, candidates_of(found, item.name), strict=True)
    likely = [one.likelihood for one, _ in made]
    order = sorted(range(len(made)), key=lambda i: (likely[i] is None, -(likely[i] or 0.0)))
    kept = order[:top] if top else order
    candidates = with_own_ids(made[i][1] for i in kept)
    _show([made[i][0] for i in kept], candidates, out)
    if out is not None:
        write_candidates(out, candidates)
        output_console().print(f"{counted_noun(len(candidates), 'crystal')} in {out}, not relaxed", soft_wrap=True)
        output_console().print(f"next: nucleate screen {out} --out runs/screen", soft_wrap=True)


def _show(found: Sequence[Substituted], candidates: Sequence[Candidate], out: Path | None) -> None:
    """A row for each crystal, and below what the numbers are."""
    from nucleate.cli.candidates import elements_of, marked, radioactive, state_sets
    from nucleate.cli.tables import TerminalColumn, coloured, output_console, show_table
    from nucleate.crystal.symmetry import space_group
    from nucleate.families.ionic import SOURCE

    shown = list(zip(found, candidates, strict=True))[:SHOWN]
    charges = [c.checks.get("charge") for _, c in shown]
    columns = [
        TerminalColumn("id", [c.id for _, c in shown]),
        TerminalColumn("formula", [marked(c.formula, elements_of(c)) for _, c in shown], gives_way=3),
        TerminalColumn("space\ngroup", [space_group(one.structure)[1] for one, _ in shown]),
        TerminalColumn("atoms", [str(len(one.structure)) for one, _ in shown], right=True, gives_way=4),
        TerminalColumn("swaps", [one.swaps or "-" for one, _ in shown], gives_way=2, folds=16),
        TerminalColumn(
            "log10\nlikelihood",
            ["-" if one.likelihood is None else f"{one.likelihood:.2f}" for one, _ in shown],
            right=True,
            gives_way=1,
        ),
        TerminalColumn("volume", [f"{one.volume:.2f}" for one, _ in shown], right=True, gives_way=5),
        TerminalColumn("charge balance", [coloured(v.verdict, v.reason) if v else coloured("-") for v in charges],
               gives_way=6, folds=20),
    ]  # fmt: skip
    more = len(candidates) - len(shown)
    said = [f"and {more:,} more{f' in {out}' if out is not None else '; --out FILE.jsonl writes all'}"] if more else []
    if any(one.likelihood is not None for one, _ in shown):
        said.append(f"log10 likelihood: of the new ions in place of the old ones, by {SOURCE}; - where it is not known")
    said.append("volume: of the cell over the given one")
    said += [f"rejected: {c.id}, {c.failure.reason}" for _, c in shown if c.failure]
    said += [*state_sets(candidates), *radioactive(map(elements_of, candidates))]
    show_table(output_console(), columns, said, dim=[c.failure is not None for _, c in shown])


@with_settings(OrderSettings)
def order(
    file: Annotated[
        Path, typer.Argument(help="A CIF, or a structure of pymatgen in JSON, with shared or partly empty sites.")
    ],
    *,
    given: Mapping[str, Any],
    count: Annotated[int, typer.Option(min=1, help="Ordered crystals that are kept, the first ones.")] = 20,
    charges: Annotated[
        str, typer.Option(help="Charges for electrostatic energies, of all elements: La=3,Sr=2,Mn=3.5,O=-2.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Where crystals are written: a folder (CIFs), or a file .cif, .extxyz, .jsonl or .db.",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Order a crystal with partial occupancies: every arrangement that symmetry tells from the others.

    Vacancies are placed, too. Arrangements are ranked by their electrostatic energy where charges are known, else the
    most symmetric come first. Occupancies are never rounded without a word."""
    from nucleate.cli.resumable import check_place
    from nucleate.cli.tables import counted_noun, output_console, print_problems
    from nucleate.errors import NucleateError
    from nucleate.io.shared_sites import MERGED, read_with_shared_sites
    from nucleate.tasks.order import named_orderings, ordered_by, read_charges, write_orderings

    settings = OrderSettings.of(**given)
    known = read_charges(charges) if charges else None
    if out is not None:
        if out.exists() and not overwrite:
            raise NucleateError(f"{out} exists; use --overwrite or another --out")
        check_place(out, ".cif")
    notes = output_console(stderr=True)
    crystals, problems = read_with_shared_sites([file])
    print_problems(problems, notes)
    if len(crystals) != 1:
        raise NucleateError(f"{file} holds {len(crystals)} crystals; nucleate order takes one")
    found = ordered_by(crystals[0].structure, settings, count, known, merged=MERGED in crystals[0].info)
    for note in found.notes:
        notes.print(f"note: {note}", soft_wrap=True)
    named = named_orderings(found, crystals[0].name)
    _show_ordered(found, named, output_console())
    if out is not None:
        write_orderings(out, named)
        output_console().print(f"{counted_noun(len(named), 'crystal')} in {out}, not relaxed", soft_wrap=True)
        output_console().print(f"next: nucleate screen {out} --out runs/screen", soft_wrap=True)


def _show_ordered(found: OrderedCrystals, named: Sequence[Named], console: Console) -> None:
    """A row for each crystal, and below how many there are and by what they are ranked."""
    from nucleate.cli.candidates import marked, radioactive
    from nucleate.cli.tables import TerminalColumn, counted_noun, show_table

    shown = list(zip(found.crystals, named, strict=True))[:SHOWN]
    lowest = found.crystals[0].energy
    elements = [[e.symbol for e in one.structure.composition.elements] for one, _ in shown]
    energies = [one.energy for one, _ in shown]
    above = ["-" if e is None or lowest is None else f"{abs(1000 * (e - lowest)):.1f}" for e in energies]
    columns = [
        TerminalColumn("id", [n.name for _, n in shown]),
        TerminalColumn(
            "formula", [marked(str(n.info["formula"]), own) for (_, n), own in zip(shown, elements, strict=True)]
        ),
        TerminalColumn("space\ngroup", [str(n.info["space_group"]) for _, n in shown]),
        TerminalColumn("index", [str(one.index) for one, _ in shown], right=True),
        TerminalColumn("atoms", [str(len(one.structure)) for one, _ in shown], right=True, gives_way=1),
        TerminalColumn("Ewald energy\nmeV/atom above", above, right=True),
    ]
    more = "" if len(shown) == found.found else f", {len(shown):,} shown"
    said = [
        f"{counted_noun(found.found, 'distinct ordered crystal')} of {counted_noun(found.total, 'arrangement')}{more}; "
        "index: of the space group in that of the disordered crystal, before atoms move"
    ]
    if lowest is not None:
        ions = ", ".join(f"{s} {q:+.3g}" for s, q in found.charges.items())
        said.append(f"Ewald energy: of point charges on these sites ({ions}); the lowest is {lowest:.3f} eV/atom")
    show_table(console, columns, [*said, *radioactive(elements)])
