"""Crystals for training: in one frame (`data.frames`), right-handed, without orientation, and cached as tensors."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from nucleate.config import DataConfig
from nucleate.crystal.batch import CrystalBatch
from nucleate.data.catalog import home, parse_name, user_cache, writable
from nucleate.data.frames import VERSIONS, FrameName, written_in
from nucleate.data.rows import usable_rows
from nucleate.data.tables import BASE, Summary, read_table, table_file
from nucleate.errors import NucleateError
from nucleate.io import replacing
from nucleate.io.values import is_nothing, number_of


def prepare(
    name: str,
    split: str | None = None,
    max_atoms: int | None = 20,
    progress: Callable[[int, int], None] | None = None,
    properties: Sequence[str] = (),
    frame: FrameName = "reduced",
) -> tuple[CrystalBatch, Summary]:
    """The crystals of a split, in the order of the table, and a summary of its rows.

    name: a dataset ("mp-20", "mp-20:val"), a parquet file, a range of its rows ("perov-5:val[:3387]"), or several of
    these with "+" between them. max_atoms: the largest number of atoms in the cell of the table. frame: the choice of
    cell and origin (`data.frames`). The lattices are symmetric positive definite (`crystal.convert.polar_factor`).
    properties: numeric columns that the batch gets, with NaN for missing values. progress(done, total) is called while
    crystals are prepared. The result is cached by path, size and time of the table; a damaged cache is replaced. Raises
    NucleateError for a dataset that is not there, and for a property that none of the datasets has.
    """
    names = [p.strip() for p in name.split("+")]
    files = [table_file(_range(p)[0], split)[0] for p in names] if properties else []
    missing = [p for p in properties if not any(p in numeric_columns(file) for file in files)]
    if missing:  # checked before the cells are reduced, which takes minutes
        raise not_numeric(name, files[0], missing[0])
    parts = [_part(p, split, max_atoms, progress, properties, frame) for p in names]
    if len(parts) == 1:
        return parts[0]
    summaries = [summary for _, summary in parts]
    left_out: dict[str, int] = {}
    for s in summaries:
        for why, n in s.left_out.items():
            left_out[why] = left_out.get(why, 0) + n
    joined = Summary(
        name,
        "joined",
        summaries[0].file,
        sum(s.rows for s in summaries),
        sum(s.usable for s in summaries),
        left_out,
        tuple(dict.fromkeys(note for s in summaries for note in s.notes)),
        (min(s.atoms[0] for s in summaries), max(s.atoms[1] for s in summaries)),
    )
    return CrystalBatch.join([batch for batch, _ in parts]), joined


def prepare_crystals(
    data: DataConfig, properties: Sequence[str] = (), progress: Callable[[int, int], None] | None = None
) -> tuple[CrystalBatch, Summary]:
    """The training crystals of a recipe, which are those of its dataset without the compositions of `data.exclude`, and
    a summary of the rows of the dataset. properties: columns that the batch gets."""
    batch, summary = prepare(data.dataset, None, data.max_atoms, progress, properties, data.frame)
    if not data.exclude:
        return batch, summary
    held = {key for name in data.exclude for key in _compositions(prepare(name, None, None)[0])}
    keep = torch.tensor([key not in held for key in _compositions(batch)], dtype=torch.bool)
    left_out = dict(summary.left_out) | {"held out by composition": int((~keep).sum())}
    return batch[keep], dataclasses.replace(summary, usable=int(keep.sum()), left_out=left_out)


def _compositions(batch: CrystalBatch) -> list[bytes]:
    """The reduced composition of each crystal as bytes, which are equal for equal compositions."""
    numbers = batch.atomic_numbers.numpy()
    counts = np.zeros((len(numbers), 119), dtype=np.int64)
    np.add.at(counts, (np.arange(len(numbers))[:, None], numbers), 1)
    counts[:, 0] = 0
    return [row.tobytes() for row in (counts // np.gcd.reduce(counts, axis=1)[:, None]).astype(np.uint8)]


def _part(
    name: str,
    split: str | None,
    max_atoms: int | None,
    progress: Callable[[int, int], None] | None,
    properties: Sequence[str],
    frame: FrameName,
) -> tuple[CrystalBatch, Summary]:
    bare, low, high = _range(name)
    batch, summary, rows = _prepared(bare, split, max_atoms, progress, frame)
    file = Path(summary.file)
    values = {c: torch.from_numpy(_numbers(file, c)[rows]).float() for c in properties if c in numeric_columns(file)}
    batch = batch.with_properties(values)
    if low is None:
        return batch, summary
    start, stop = int(low or 0), min(int(high or summary.rows), summary.rows)
    if start >= stop:
        raise NucleateError(f"'{name}' takes no row; {bare} has {summary.rows}")
    batch = batch[torch.from_numpy((rows >= start) & (rows < stop))]
    sizes = batch.num_atoms
    return batch, dataclasses.replace(
        summary,
        split=f"{summary.split}[{start}:{stop}]",
        rows=stop - start,
        usable=len(batch),
        atoms=(int(sizes.min()), int(sizes.max())) if len(batch) else (0, 0),
    )


def _range(name: str) -> tuple[str, str | None, str | None]:
    """The parts of a name with a range: "perov-5:val[10:20]" -> ("perov-5:val", "10", "20"). An open end is "", and
    both ends are None if there is no range."""
    match = re.fullmatch(r"(.*?)(?:\[(\d*):(\d*)\])?", name)
    assert match is not None  # the pattern takes any line
    return match[1], match[2], match[3]


def numeric_columns(file: Path) -> list[str]:
    """The names of a table's columns with numbers, except those that describe the crystals themselves."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def is_numeric(kind: pa.DataType) -> bool:
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))

    return [f.name for f in pq.read_schema(file) if is_numeric(f.type) and f.name not in BASE]


def not_numeric(name: str, file: Path, column: str) -> NucleateError:
    """The error for a column that cannot be used as numbers, because it does not exist or has text among its values."""
    import pyarrow.parquet as pq

    known = f"columns with numbers: {', '.join(numeric_columns(file)) or 'none'}"
    if column not in pq.read_schema(file).names:
        return NucleateError(f"{name} has no column '{column}'; {known}")
    values = read_table(file, [column]).column(column).to_pylist()
    words = dict.fromkeys(v for v in values if isinstance(v, str) and not is_nothing(v) and number_of(v) is None)
    shown = ", ".join(repr(w[:30]) for w in list(words)[:3]) + (", ..." if len(words) > 3 else "")
    return NucleateError(f"{name}: column '{column}' is text, not numbers{f' ({shown})' if words else ''}; {known}")


def _numbers(file: Path, column: str) -> np.ndarray:
    values = read_table(file, [column]).column(column).to_pandas()
    try:
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError):
        raise NucleateError(f"column '{column}' of {file} is not a number") from None


def _prepared(
    name: str,
    split: str | None,
    max_atoms: int | None,
    progress: Callable[[int, int], None] | None,
    frame: FrameName,
) -> tuple[CrystalBatch, Summary, np.ndarray]:
    file, notes = table_file(name, split)
    shown, part = (file.stem, "all") if name.endswith(".parquet") else parse_name(name, split)
    cache = cache_folder() / f"{file.stem}-{_digest(file, max_atoms, frame)}.safetensors"
    found = _cached(cache)
    if found is not None:
        batch, facts, rows = found
    else:
        table = read_table(file)
        batch, kept, frame_notes = written_in(frame, usable_rows(table, max_atoms), progress)
        rows = kept.index
        atoms = (int(kept.sizes.min()), int(kept.sizes.max())) if len(kept.sizes) else (0, 0)
        facts = {"rows": table.num_rows, "usable": len(batch), "left_out": kept.left_out, "atoms": atoms}
        facts |= {"notes": frame_notes} if frame_notes else {}
        _remember(cache, batch, facts, rows)
    facts["atoms"], notes = tuple(facts["atoms"]), (*notes, *facts.pop("notes", ()))
    return batch, Summary(shown, part, str(file), notes=notes, **facts), rows


def cache_folder() -> Path:
    """The folder of cached tensors: in the folder of the datasets, or in the platform's cache folder if that is
    read-only."""
    folder = home() if writable(home()) else user_cache()
    return folder / "cache"


def _digest(file: Path, max_atoms: int | None, frame: FrameName) -> str:
    status = file.stat()
    key = f"{file.resolve()}|{status.st_size}|{status.st_mtime_ns}|{max_atoms}|{VERSIONS[frame]}"
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _cached(cache: Path) -> tuple[CrystalBatch, dict, np.ndarray] | None:
    try:
        facts = json.loads(cache.with_suffix(".json").read_text())
        batch, rows = CrystalBatch.load(cache), np.array(facts.pop("index"), dtype=np.int64)
    except (OSError, json.JSONDecodeError, KeyError, NucleateError):
        return None
    return (batch, facts, rows) if len(batch) == len(rows) else None


def _remember(cache: Path, batch: CrystalBatch, facts: dict, rows: np.ndarray) -> None:
    """Write the result to the cache. If the disk is full or read-only, the next call has to prepare it again."""
    try:
        with replacing(cache) as temporary:
            batch.save(temporary)
        with replacing(cache.with_suffix(".json")) as temporary:
            temporary.write_text(json.dumps(facts | {"index": rows.tolist()}))
    except NucleateError:
        return
