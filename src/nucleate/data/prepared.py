"""Crystals ready for training: Niggli-reduced, right-handed, without orientation, cached as tensors."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from nucleate.crystal import lattice as lat
from nucleate.crystal.batch import CrystalBatch
from nucleate.crystal.convert import SMALLEST_VOLUME, niggli, polar
from nucleate.data.catalog import home, parse_name, user_cache, writable
from nucleate.data.tables import Rows, Summary, read_table, table_file, usable_rows
from nucleate.errors import NucleateError
from nucleate.io import replacing

VERSION = 1  # of the preparation: raise it when the same table would give other tensors


def prepare(
    name: str, split: str | None = None, max_atoms: int | None = 20, progress: Callable[[int, int], None] | None = None
) -> tuple[CrystalBatch, Summary]:
    """The crystals of a split, in the order of the table, and what became of its rows.

    Each is Niggli-reduced and right-handed; its lattice is then the symmetric positive definite one
    (`crystal.convert.polar`). Cached by path, size and time of the table; a damaged cache is made anew.
    progress(done, total) is called while crystals are reduced.
    """
    batch, summary, _ = _prepared(name, split, max_atoms, progress)
    return batch, summary


def property_column(name: str, column: str, split: str | None = None, max_atoms: int | None = 20) -> np.ndarray:
    """A numeric column, float64 (B,), row for row with `prepare`; NaN where the table has no value."""
    _, summary, rows = _prepared(name, split, max_atoms, None)
    values = read_table(Path(summary.file), [column]).column(column).to_pandas()
    try:
        return values.to_numpy(dtype=np.float64, na_value=np.nan)[rows]
    except (ValueError, TypeError):
        raise NucleateError(f"column '{column}' of {summary.file} is not a number") from None


def _prepared(
    name: str, split: str | None, max_atoms: int | None, progress: Callable[[int, int], None] | None
) -> tuple[CrystalBatch, Summary, np.ndarray]:
    file, notes = table_file(name, split)
    shown, part = (file.stem, "all") if name.endswith(".parquet") else parse_name(name, split)
    cache = cache_folder() / f"{file.stem}-{_digest(file, max_atoms)}.safetensors"
    found = _cached(cache)
    if found is not None:
        batch, facts, rows = found
    else:
        table = read_table(file)
        batch, kept = _reduce(usable_rows(table, max_atoms), progress)
        rows = kept.index
        atoms = (int(kept.sizes.min()), int(kept.sizes.max())) if len(kept.sizes) else (0, 0)
        facts = {"rows": table.num_rows, "usable": len(batch), "left_out": kept.left_out, "atoms": atoms}
        _remember(cache, batch, facts, rows)
    facts["atoms"] = tuple(facts["atoms"])
    return batch, Summary(shown, part, str(file), notes=notes, **facts), rows


def cache_folder() -> Path:
    """Beside the data, or in the platform's cache folder where the data is read-only."""
    folder = home() if writable(home()) else user_cache()
    return folder / "cache"


def _digest(file: Path, max_atoms: int | None) -> str:
    status = file.stat()
    key = f"{file.resolve()}|{status.st_size}|{status.st_mtime_ns}|{max_atoms}|{VERSION}"
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _cached(cache: Path) -> tuple[CrystalBatch, dict, np.ndarray] | None:
    try:
        facts = json.loads(cache.with_suffix(".json").read_text())
        batch, rows = CrystalBatch.load(cache), np.array(facts.pop("index"), dtype=np.int64)
    except (OSError, json.JSONDecodeError, KeyError, NucleateError):
        return None
    return (batch, facts, rows) if len(batch) == len(rows) else None


def _remember(cache: Path, batch: CrystalBatch, facts: dict, rows: np.ndarray) -> None:
    """Keep the result; a full or read-only disk costs the time of the next call and nothing else."""
    try:
        with replacing(cache) as temporary:
            batch.save(temporary)
        with replacing(cache.with_suffix(".json")) as temporary:
            temporary.write_text(json.dumps(facts | {"index": rows.tolist()}))
    except NucleateError:
        return


def _reduce(rows: Rows, progress: Callable[[int, int], None] | None) -> tuple[CrystalBatch, Rows]:
    """Niggli cells and polar decomposition; rows whose cell cannot be reduced are left out and counted."""
    cells = lat.from_lengths_angles(torch.from_numpy(rows.parameters)).numpy()
    starts = np.concatenate([[0], np.cumsum(rows.sizes)])
    reduced, fracs, good = [], [], np.zeros(len(cells), dtype=bool)
    for i, cell in enumerate(cells):
        if progress is not None and i % 100 == 0:
            progress(i, len(cells))
        frac = rows.frac[starts[i] : starts[i + 1]]
        if not abs(np.linalg.det(cell)) >= SMALLEST_VOLUME:
            continue
        try:
            cell, frac = niggli(cell, frac)
        except NucleateError:
            continue
        reduced.append(cell)
        fracs.append(frac)
        good[i] = True
    if progress is not None:
        progress(len(cells), len(cells))
    left_out = dict(rows.left_out)
    if not good.all():
        left_out["with a cell that has no volume or cannot be reduced"] = int((~good).sum())
    atoms = np.repeat(good, rows.sizes)
    kept = Rows(
        rows.index[good], rows.sizes[good], rows.numbers[atoms], rows.frac[atoms], rows.parameters[good], left_out
    )
    if not reduced:
        return CrystalBatch.from_arrays([], [], []), kept
    return _pad(polar(np.stack(reduced)), np.concatenate(fracs), kept), dataclasses.replace(kept)


def _pad(cells: np.ndarray, frac: np.ndarray, rows: Rows) -> CrystalBatch:
    """All crystals into padded tensors at once."""
    width = int(rows.sizes.max())
    mask = np.arange(width) < rows.sizes[:, None]
    coordinates = np.zeros((len(cells), width, 3), dtype=np.float32)
    numbers = np.zeros((len(cells), width), dtype=np.int64)
    coordinates[mask] = frac
    numbers[mask] = rows.numbers
    coordinates[coordinates >= 1] = 0  # rounded up to 1 by float32
    return CrystalBatch(torch.from_numpy(cells).float(), torch.from_numpy(coordinates), torch.from_numpy(numbers))
