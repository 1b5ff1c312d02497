"""Formulas for training: distinct, reduced, within a vocabulary, and with the properties of their most stable
crystal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nucleate.chem.checks import smact_verdict
from nucleate.chem.composition import Formula
from nucleate.chem.elements import MAIN_ELEMENTS, atomic_number
from nucleate.chem.formula import parse_strict
from nucleate.chem.states import writing_order
from nucleate.chem.verdict import FAIL, PASS, UNKNOWN
from nucleate.config import DataConfig
from nucleate.crystal.formulas import FormulaBatch
from nucleate.data.prepared import not_numeric, numeric_columns
from nucleate.data.tables import Summary, read_table, table_file
from nucleate.errors import NucleateError

BALANCED = "balanced"  # a computed property: 1 if a formula passes `checks.smact_verdict` with smact14 states, else 0
STABILITY = ("e_above_hull", "formation_energy_per_atom")  # columns that decide which crystal of a formula is best
HELD = ("val", "test")  # rows with these values in the column "mp20_split" are held out of training
Key = tuple[tuple[str, int], ...]


def prepare_formulas(
    data: DataConfig,
    properties: Sequence[str] = (),
    vocabulary: str = "main",
    progress: Callable[[str, int, int], None] | None = None,
    *,
    held_out: bool = False,
) -> tuple[FormulaBatch, Summary]:
    """The training formulas of a recipe, sorted, and a summary of the rows of its dataset. held_out: the formulas that
    are held out of training instead.

    data.dataset: a dataset or a parquet file with a column "formula". vocabulary: "main" or "all" (`codecs.tokens`).
    These are left out: rows of validation and test splits, the formulas of `data.exclude`, formulas with elements
    outside the vocabulary, and formulas of more than `data.max_atoms` atoms. properties: columns that the formulas get,
    or BALANCED. Of several crystals of one formula, the one with the lowest energy above the hull (or formation energy)
    gives the properties. Raises NucleateError for a property that the dataset lacks.
    """
    file, notes = table_file(data.dataset)
    columns = [c for c in properties if c != BALANCED]
    missing = [c for c in columns if c not in numeric_columns(file)]
    if missing:
        raise not_numeric(data.dataset, file, missing[0])
    rows = _rows(file, columns, progress)
    held = {key for key, row in rows if row["held"]} | _formulas_of(data.exclude)
    left_out: Counter[str] = Counter()
    best: dict[Key, Mapping[str, float]] = {}
    for key, row in rows:
        if not key:
            left_out["without a valid formula"] += 1
        elif (key in held) != held_out:
            left_out["for training" if held_out else "held out"] += 1
        elif vocabulary == "main" and not {s for s, _ in key} <= MAIN_ELEMENTS:
            left_out["with elements outside the vocabulary"] += 1
        elif sum(n for _, n in key) > data.max_atoms:
            left_out[f"with more than {data.max_atoms} atoms"] += 1
        elif key not in best:
            best[key] = row
        else:
            left_out["with a formula of another row"] += 1
            if row["order"] < best[key]["order"]:
                best[key] = row
    keys = sorted(best)
    if not keys:
        raise NucleateError(f"{data.dataset} has no formula to train on")
    values = {c: torch.tensor([best[k][c] for k in keys], dtype=torch.float32) for c in columns}
    if BALANCED in properties:
        values[BALANCED] = torch.tensor([_balanced(k) for k in keys], dtype=torch.float32)
    batch = FormulaBatch.from_counts(
        [{atomic_number(s): n for s, n in sorted(k, key=lambda part: writing_order(part[0]))} for k in keys], values
    )
    sizes = batch.num_atoms
    atoms = (int(sizes.min()), int(sizes.max()))
    split = "held out" if held_out else "formulas"
    return batch, Summary(data.dataset, split, str(file), len(rows), len(keys), dict(left_out), notes, atoms)


def _rows(
    file: Path, columns: list[str], progress: Callable[[str, int, int], None] | None
) -> list[tuple[Key, dict[str, Any]]]:
    """For each row the reduced formula (empty if it is none), and a table with the properties, whether the row is held
    out ("held"), and a key that sorts crystals of one formula ("order")."""
    import pyarrow.parquet as pq

    present = pq.read_schema(file).names
    if "formula" not in present:
        raise NucleateError(f"{file} has no column 'formula'; the columns are: {', '.join(present)}")
    split = [c for c in ("mp20_split",) if c in present]
    energies = [c for c in STABILITY if c in present]
    table = read_table(file, list(dict.fromkeys(["formula", *split, *energies, *columns])))
    arrays = {
        c: table.column(c).to_pandas().to_numpy(dtype=np.float64, na_value=np.nan)
        for c in dict.fromkeys([*energies, *columns])
    }
    held = table.column(split[0]).to_pylist() if split else [None] * table.num_rows
    out = []
    for i, text in enumerate(table.column("formula").to_pylist()):
        if progress is not None and i % 1000 == 0:
            progress("formulas", i, table.num_rows)
        row: dict[str, Any] = {c: float(arrays[c][i]) for c in columns}
        row["held"] = held[i] in HELD
        row["order"] = tuple(np.nan_to_num(arrays[c][i], nan=np.inf) for c in energies)
        out.append((_key(text), row))
    return out


def _formulas_of(names: tuple[str, ...]) -> set[Key]:
    tables = (read_table(table_file(name)[0], ["formula"]) for name in names)
    return {_key(text) for table in tables for text in table.column("formula").to_pylist()} - {()}


@lru_cache(maxsize=500_000)
def _key(text: str | None) -> Key:
    """Symbols and numbers of the reduced formula, sorted by symbol; empty if the text is no formula."""
    try:
        counts = parse_strict(text or "")
    except NucleateError:
        return ()
    return Formula.of(counts)


def _balanced(key: Key) -> float:
    return {PASS: 1.0, FAIL: 0.0, UNKNOWN: np.nan}[smact_verdict(dict(key), "smact14").verdict]
