"""Options that several commands share, each said once."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from nucleate.request.request import Request

Properties = Annotated[
    list[str] | None,
    typer.Option(
        "--property", "-p", help="Wanted property: e_form=-3.2, or a range, band_gap=1.0..1.6; may be given repeatedly."
    ),
]
Elements = Annotated[
    str | None,
    typer.Option(help="Elements that crystals consist of: Li,Fe,O; all: any elements, radioactive ones too."),
]
Contains = Annotated[str | None, typer.Option(help="Elements that drawn formulas must contain: Li,O.")]
Exclude = Annotated[
    str | None, typer.Option(help="Elements, or groups of them, that must not be there: Pb,Cd; toxic,rare earth.")
]
NumElements = Annotated[int | None, typer.Option(help="How many different elements formulas must have.")]
NumAtoms = Annotated[int | None, typer.Option(help="Number of atoms in the cell.")]
Fix = Annotated[Path | None, typer.Option(help="File of a structure of which parts are kept (--mask).")]
Mask = Annotated[
    str,
    typer.Option(
        help="What is kept of the structure of --fix: lattice, shape (of the cell), coords, species, the atoms of an "
        "element (O), or atoms by number (1-4)."
    ),
]
LatticeShape = Annotated[str | None, typer.Option(help="Shape of the cell: cubic, fcc, bcc, hexagonal, tetragonal ...")]
SpaceGroup = Annotated[
    str,
    typer.Option(
        help="Symmetry that crystals have at least: a space group (Pnma, 225), several ('62,225'), a crystal system "
        "(cubic), or the commonest groups (common, common:8)."
    ),
]
Sites = Annotated[str, typer.Option(help="Number of sets of symmetry-equivalent atoms of each element: K:1,Cu:2,Si:1.")]
Engine = Annotated[
    str,
    typer.Option(
        help="Where the work is done: local (on this machine), or by an engine of another package (nucleate plugins). "
        "Default: what the environment variable NUCLEATE_ENGINE says, else local."
    ),
]
Workers = Annotated[int, typer.Option(min=0, help="Processes that work at the same time; 0: one for each core.")]
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
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


def with_parts(request: Request, fix: Path | None, mask: str, lattice_shape: str | None) -> Request:
    """The request with the parts of a cell that `--fix`, `--mask` and `--lattice-shape` keep.

    Raises NucleateError for an unknown shape, and for a file that does not hold exactly one readable crystal.
    """
    from nucleate.request.request import with_fixed_parts

    if lattice_shape is not None:
        from nucleate.crystal.shape import named_shape

        named_shape(lattice_shape)  # refuses an unknown name before any work
        request = dataclasses.replace(request, lattice_shape=lattice_shape)
    if fix is None:
        return request
    from nucleate.io import read_structures

    found = read_structures([fix])
    if found.problems:
        raise NucleateError(f"cannot take parts of {found.problems[0]}")
    if len(found.structures) != 1:
        raise NucleateError(f"{fix} holds {len(found.structures)} structures; --fix takes one")
    from nucleate.generators.inpaint import fixed_parts

    return with_fixed_parts(request, fixed_parts(found.structures[0].structure, mask))
