"""How elements of a crystal are replaced by others, and how sites that elements share are ordered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

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


@dataclass(frozen=True)
class OrderSettings(Settings):
    """Settings of `nucleate order`."""

    max_atoms: Annotated[int, Ge(1), About("Atoms that an ordered cell may have at most.")] = 60
    multiples: Annotated[
        int,
        Ge(1),
        About("Cells of up to so many times the smallest size that holds the occupancies are tried."),
    ] = 1
    tolerance: Annotated[
        float,
        Ge(0),
        Le(0.5),
        About(
            "How far an occupancy may be from that of the file where no cell holds it; farther ones are refused, with "
            "the nearest composition."
        ),
    ] = 0.02
    arrangements: Annotated[
        int,
        Ge(1),
        About(
            "Arrangements that are looked at one by one; where there are more, those that keep much symmetry are, and "
            "a random sample of others."
        ),
    ] = 100_000
    seed: Annotated[int, Ge(0), About("Seed of that sample.")] = 0
