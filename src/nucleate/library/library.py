"""Every known crystal that comes with nucleate, as one object that is asked; and the same without some of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.chem.composition import Formula
from nucleate.errors import NucleateError
from nucleate.library.entries import KnownEntries, KnownEntry
from nucleate.library.filters import Filters, rows_of_formula, rows_of_ids
from nucleate.library.other_formulas import is_other_formula
from nucleate.library.schema import SOURCES
from nucleate.library.table import LibraryTable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.library.nearest import KnownRelative
    from nucleate.library.novelty import NoveltyJudgement

    Mask = NDArray[np.bool_]
    Rows = NDArray[np.int64]

FILE = Path(__file__).parent / "known.parquet"
# eV/atom above the hull: 85 % of the crystals that were made, and whose energy is known, are below it
USUAL_HEIGHT = 0.1


@dataclass(frozen=True, eq=False)
class Library:
    """Known crystals. visible: (R,) the rows of the table that may be found, None for all. hidden_text: what was
    hidden, in words, "" for nothing."""

    table: LibraryTable
    visible: Mask | None = None
    hidden_text: str = ""

    def __len__(self) -> int:
        return len(self.table) if self.visible is None else int(self.visible.sum())

    def __repr__(self) -> str:
        hidden = f", without {self.hidden_text}" if self.hidden_text else ""
        return f"Library of {len(self):,} known crystals{hidden}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Processes get the path of the file and what is visible, not the table."""
        bits = None if self.visible is None else np.packbits(self.visible)
        return _restored, (self.table.path, bits, self.hidden_text)

    def __contains__(self, id: str) -> bool:
        return self.get(id) is not None

    def __getitem__(self, id: str) -> KnownEntry:
        """The crystal of an id; NucleateError where there is none, or it is hidden."""
        found = self.get(id)
        if found is None:
            raise NucleateError(f"no known crystal has the id '{id[:40]}'; an id is written as in mp-149")
        return found

    def get(self, id: str) -> KnownEntry | None:
        """The crystal of an id, None where there is none, or it is hidden."""
        rows = self.seen(rows_of_ids(self.table, [id]))
        return KnownEntry(self.table, int(rows[0])) if len(rows) else None

    def select(self, filters: Filters) -> KnownEntries:
        """The crystals that meet the filters, in the order of `ordered`."""
        return KnownEntries(self.table, self.ordered(filters.rows(self.table, self.visible)))

    def of_formula(self, composition: Mapping[str, int]) -> KnownEntries:
        """The crystals of a composition (symbol -> atoms, of any multiple), in the order of `ordered`."""
        return self.select(Filters(formula=composition))

    def knows_formula(self, composition: Mapping[str, int]) -> bool:
        """Whether there is a crystal of a composition (symbol -> atoms, of any multiple), or, in the library that comes
        with nucleate, it is one of the known formulas without a crystal (`library.other_formulas`)."""
        if len(self.seen(rows_of_formula(self.table, composition))):
            return True
        return self.table.path == FILE and is_other_formula(composition)

    def hidden_formulas(self) -> frozenset[Formula]:
        """The formulas of which a crystal is hidden; there may be others of the formula that are not."""
        rows = np.zeros(0, dtype=np.int64) if self.visible is None else np.flatnonzero(~self.visible)
        return frozenset(Formula.of(KnownEntry(self.table, row).composition) for row in rows.tolist())

    def of_prototype(self, label: str) -> KnownEntries:
        """The crystals of a structure type, in the order of `ordered`."""
        return self.select(Filters(prototypes=(label,)))

    def like(self, structure: Structure, count: int = 10) -> list[KnownRelative]:
        """The known crystals nearest to an ordered crystal, and in what they are like it (`nearest.nearest`)."""
        from nucleate.library.nearest import nearest

        return nearest(self, structure, count)

    def novelty(self, structure: Structure | None) -> NoveltyJudgement:
        """Whether a crystal is known by its structure, and the nearest known crystal (`novelty.judge`)."""
        from nucleate.library.novelty import judge

        return judge(self, structure)

    def entries(self) -> KnownEntries:
        """All crystals, in the order of the file."""
        every = np.arange(len(self.table)) if self.visible is None else np.flatnonzero(self.visible)
        return KnownEntries(self.table, every)

    def ordered(self, rows: Rows) -> Rows:
        """Rows by energy above the hull; of equal ones those that were made in an experiment first, then by the energy
        of a potential (`LibraryTable.e_tie`), where there is none by formation energy, by number of atoms, by id.

        Where the energy is not known, crystals that were made and those of the OQMD, which are entries of the ICSD,
        stand as if at USUAL_HEIGHT, all others at the end. The Materials Project often gives all crystals of a formula
        and space group the same energy, so ties are frequent.
        """
        t = self.table
        made = t.experimental[rows] == 1
        of_icsd = made | (t.source[rows] == SOURCES.index("oqmd"))
        height = np.where(np.isnan(t.e_above_hull[rows]), np.where(of_icsd, USUAL_HEIGHT, np.inf), t.e_above_hull[rows])
        keys = (
            t.number[rows],
            t.source[rows],
            t.num_atoms[rows],
            np.nan_to_num(t.e_form[rows], nan=np.inf),
            np.nan_to_num(t.e_tie[rows], nan=np.inf),
            ~made,
            height,
        )
        return rows[np.lexsort(keys)]

    def without(self, rows: Iterable[int], text: str) -> Library:
        """The same without some rows, whatever was hidden before; text: what they are, in words."""
        visible = np.ones(len(self.table), dtype=bool) if self.visible is None else self.visible.copy()
        visible[np.fromiter(rows, dtype=np.int64)] = False
        return replace(self, visible=visible, hidden_text="; ".join(filter(None, (self.hidden_text, text))))

    def hidden(self, ids: Iterable[str] = (), formulas: Iterable[Mapping[str, int]] = (), dataset: str = "") -> Library:
        """The same without crystals that must not be known, for honest benchmarks.

        ids: crystals, and all that have the formula and structure of one of them. formulas: compositions, in all
        structures. dataset: "mp-20:val,test" hides the crystals of these splits, and all that have the formula and
        structure of one of them, in the library under another id or not; "mp-20" means all splits, "FILE.parquet" or
        another dataset that is prepared the crystals in it. Raises NucleateError for ids and splits that do not exist.
        """
        from nucleate.library.hiding import hidden_by_dataset, hidden_by_ids

        out = self
        if named := list(ids):
            out = out.without(*hidden_by_ids(self.table, named))
        if compositions := list(formulas):
            rows = np.concatenate([rows_of_formula(self.table, c) for c in compositions])
            out = out.without(rows.tolist(), f"{len(rows):,} crystals of {len(compositions):,} formulas")
        return out.without(*hidden_by_dataset(self.table, dataset)) if dataset else out

    def only(self, dataset: str) -> Library:
        """Only the crystals of splits of MP-20 ("mp-20:train"), of those that are not hidden. Raises NucleateError for
        another dataset."""
        from nucleate.library.hiding import rows_of_splits

        kept = self.seen(rows_of_splits(self.table, dataset))
        others = np.delete(np.arange(len(self.table)), kept)
        return self.without(others.tolist(), f"all but the {len(kept):,} crystals of {dataset}")

    def seen(self, rows: Rows) -> Rows:
        """Those of some rows of the table that are not hidden."""
        return rows if self.visible is None else rows[self.visible[rows]]


def load_library(path: str | Path | None = None, *, hide: Iterable[str] = ()) -> Library:
    """The library that comes with nucleate, or one that `packing.write_library` wrote; without what `hide` names, as
    `hiding.hidden_view` reads it."""
    library = _read(Path(path) if path is not None else FILE)
    if not (texts := list(hide)):
        return library
    from nucleate.library.hiding import hidden_view

    return hidden_view(library, texts)


def _restored(path: Path, bits: NDArray[np.uint8] | None, hidden_text: str) -> Library:
    whole = _read(path)
    if bits is None:
        return whole
    return Library(whole.table, np.unpackbits(bits, count=len(whole)).astype(bool), hidden_text)


@cache
def _read(path: Path) -> Library:
    return Library(LibraryTable.read(path))
