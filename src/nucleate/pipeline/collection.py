"""`Candidates`: a list of candidates that can be shown and exported as a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from nucleate.lazy import imported_when_called
from nucleate.pipeline.candidate import Candidate

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms
    from pymatgen.core import Structure
    from pymatgen.entries.computed_entries import ComputedStructureEntry

SHOWN = 20  # rows of the table as a text
COLUMNS = {"rank": "#", "id": "id", "formula": "formula", "space_group": "group", "num_atoms": "atoms",
           "e_form": "e_form", "e_above_hull": "e_above_hull", "novel": "novel", "checks": "checks",
           "nearest": "nearest known crystal"}  # fmt: skip


class Candidates(list[Candidate]):
    """A list of `Candidate` in a fixed order, for instance best first.

    Example:
        >>> import nucleate
        >>> checked = nucleate.check(["NaCl", "MgO"])
        >>> [c.formula for c in checked]
        ['NaCl', 'MgO']
        >>> checked.to_frame().shape[0]
        2
    """

    @property
    def structures(self) -> list[Structure]:
        """The pymatgen structures of the candidates that have one."""
        return [c.structure for c in self if c.structure is not None]

    @property
    def living(self) -> Candidates:
        """The candidates that were not rejected."""
        return Candidates(c for c in self if c.failure is None)

    def to_frame(self) -> pd.DataFrame:
        """A pandas table with a row for each candidate, described by `pipeline.frame.to_frame`; energies in eV/atom."""
        from nucleate.pipeline.frame import to_frame

        return to_frame(self)

    def to_ase(self) -> list[Atoms]:
        """ASE atoms of the candidates that have a structure, with their energies where there are any."""
        return [c.to_ase() for c in self if c.structure is not None]

    def to_entries(self) -> list[ComputedStructureEntry]:
        """Entries for pymatgen's phase diagrams, of the candidates that have an energy."""
        return [c.to_entry() for c in self if c.structure is not None and "energy" in c.energies]

    def write(self, path: str | Path) -> Path:
        """Write the candidates and return the path: .jsonl (full records), .extxyz, .xyz, .db, or a folder of CIFs."""
        from nucleate.pipeline.candidate_files import write_candidates

        write_candidates(path, self)
        return Path(path)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Candidate: ...
    @overload
    def __getitem__(self, index: slice) -> Candidates: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Candidate | Candidates:
        if isinstance(index, slice):
            return Candidates(super().__getitem__(index))
        return super().__getitem__(index)

    def __repr__(self) -> str:
        return text_table(self)

    _repr_html_ = imported_when_called("nucleate.report.notebook", "candidates_html")


def text_table(candidates: Candidates) -> str:
    """The table as a text, without columns that are empty and without rows beyond the first SHOWN."""
    from nucleate.pipeline.rank import nearest_text, novel_text, to_rows

    rows = [{**row, "novel": novel_text(row), "nearest": nearest_text(row)} for row in to_rows(candidates[:SHOWN])]
    used = [name for name in COLUMNS if any(row[name] not in ("", None, 0) for row in rows)]
    if all(row["novel"] == "?" for row in rows) and "novel" in used:
        used.remove("novel")
    cells = [[COLUMNS[name] for name in used], *([_cell(row, name) for name in used] for row in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(used))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    more = [f"and {len(candidates) - SHOWN:,} more"] if len(candidates) > SHOWN else []
    return "\n".join([f"{len(candidates):,} candidate{'' if len(candidates) == 1 else 's'}", *lines, *more])


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    if name == "checks" and row["failure"]:
        return f"rejected: {row['failure']}"
    if name in ("e_form", "e_above_hull"):
        return "-" if value is None else f"{value:+.3f}"
    return str(value) or "-"
