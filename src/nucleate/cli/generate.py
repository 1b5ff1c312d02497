"""`nucleate generate`: crystals from a shipped or own model, without the rest of the pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.cli.from_settings import Config, ShowConfig, request_from, with_settings
from nucleate.cli.options import Elements, Exclude, Fix, LatticeShape, Mask, NumAtoms, Properties, Sites, SpaceGroup
from nucleate.settings import GenerateSettings

if TYPE_CHECKING:
    from nucleate.pipeline.candidate import Candidate
    from nucleate.request.request import Request

COMMAND = "nucleate generate"
SHOWN = 40  # crystals on the screen


@with_settings(GenerateSettings)
def generate(
    request: Annotated[str, typer.Argument(help='"SrTiO3", "Li-Fe-O", "a cobalt spinel" or "anything".')] = "",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Where crystals are written: a folder (CIFs), .extxyz, .jsonl or .db.")
    ] = Path("generated"),
    candidates: Annotated[
        int | None, typer.Option("--candidates", "-n", help="Number of crystals (default 5).")
    ] = None,
    elements: Elements = None,
    exclude: Exclude = None,
    num_atoms: NumAtoms = None,
    properties: Properties = None,
    space_group: SpaceGroup = "",
    sites: Sites = "",
    fix: Fix = None,
    mask: Mask = "lattice",
    lattice_shape: LatticeShape = None,
    *,
    given: Mapping[str, Any],
    config: Config = None,
    show_config: ShowConfig = False,
    overwrite: Annotated[bool, typer.Option(help="Replace what is there.")] = False,
) -> None:
    """Generate crystals and write them; as generated, neither checked nor relaxed."""
    from nucleate.cli.options import with_parts
    from nucleate.cli.progress import progress_shown
    from nucleate.cli.resumable import check_out
    from nucleate.cli.tables import output_console
    from nucleate.pipeline.candidate_files import write_candidates
    from nucleate.request.parse import parse_request
    from nucleate.tasks.blueprint import cautions, decided
    from nucleate.tasks.design import generate_candidates
    from nucleate.tasks.run_file import run_file_text

    own: dict[str, Any] = {
        "elements": elements,
        "num_atoms": num_atoms,
        "exclude": exclude,
        "space_group": space_group,
        "sites": sites,
    }
    said = {"request": request, "property": properties, "fix": fix, "lattice_shape": lattice_shape, **own}
    wanted, chosen = request_from(config, GenerateSettings, COMMAND, given, said, candidates)
    if wanted is None:
        wanted = parse_request(request, candidates=candidates, properties=properties or (), **own)
        wanted = with_parts(wanted, fix, mask, lattice_shape)
    settings = chosen.of_design()
    if show_config:
        decided(wanted, settings, as_generated=True)
        typer.echo(run_file_text(wanted, chosen, COMMAND), nl=False)
        return
    check_out(out, overwrite)
    notes = output_console(stderr=True)
    if wanted.spoken:
        notes.print(f"Understood as: {wanted.describe()}", style="bold")
    decided(wanted, settings, as_generated=True)
    for line in cautions(wanted, settings):
        notes.print(f"warning: {line}", style="yellow")
    with progress_shown() as watch:
        made = generate_candidates(wanted, settings, watch=watch)
    write_candidates(out, made)
    _show(made, wanted, out)


def _show(made: Sequence[Candidate], wanted: Request, out: Path) -> None:
    """What was generated, crystal by crystal, and what is to be thought of it."""
    from nucleate.cli.candidates import caption, elements_of, marked, radioactive, state_sets
    from nucleate.cli.tables import TerminalColumn, coloured, counted_noun, output_console, show_table
    from nucleate.crystal.geometry import mass_density, shortest_distance
    from nucleate.pipeline.rank import to_rows
    from nucleate.stages.check import check_candidate

    shown = made[:SHOWN]
    checked = [c if c.failure or c.structure is None else check_candidate(c) for c in made]
    rows = to_rows(shown)
    solid = [c.structure if c.structure is not None and len(c.structure) else None for c in shown]
    charges = [coloured(v.verdict, v.reason) if (v := c.checks.get("charge")) else coloured("-") for c in checked]
    columns = [
        TerminalColumn("id", [c.id for c in shown]),
        TerminalColumn(
            "formula", [marked(r["formula"] or "-", elements_of(c)) for r, c in zip(rows, shown, strict=True)]
        ),
        TerminalColumn("space\ngroup", [r["space_group"] or "-" for r in rows]),
        TerminalColumn("atoms", [str(r["num_atoms"] or "-") for r in rows], right=True, gives_way=1),
        TerminalColumn(
            "shortest\ndistance, Å",
            [f"{shortest_distance(s):.2f}" if s else "-" for s in solid],
            right=True,
            gives_way=2,
        ),
        TerminalColumn(
            "density\ng/cm³", [f"{mass_density(s):.2f}" if s else "-" for s in solid], right=True, gives_way=4
        ),
        TerminalColumn("charge balance", charges[:SHOWN], gives_way=3, folds=20),
    ]
    said = [f"and {len(made) - SHOWN:,} more in {out}"] if len(made) > SHOWN else []
    living = [c for c in checked if c.structure is not None]
    for name, good in (("charge", "the charge check passes"), ("distance", "no two atoms come too close")):
        passed = sum(c.checks[name].verdict == "pass" for c in living if name in c.checks)
        said.append(f"{good} in {passed} of {len(made)}")
    said += [f"{line}, as generated" if ": wanted " in line else line for line in caption(to_rows(made))]
    said += [*state_sets(checked), *radioactive(map(elements_of, made))]
    said += [wanted.left_out] if wanted.left_out else []
    said.append(
        f"{counted_noun(len(made), 'crystal')} in {out}, as generated: not relaxed, not compared with known ones"
    )
    said.append(f"next: nucleate relax {out} --out relaxed.jsonl")
    show_table(
        output_console(), columns, said, dim=[bool(c.failure) for c in shown], whole=f"nucleate show {out} others"
    )
