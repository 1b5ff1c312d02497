"""What reading a file gives: crystals, problems (rows that could not be used), and remarks (what to look at)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True)
class Named:
    """An ordered crystal with its name.

    info: scalar properties (str, bool, int, float). file, row: where it was read; rows are counted from 1. remarks:
    what the user should look at, although the crystal could be read (deuterium read as hydrogen, an unusual density).
    fixed: the sites (from 0) that must not move in relaxations according to the file.
    """

    name: str
    structure: Structure
    info: dict[str, Any] = field(default_factory=dict)
    file: str = ""
    row: int | None = None
    remarks: tuple[str, ...] = ()
    fixed: tuple[int, ...] = ()


@dataclass(frozen=True)
class Problem:
    """Why a file, or a row of it, could not be used. Rows are counted from 1, without a header line."""

    file: str
    row: int | None
    reason: str

    def __str__(self) -> str:
        return f"{self.file}{f', row {self.row}' if self.row is not None else ''}: {self.reason}"


@dataclass(frozen=True)
class Remark(Problem):
    """What the user should look at in a file or row that was read."""


@dataclass(frozen=True)
class ReadResult:
    """The crystals that were read, the problems of what could not be read, and remarks on whole files (`notes`)."""

    structures: list[Named]
    problems: list[Problem]
    notes: list[Remark] = field(default_factory=list)

    @property
    def remarks(self) -> list[Remark]:
        """All remarks with file and row: first those on files, then those on each crystal."""
        return [*self.notes, *(remark for s in self.structures for remark in remarks_of(s))]


def remarks_of(named: Named) -> list[Remark]:
    """The remarks on a crystal, with file and row."""
    return [Remark(named.file, named.row, text) for text in named.remarks]
