"""Options that several commands share, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Properties = Annotated[
    list[str] | None, typer.Option("--property", "-p", help="Wanted: e_form=-3.2, band_gap=1.0..1.6 (repeatable).")
]
Elements = Annotated[
    str | None, typer.Option(help="Chemical system as a list: Li,Fe,O; all: any elements, radioactive ones too.")
]
Contains = Annotated[str | None, typer.Option(help="Elements that drawn formulas must have: Li,O.")]
Exclude = Annotated[
    str | None, typer.Option(help="Elements, or groups of them, that must not be there: Pb,Cd; toxic,rare earth.")
]
NumElements = Annotated[int | None, typer.Option(help="How many different elements they must have.")]
NumAtoms = Annotated[int | None, typer.Option(help="Atoms in the cell.")]
Fix = Annotated[Path | None, typer.Option(help="Structure file of which parts are kept; see --mask.")]
Mask = Annotated[str, typer.Option(help="What is kept of it: lattice, shape, coords, species, O, 1-4.")]
LatticeShape = Annotated[str | None, typer.Option(help="cubic, fcc, bcc, hexagonal, tetragonal ...")]
SpaceGroup = Annotated[
    str, typer.Option(help="Symmetry that crystals have at least: Pnma, 225, '62,225', cubic, common, common:8.")
]
Sites = Annotated[str, typer.Option(help="Sets of equivalent atoms of each element: K:1,Cu:2,Si:1.")]
Weights = Annotated[
    str, typer.Option(help="Shipped model, file or plug-in (nucleate plugins); auto: the model for the request.")
]
Seed = Annotated[int, typer.Option(help="Same seed, same crystals.")]
Steps = Annotated[int, typer.Option(min=0, help="Sampling steps (0: the recipe's).")]
Sampler = Annotated[str, typer.Option(help="ancestral, ddim or second-order; default: the recipe's.")]
Guidance = Annotated[
    float | None, typer.Option(help="Classifier-free guidance scale of the conditions; default: the recipe's.")
]
Temperature = Annotated[
    float | None,
    typer.Option(help="Of the drawn elements: below 1 likely ones, above 1 more variety; default: the recipe's."),
]
Judge = Annotated[
    str, typer.Option(help="Property network that predicts what is wanted: shipped name or file; auto: for the data.")
]
Engine = Annotated[
    str, typer.Option(help="Where stages run: local, or of another package (nucleate plugins; NUCLEATE_ENGINE).")
]
Workers = Annotated[int, typer.Option(min=0, help="Processes (0: one per core).")]
CRYSTAL_FILES = (
    "CIF, POSCAR, extxyz, .res, .cell, CSV, JSON, .jsonl, ASE's .db, parquet, packed (.gz) or not; "
    "folders or a .zip of them"
)
Crystals = Annotated[list[Path], typer.Argument(help=f"Crystals: {CRYSTAL_FILES}.")]
CrystalsOut = Annotated[
    Path, typer.Option("--out", "-o", help="Folder (CIFs), .extxyz, .db, or .jsonl (whole records).")
]
Potential = Annotated[
    str, typer.Option(help="chgnet, sevennet, mace:FILE, matgl:FOLDER or ase:PACKAGE.MODULE:CALLABLE.")
]
_TREE = "Tree search"
Search = Annotated[
    str,
    typer.Option(
        help="best-first (default where an option of this panel is given), breadth-first or beam.",
        rich_help_panel=_TREE,
    ),
]
Formulas = Annotated[int, typer.Option(min=0, help="H: formulas proposed (0: 5 W).", rich_help_panel=_TREE)]
Width = Annotated[
    int, typer.Option(min=0, help="W: formulas opened (0: as --oversample has it).", rich_help_panel=_TREE)
]
StructuresEach = Annotated[
    int, typer.Option(min=0, help="L: structures of each (0: 4, or all types of a family).", rich_help_panel=_TREE)
]
Seconds = Annotated[
    float | None,
    typer.Option(min=0, help="Stop after so many seconds of work; --resume goes on.", rich_help_panel=_TREE),
]
Evaluations = Annotated[
    int | None, typer.Option(min=0, help="Stop after so many structures; --resume goes on.", rich_help_panel=_TREE)
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
