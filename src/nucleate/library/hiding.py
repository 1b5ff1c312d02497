"""What is to be hidden of a library: with a crystal all that have its formula and its structure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import NucleateError
from nucleate.library.entries import KnownEntry
from nucleate.library.filters import is_id, rows_of_ids
from nucleate.library.matching import matching_rows
from nucleate.library.schema import SPLITS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.library.library import Library
    from nucleate.library.table import LibraryTable

MP20 = "mp-20"


def hidden_view(library: Library, texts: Iterable[str]) -> Library:
    """The library without what each text says: a dataset with splits ("mp-20:val,test"), a formula, an id, or a file
    with a formula or an id in each line. Raises NucleateError for what is none of these."""
    from nucleate.chem.formula import parse_formula

    out = library
    for text in texts:
        lines = [text]
        if Path(text).is_file() and not text.endswith(".parquet"):
            lines = [line.strip() for line in Path(text).read_text(encoding="utf-8").splitlines() if line.strip()]
        ids = [line for line in lines if is_id(line)]
        rest = [line for line in lines if not is_id(line)]
        if lines == [text] and not ids and (":" in text or text.endswith(".parquet") or "-" in text):
            out = out.hidden(dataset=text)
            continue
        out = out.hidden(ids=ids, formulas=[parse_formula(line) for line in rest])
    return out


def hidden_by_ids(table: LibraryTable, ids: Sequence[str]) -> tuple[list[int], str]:
    """Rows of these ids and of all crystals like them, and what that is in words."""
    own: list[int] = []
    for text in ids:
        rows = rows_of_ids(table, [text])
        if not len(rows):
            raise NucleateError(f"no known crystal has the id '{text[:40]}', so it cannot be hidden; write mp-149")
        own += rows.tolist()
    like = [row for mine in own for row in matching_rows(table, KnownEntry(table, mine).structure)]
    return _said(own, like, f"{len(ids):,} ids")


def hidden_by_dataset(table: LibraryTable, name: str) -> tuple[list[int], str]:
    """Rows of the crystals of a dataset, "mp-20:val,test", and of all crystals like them; and what that is in words."""
    dataset, wanted = _dataset_and_splits(name)
    if dataset == MP20:
        own = rows_of_splits(table, name).tolist()
        like = np.flatnonzero(table.like & sum(1 << SPLITS.index(s) for s in wanted or SPLITS)).tolist()
        return _said(own, like, name)
    return _said([], [row for s in _structures(dataset, wanted) for row in matching_rows(table, s)], name)


def rows_of_splits(table: LibraryTable, name: str) -> NDArray[np.int64]:
    """Rows of the crystals of MP-20 ("mp-20") or of some of its splits ("mp-20:val,test"), by id. Raises NucleateError
    for another dataset and for a split that does not exist."""
    dataset, wanted = _dataset_and_splits(name)
    if dataset != MP20:
        raise NucleateError(f"the library knows the splits of {MP20} alone, not '{name[:40]}'; write mp-20:train")
    if unknown := [s for s in wanted if s not in SPLITS]:
        raise NucleateError(f"MP-20 has the splits {', '.join(SPLITS)}, not '{unknown[0][:40]}'")
    return np.flatnonzero(np.isin(table.split, [SPLITS.index(s) for s in wanted or SPLITS]))


def _dataset_and_splits(name: str) -> tuple[str, list[str]]:
    dataset, _, splits = name.partition(":")
    return dataset, [s.strip() for s in splits.split(",") if s.strip()]


def _structures(dataset: str, splits: Sequence[str]) -> Iterable[Structure]:
    """The crystals of a parquet file or of a dataset that is prepared."""
    from nucleate.crystal.columns import GEOMETRY, structure_of_row
    from nucleate.data import load_table

    tables = (
        [load_table(dataset, split) for split in splits or SPLITS]
        if not dataset.endswith(".parquet")
        else [load_table(dataset)]
    )
    for table in tables:
        for row in table.select(list(GEOMETRY)).to_pylist():
            if row["atomic_numbers"] and row["frac_coords"] is not None:
                yield structure_of_row(row)


def _said(own: Sequence[int], like: Iterable[int], name: str) -> tuple[list[int], str]:
    others = set(like) - set(own)
    return sorted({*own, *others}), f"{name}: {len(own):,} crystals by id, {len(others):,} more by structure"
