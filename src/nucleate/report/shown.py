"""What the pages show of one ranked candidate: its row, its space group, and what the viewer draws."""

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
    """A ranked candidate with what the page needs of it; scene is None where there is nothing to draw."""

    candidate: Candidate
    row: Mapping[str, Any]  # of rank.to_rows
    space_group: int  # 0 unknown
    scene: Mapping[str, Any] | None
    cell: str = ""  # of the drawing: its name and lengths

    @property
    def number(self) -> int:
        return int(self.row["rank"])


def show(ranked: Sequence[Candidate]) -> list[Shown]:
    """What is shown of each candidate, in their order."""
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
