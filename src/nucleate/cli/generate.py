"""`nucleate generate`: crystals from a shipped or own model, without the rest of the pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def generate(
    request: Annotated[str, typer.Argument(help='A formula, a chemical system, or "anything".')] = "",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder (CIFs), .extxyz, .jsonl or .db.")] = Path(
        "generated"
    ),
    candidates: Annotated[int | None, typer.Option("--candidates", "-n", help="Crystals (default 5).")] = None,
    elements: Annotated[str | None, typer.Option(help="Chemical system as a list: Li,Fe,O.")] = None,
    num_atoms: Annotated[int | None, typer.Option(help="Atoms in the cell.")] = None,
    properties: Annotated[
        list[str] | None, typer.Option("--property", "-p", help="Wanted: e_form=-3.2, band_gap=1.0..1.6 (repeatable).")
    ] = None,
    fix: Annotated[Path | None, typer.Option(help="Structure file of which parts are kept; see --mask.")] = None,
    mask: Annotated[str, typer.Option(help="What is kept of it: lattice, shape, coords, species, O, 1-4.")] = "lattice",
    lattice_shape: Annotated[str | None, typer.Option(help="cubic, fcc, bcc, hexagonal, tetragonal ...")] = None,
    weights: Annotated[str, typer.Option(help="Shipped model or file; auto: the model for the request.")] = "auto",
    seed: Annotated[int, typer.Option(help="Same seed, same crystals.")] = 0,
    steps: Annotated[int, typer.Option(help="Sampling steps (0: the recipe's).")] = 0,
    sampler: Annotated[str, typer.Option(help="ancestral, ddim or second-order; default: the recipe's.")] = "",
    guidance: Annotated[float, typer.Option(help="Classifier-free guidance scale of the conditions.")] = 1.5,
    judge: Annotated[
        str,
        typer.Option(help="Property network that predicts what is wanted: shipped name or file; auto: for the data."),
    ] = "auto",
    overwrite: Annotated[bool, typer.Option(help="Replace what is there.")] = False,
) -> None:
    """Generate crystals and write them; as generated, neither checked nor relaxed."""
    from rich.console import Console

    from nucleate.cli.parts import with_parts
    from nucleate.cli.progress import StageBars
    from nucleate.cli.tables import wishes
    from nucleate.errors import NucleateError
    from nucleate.pipeline.files import write_candidates
    from nucleate.pipeline.rank import to_rows
    from nucleate.search.design import DesignSettings, cautions, generate_candidates
    from nucleate.search.request import parse_request

    wanted = parse_request(
        request, elements=elements, candidates=candidates, num_atoms=num_atoms, properties=properties or ()
    )
    wanted = with_parts(wanted, fix, mask, lattice_shape)
    if out.exists() and not overwrite:
        raise NucleateError(f"{out} exists; use --overwrite or another --out")
    settings = DesignSettings(
        seed=seed,
        oversample=1,
        weights=weights,
        sampling_steps=steps,
        sampler=sampler,
        guidance_scale=guidance,
        judge=judge,
    )
    for line in cautions(wanted, settings):
        Console(stderr=True).print(f"warning: {line}", style="yellow", highlight=False)
    with StageBars() as bars:
        made = generate_candidates(wanted, settings, progress=bars)
    write_candidates(out, made)
    Console().print(f"{len(made)} crystals in {out}", highlight=False)
    for line in wishes(to_rows(made)):
        Console().print(f"{line}, as generated", highlight=False)
