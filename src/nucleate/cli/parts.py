"""Options that keep parts of a cell, for the commands that generate."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from nucleate.request.request import Request


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
