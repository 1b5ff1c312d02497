"""What reports show of a ranked candidate: its row in the table, its space group, and the drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.rank import to_rows
from nucleate.report.scene import drawn_cell, scene


@dataclass(frozen=True)
class Shown:
    """A ranked candidate with all that the page needs.

    row: of `rank.to_rows`. space_group: its number, 0 where it is unknown. scene: what is drawn, None where nothing can
    be. cell: name and lengths of the cell that is drawn.
    """

    candidate: Candidate
    row: Mapping[str, Any]
    space_group: int
    scene: Mapping[str, Any] | None
    cell: str = ""

    @property
    def number(self) -> int:
        """The rank, from 1."""
        return int(self.row["rank"])


def shown_candidates(ranked: Sequence[Candidate]) -> list[Shown]:
    """What is shown of each candidate, in the order given."""
    return [_show(c, row) for c, row in zip(ranked, to_rows(ranked), strict=True)]


def _show(candidate: Candidate, row: Mapping[str, Any]) -> Shown:
    from nucleate.crystal.symmetry import space_group

    structure = candidate.structure
    if structure is None or scene(structure) is None:
        return Shown(candidate, row, 0, None)
    try:
        number = space_group(structure)[0]
    except NucleateError:
        number = 0
    drawn, name = drawn_cell(structure) if number else (structure, "own cell")
    lengths = " \u00d7 ".join(f"{v:.3f}" for v in drawn.lattice.abc)
    angles = "\u00a0".join(f"{v:.1f}".removesuffix(".0") for v in drawn.lattice.angles)
    return Shown(candidate, row, number, scene(drawn), f"{name}: {lengths} \u00c5, {angles}\u00b0")
