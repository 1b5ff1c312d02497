"""How elements of a crystal are replaced by others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from nucleate.settings.base import About, Settings

ALL = "all"  # of the sites of an element, alike


@dataclass(frozen=True)
class SubstituteSettings(Settings):
    """Settings of `nucleate substitute`."""

    sites: Annotated[
        Literal["all", "orbits"],
        About(
            "all: an element is replaced on all its sites alike. orbits: each set of symmetry-equivalent sites is "
            "taken by itself, and gets one of the new elements or keeps its own."
        ),
    ] = "all"
    max_atoms: Annotated[
        int,
        Ge(0),
        About(
            "Sites that a cell may have at most in which shared sites are ordered; 0: the smallest cell that holds the "
            "shares exactly."
        ),
    ] = 0
    volume: Annotated[
        Literal["scaled", "copy"],
        About("Volume of the new cell: scaled by the volumes of the atoms, or copy of the given one."),
    ] = "scaled"
