"""`nucleate generate`: crystals from a shipped or own model, without the rest of the pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nucleate.cli.options import (
    Elements,
    Fix,
    Guidance,
    Judge,
    LatticeShape,
    Mask,
    NumAtoms,
    Properties,
    Sampler,
    Seed,
    Sites,
    SpaceGroup,
    Steps,
    Temperature,
    Weights,
)


def generate(
    request: Annotated[str, typer.Argument(help='"SrTiO3", "Li-Fe-O", "a cobalt spinel" or "anything".')] = "",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder (CIFs), .extxyz, .jsonl or .db.")] = Path(
        "generated"
    ),
    candidates: Annotated[int | None, typer.Option("--candidates", "-n", help="Crystals (default 5).")] = None,
    elements: Elements = None,
    num_atoms: NumAtoms = None,
    properties: Properties = None,
    space_group: SpaceGroup = "",
    sites: Sites = "",
    fix: Fix = None,
    mask: Mask = "lattice",
    lattice_shape: LatticeShape = None,
    weights: Weights = "auto",
    seed: Seed = 0,
    steps: Steps = 0,
    sampler: Sampler = "",
    guidance: Guidance = None,
    temperature: Temperature = None,
    judge: Judge = "auto",
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
    from nucleate.search.design import DesignSettings, generate_candidates
    from nucleate.search.model import cautions
    from nucleate.search.request import parse_request

    wanted = parse_request(
        request,
        elements=elements,
        candidates=candidates,
        num_atoms=num_atoms,
        properties=properties or (),
        space_group=space_group,
        sites=sites,
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
        species_temperature=temperature,
        judge=judge,
    )
    if wanted.spoken:
        Console(stderr=True).print(f"Understood as: {wanted.describe()}", style="bold", highlight=False)
    for line in cautions(wanted, settings):
        Console(stderr=True).print(f"warning: {line}", style="yellow", highlight=False)
    with StageBars() as bars:
        made = generate_candidates(wanted, settings, progress=bars)
    write_candidates(out, made)
    Console().print(f"{len(made)} crystals in {out}", highlight=False)
    for line in wishes(to_rows(made)):
        Console().print(f"{line}, as generated", highlight=False)
