"""What reading a file gives: crystals, rows that could not be used, and what to look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True)
class Named:
    """An ordered crystal with its name and its scalar properties (str, bool, int, float); row counts from 1.

    remarks: what whoever wrote the file should look at, though the crystal could be read (deuterium read as hydrogen,
    a density far from anything real). fixed: sites (from 0) that the file keeps in place in relaxations.
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
    """Why a file, or a row of it (counting from 1, a header line apart), could not be used."""

    file: str
    row: int | None
    reason: str

    def __str__(self) -> str:
        return f"{self.file}{f', row {self.row}' if self.row is not None else ''}: {self.reason}"


@dataclass(frozen=True)
class Remark(Problem):
    """What to look at in a file or row that was read."""


@dataclass(frozen=True)
class ReadResult:
    """What was read, everything that could not be, and what to look at in files as such (`notes`)."""

    structures: list[Named]
    problems: list[Problem]
    notes: list[Remark] = field(default_factory=list)

    @property
    def remarks(self) -> list[Remark]:
        """What to look at in what was read, each with file and row: of files, and then of each crystal."""
        return [*self.notes, *(remark for s in self.structures for remark in remarks_of(s))]


def remarks_of(named: Named) -> list[Remark]:
    """What to look at in a crystal that was read, with file and row."""
    return [Remark(named.file, named.row, text) for text in named.remarks]
