"""The crystals to judge, from files, datasets or candidates. Those that cannot be read count as well."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate, Energy
from nucleate.pipeline.method import EnergyMethod

if TYPE_CHECKING:
    import pyarrow as pa
    from pymatgen.core import Structure

    from nucleate.io import Problem

SKIPPED = "skipped, not a structure file"  # reason in `nucleate.io.find_files`; such files are not counted
ENERGIES = {"energy_per_atom": "energy", "e_form": "e_form", "e_above_hull": "e_above_hull"}


@dataclass(frozen=True)
class Item:
    """A crystal to judge.

    structure: None where there is none, for `reason`. energies, info: energies and all scalar properties in its file.
    """

    name: str
    structure: Structure | None = None
    reason: str = ""
    energies: Mapping[str, Energy] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CrystalSet:
    """Crystals under one name.

    dataset: the bare name ("mp-20") if they are a data set, else "". notes: sentences that a reader has to know, for
    instance that files were passed over.
    """

    name: str
    items: tuple[Item, ...]
    dataset: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    @property
    def structures(self) -> list[Structure | None]:
        return [item.structure for item in self.items]

    def subset(self, indices: Sequence[int], name: str) -> CrystalSet:
        """The crystals at the given positions, in that order, as a set called `name`."""
        return CrystalSet(name, tuple(self.items[i] for i in indices), self.dataset, self.notes)


def read_crystals(
    inputs: Sequence[str | Path], columns: Mapping[str, str] | None = None, require: bool = True
) -> CrystalSet:
    """Read files and folders, or a data set such as "mp-20:test".

    A row that holds no readable crystal becomes an item with its reason. columns: energy -> the name that the files
    have for it, e.g. {"e_above_hull": "chgnet_ehull"}; require: such a column must be there. Raises NucleateError for a
    missing or unknown file, an empty input, and where not one crystal can be read.
    """
    if len(inputs) == 1 and is_dataset(inputs[0]):
        return read_dataset(str(inputs[0]), columns, require)
    from nucleate.io import Remark
    from nucleate.pipeline.candidate_files import read_candidates

    candidates, found = read_candidates([Path(p) for p in inputs])
    problems = [p for p in found if not isinstance(p, Remark)]
    items = [_from_candidate(c, columns or {}) for c in candidates]
    broken = [p for p in problems if p.reason != SKIPPED]
    items += [Item(_place(p), None, p.reason) for p in broken]
    if not any(item.structure is not None for item in items):
        reason = next((item.reason for item in items), "")
        raise NucleateError(f"none of the {len(items):,} crystals in {_name(inputs)} has a structure ({reason})")
    for column in (columns or {}).values() if require else ():
        if not any(column in item.info for item in items):
            raise NucleateError(f"no crystal in {_name(inputs)} has a number in the column '{column}'")
    skipped = len(problems) - len(broken)
    notes = (f"{skipped:,} files that hold no structures were passed over",) if skipped else ()
    return CrystalSet(_name(inputs), tuple(items), "", notes)


def is_dataset(text: str | Path) -> bool:
    """Whether this names a data set and not a file: "mp-20", "mp-20:test"."""
    return bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*(:\w+)?", str(text))) and not Path(text).exists()


def read_dataset(name: str, columns: Mapping[str, str] | None = None, require: bool = True) -> CrystalSet:
    """All crystals of a split, with energies from the named columns; a note counts rows without coordinates."""
    from nucleate.data import load_table
    from nucleate.data.catalog import parse_name

    bare, split = parse_name(name)
    table = load_table(bare, split)
    present = {k: c for k, c in (columns or {}).items() if c in table.column_names}
    for energy, column in (columns or {}).items() if require else ():
        if energy not in present:
            raise NucleateError(f"{name} has no column '{column}'; it has {', '.join(table.column_names)}")
    crystals, missing = table_items(table, present, bare)
    if not crystals:
        raise NucleateError(f"{name} has no row with coordinates")
    notes = (f"{missing:,} of {table.num_rows:,} rows of {bare}:{split} have no coordinates",) if missing else ()
    return CrystalSet(f"{bare}:{split}", tuple(crystals), bare, notes)


def table_items(table: pa.Table, columns: Mapping[str, str], source: str) -> tuple[list[Item], int]:
    """The rows of a table of crystals that have coordinates, and how many have none; energies are by `source`."""
    from nucleate.crystal.columns import GEOMETRY, structure_of_row

    wanted = [*GEOMETRY, *columns.values()]
    named = "material_id" in table.column_names
    rows = table.select([*wanted, *(["material_id"] if named else [])]).to_pylist()
    items = []
    for i, row in enumerate(rows):
        if not row["frac_coords"] or not row["lengths"]:
            continue
        structure = structure_of_row(row)
        energies = {k: Energy(float(row[c]), EnergyMethod(source)) for k, c in columns.items() if row[c] is not None}
        items.append(Item(str(row.get("material_id", i + 1)), structure, "", energies))
    return items, len(rows) - len(items)


def _from_candidate(c: Candidate, columns: Mapping[str, str]) -> Item:
    properties = dict(c.origin.file.properties if c.origin.file else {})
    energies = dict(c.energies)
    for column, name in {**{v: k for k, v in columns.items()}, **ENERGIES}.items():
        value = properties.get(column)
        if isinstance(value, int | float) and not isinstance(value, bool) and name not in energies:
            method, reference = (str(properties.get(f"{column}_{k}", "")) for k in ("method", "reference"))
            energies[name] = Energy(float(value), EnergyMethod(method), reference)
    reason = "" if c.structure is not None else str(c.failure or "no structure")
    return Item(c.id, c.structure, reason, energies, properties)


def _place(problem: Problem) -> str:
    file = Path(problem.file).name
    return file if problem.row is None else f"{file}:{problem.row}"


def _name(inputs: Sequence[str | Path]) -> str:
    names = [Path(p).name or str(p) for p in inputs]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
