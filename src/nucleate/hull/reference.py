"""Reference sets: energies of known crystals, all by one method, as compact arrays.

Hulls are built of such a set. On disk it is a parquet file that any tool can read: one row per crystal (formula,
energy, space_group, source, volume, num_atoms, correction), and name, energy method and origin in the file's metadata.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nucleate.chem.formula import PAIRED, Formula, formula_text, parse_formula
from nucleate.errors import NucleateError
from nucleate.io import replacing
from nucleate.pipeline.method import EnergyMethod

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = ("formula", "energy", "space_group", "source", "volume", "num_atoms", "correction")
NEEDED_COLUMNS = COLUMNS[:-1]  # a set without corrections need not have a column of them
METADATA_KEY = b"nucleate_reference"


class Entry(NamedTuple):
    """A known crystal.

    formula: without parentheses. energy: eV/atom, including the correction. space_group: its number, 0 if not known.
    source: where it comes from, e.g. "mp-1234". volume: cubic angstrom per atom. num_atoms: atoms in the primitive
    cell. correction: the part of the energy that was added to what the method gives (`pipeline.corrections`), eV/atom.
    """

    formula: str
    energy: float
    space_group: int
    source: str
    volume: float
    num_atoms: int
    correction: float = 0.0

    @property
    def prototype(self) -> str:
        """Anonymous formula, Pearson symbol and space group number, for rock salt "AB_cF8_225". Mirror-image space
        groups count as one."""
        from nucleate.crystal.symmetry import pearson_symbol, without_hand

        counts = sorted(parse_formula(self.formula, strict=True).values())
        letters = (chr(ord("A") + i) + (str(n) if n > 1 else "") for i, n in enumerate(counts))
        return f"{''.join(letters)}_{pearson_symbol(self.space_group, self.num_atoms)}_{without_hand(self.space_group)}"


def _spelled(formula: str) -> str:
    """The formula as it is spelled everywhere: O2 and Na2O2, where older reference sets have O and NaO."""
    return formula_text(parse_formula(formula, strict=True)) if formula in PAIRED else formula


@dataclass(frozen=True, eq=False)
class ReferenceSet:
    """N known crystals with energies of one method.

    name, method: they stand beside every number that is derived from the set. The other fields are the columns of
    `Entry` and have N rows each, with the same units. metadata: plain strings, such as source, licence and contents.
    """

    name: str
    method: EnergyMethod
    formulas: tuple[str, ...]
    energies: NDArray[np.float32]
    space_groups: NDArray[np.int16]
    sources: tuple[str, ...]
    volumes: NDArray[np.float32]
    num_atoms: NDArray[np.int16]
    corrections: NDArray[np.float32]
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", EnergyMethod(self.method))
        object.__setattr__(self, "formulas", tuple(map(_spelled, self.formulas)))
        lengths = {len(column) for column in self._columns().values()}
        if len(lengths) != 1:
            raise NucleateError(f"reference set '{self.name}': columns of different lengths")
        if not np.isfinite(self.energies).all():
            bad = self.sources[int(np.flatnonzero(~np.isfinite(self.energies))[0])]
            raise NucleateError(f"reference set '{self.name}': the energy of {bad} is not a number")

    @classmethod
    def from_entries(
        cls, name: str, method: str, entries: Iterable[Entry], metadata: Mapping[str, str] | None = None
    ) -> ReferenceSet:
        """A set of these entries, whose energies are by `method`."""
        rows = list(entries)
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(COLUMNS)
        return cls(
            name,
            EnergyMethod(method),
            tuple(columns[0]),
            np.asarray(columns[1], np.float32),
            np.asarray(columns[2], np.int16),
            tuple(columns[3]),
            np.asarray(columns[4], np.float32),
            np.asarray(columns[5], np.int16),
            np.asarray(columns[6], np.float32),
            dict(metadata or {}),
        )

    def __len__(self) -> int:
        return len(self.formulas)

    def __getitem__(self, index: int) -> Entry:
        return Entry(
            self.formulas[index],
            float(self.energies[index]),
            int(self.space_groups[index]),
            self.sources[index],
            float(self.volumes[index]),
            int(self.num_atoms[index]),
            float(self.corrections[index]),
        )

    def __iter__(self) -> Iterator[Entry]:
        return (self[i] for i in range(len(self)))

    @property
    def note(self) -> str:
        """One line for captions that says what the set contains."""
        return self.metadata.get("contents", f"{len(self)} crystals")

    def require_method(self, method: str, *others: str) -> None:
        """Raises NucleateError for energies of another method, because a hull of mixed energies means nothing.

        others: methods into which the energies can be converted.
        """
        if self.method not in (method, *others):
            raise NucleateError(
                f"energies by {method or 'an unnamed method'} cannot be compared with reference '{self.name}' "
                f"({self.method}); relax with that method or give a reference built with yours (nucleate hull build)"
            )

    def extended(self, entries: Iterable[Entry], method: str) -> ReferenceSet:
        """The set with more crystals. Raises NucleateError if their energies are by another method."""
        self.require_method(method)
        return ReferenceSet.from_entries(self.name, self.method, [*self, *entries], self.metadata)

    @cached_property
    def keys(self) -> tuple[Formula, ...]:
        """The reduced formula of each crystal, as a value that can be compared."""
        return tuple(Formula.of(parse_formula(f, strict=True)) for f in self.formulas)

    @cached_property
    def _by_formula(self) -> dict[Formula, list[int]]:
        groups: dict[Formula, list[int]] = {}
        for i, key in enumerate(self.keys):
            groups.setdefault(key, []).append(i)
        return groups

    @cached_property
    def _by_system(self) -> dict[frozenset[str], list[int]]:
        groups: dict[frozenset[str], list[int]] = {}
        for i, key in enumerate(self.keys):
            groups.setdefault(frozenset(s for s, _ in key), []).append(i)
        return groups

    @cached_property
    def elements(self) -> set[str]:
        """Elements of which the set has an elemental crystal, so that formation energies can be computed."""
        return {next(iter(system)) for system in self._by_system if len(system) == 1}

    @cached_property
    def lowest(self) -> frozenset[int]:
        """Rows of the lowest polymorph of each composition; no other polymorph can be on a hull."""
        return frozenset(min(rows, key=lambda i: self.energies[i]) for rows in self._by_formula.values())

    def of_formula(self, counts: Mapping[str, int]) -> list[int]:
        """Rows of the crystals with this composition; counts: element -> atoms, of any multiple."""
        return self._by_formula.get(Formula.of(counts), [])

    def of_system(self, elements: Iterable[str]) -> list[int]:
        """Rows of the crystals that have no elements but these, in order."""
        wanted = sorted(set(elements))
        if 2 ** len(wanted) > len(self._by_system):
            systems: Iterable[frozenset[str]] = (s for s in self._by_system if s <= frozenset(wanted))
        else:
            sizes = range(1, len(wanted) + 1)
            systems = (frozenset(s) for size in sizes for s in itertools.combinations(wanted, size))
        return sorted(i for system in systems for i in self._by_system.get(system, ()))

    def _columns(self) -> dict[str, Any]:
        values: tuple[Any, ...] = (self.formulas, self.energies, self.space_groups, self.sources, self.volumes)
        values += (self.num_atoms, self.corrections)
        return dict(zip(COLUMNS, values, strict=True))

    def save(self, path: str | Path) -> None:
        """Write a parquet file, which appears complete or not at all."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = {k: list(v) if isinstance(v, tuple) else v for k, v in self._columns().items()}
        header = json.dumps({"name": self.name, "method": self.method, **self.metadata})
        table = pa.table(columns).replace_schema_metadata({METADATA_KEY: header.encode()})
        with replacing(path) as temporary:
            pq.write_table(table, temporary, compression="zstd", compression_level=19)


def read_reference(path: str | Path) -> ReferenceSet:
    """The set that `ReferenceSet.save` wrote; raises NucleateError for any other file, or a damaged one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise NucleateError(f"{path} is not a parquet file, or it is damaged ({str(error).splitlines()[0]})") from None
    header = (table.schema.metadata or {}).get(METADATA_KEY)
    missing = [c for c in NEEDED_COLUMNS if c not in table.column_names]
    if header is None or missing:
        what = f"column {missing[0]}" if missing else "the metadata with its energy method"
        raise NucleateError(f"{path} is no reference set: it lacks {what}; build one with: nucleate hull build")
    metadata = json.loads(header)
    if "correction" not in table.column_names:
        table = table.append_column("correction", pa.array(np.zeros(table.num_rows, np.float32)))
    columns = {c: table.column(c) for c in COLUMNS}
    return ReferenceSet(
        metadata.pop("name"),
        EnergyMethod(metadata.pop("method")),
        tuple(columns["formula"].to_pylist()),
        columns["energy"].to_numpy().astype(np.float32),
        columns["space_group"].to_numpy().astype(np.int16),
        tuple(columns["source"].to_pylist()),
        columns["volume"].to_numpy().astype(np.float32),
        columns["num_atoms"].to_numpy().astype(np.int16),
        columns["correction"].to_numpy().astype(np.float32),
        metadata,
    )
