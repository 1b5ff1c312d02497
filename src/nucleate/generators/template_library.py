"""Templates: crystals whose elements may be replaced, found by the ratio of their reduced formulas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nucleate.chem.composition import Formula
from nucleate.chem.distance import cumulative_profiles
from nucleate.chem.elements import SYMBOLS, element_symbol
from nucleate.crystal.columns import structure_of_row
from nucleate.errors import NucleateError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.crystal.prototype import Prototype
    from nucleate.library.library import Library

Counts = tuple[tuple[str, int], ...]  # a reduced formula, sorted by symbol: (("O", 3), ("Sr", 1), ("Ti", 1))
Ratio = tuple[int, ...]  # its counts, sorted: (1, 1, 3)
MAX_ATOMS = 200  # in the cell of a template


class Templates(Protocol):
    """Crystals by row, which are templates. What each is, `TemplateLibrary` says.

    of_ratio: the rows of a ratio, the more stable ones first. profiles: (n, 102), `chem.distance.cumulative_profiles`
    of the formulas of rows. atomic_volumes: (119,), by atomic number, cubic angstrom, nan where it is not known.
    with_library: the same with these known crystals in the place of those that it has, if any.
    """

    @property
    def name(self) -> str: ...
    def __len__(self) -> int: ...
    def of_ratio(self, ratio: Ratio) -> NDArray[np.int64]: ...
    def profiles(self, rows: NDArray[np.int64]) -> NDArray[np.float64]: ...
    def id(self, row: int) -> str: ...
    def formula(self, row: int) -> Counts: ...
    def structure(self, row: int) -> Structure: ...
    def units(self, row: int) -> int: ...
    def prototype(self, row: int) -> Prototype: ...
    @property
    def atomic_volumes(self) -> NDArray[np.float64]: ...
    def with_library(self, library: Library) -> Templates: ...


@dataclass(frozen=True, eq=False)
class TemplateLibrary:
    """R crystals of a dataset, of a file, or of the user, as `Templates`.

    numbers (N,), frac (N, 3): atomic numbers and fractional coordinates of the atoms of all crystals. starts (R + 1,):
    where the atoms of each crystal begin. parameters (R, 6): lengths and angles of the cells, angstrom and degrees.
    e_above_hull (R,): eV/atom, by the source, nan if not known.
    """

    name: str
    ids: tuple[str, ...]
    formulas: tuple[Counts, ...]
    starts: NDArray[np.int64]
    numbers: NDArray[np.int64]
    frac: NDArray[np.float64]
    parameters: NDArray[np.float64]
    e_above_hull: NDArray[np.float64]
    _prototypes: dict[int, Prototype] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def with_library(self, library: Library) -> TemplateLibrary:
        """The same: there are no crystals of the library among these."""
        return self

    def of_ratio(self, ratio: Ratio) -> NDArray[np.int64]:
        """Rows of a ratio, the more stable ones first, and of equally stable ones the smaller ones."""
        return self.by_ratio.get(ratio, np.zeros(0, dtype=np.int64))

    def id(self, row: int) -> str:
        """The id of a crystal."""
        return self.ids[row]

    def formula(self, row: int) -> Counts:
        """The reduced formula of a crystal."""
        return self.formulas[row]

    @cached_property
    def by_ratio(self) -> dict[Ratio, NDArray[np.int64]]:
        """Rows of each ratio, the more stable ones first, and of equally stable ones the smaller ones."""
        sizes = np.diff(self.starts)
        order = np.lexsort((np.array(self.ids), sizes, np.nan_to_num(self.e_above_hull, nan=np.inf)))
        out: dict[Ratio, list[int]] = {}
        for row in order.tolist():
            out.setdefault(count_ratio(self.formulas[row]), []).append(row)
        return {key: np.array(rows) for key, rows in out.items()}

    def profiles(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Profiles of the formulas (n, 102) on the modified Pettifor scale, see `chem.distance.cumulative_profiles`."""
        formulas = [self.formulas[row] for row in rows.tolist()]
        index = {f: i for i, f in enumerate(dict.fromkeys(formulas))}
        return cumulative_profiles([dict(f) for f in index])[[index[f] for f in formulas]]

    def structure(self, row: int) -> Structure:
        """The structure of a row."""
        atoms = slice(self.starts[row], self.starts[row + 1])
        parameters = self.parameters[row]
        return structure_of_row(
            {
                "atomic_numbers": [int(z) for z in self.numbers[atoms]],
                "frac_coords": self.frac[atoms],
                "lengths": parameters[:3],
                "angles": parameters[3:],
            }
        )

    def first(self, n: int) -> TemplateLibrary:
        """A library of the first n crystals."""
        end = self.starts[: n + 1]
        return TemplateLibrary(
            f"{self.name}[:{n}]",
            self.ids[:n],
            self.formulas[:n],
            end,
            self.numbers[: end[-1]],
            self.frac[: end[-1]],
            self.parameters[:n],
            self.e_above_hull[:n],
        )

    def units(self, row: int) -> int:
        """Number of formula units in the cell of a row."""
        return int(self.starts[row + 1] - self.starts[row]) // sum(n for _, n in self.formulas[row])

    def prototype(self, row: int) -> Prototype:
        """The structure type of a row, computed when it is first needed."""
        from nucleate.crystal.prototype import prototype_of

        if row not in self._prototypes:
            self._prototypes[row] = prototype_of(self.structure(row))
        return self._prototypes[row]

    @cached_property
    def atomic_volumes(self) -> NDArray[np.float64]:
        """Volume of an atom by atomic number (119,), cubic angstrom; nan for elements that are not in the library.

        The volumes of the cells are fitted as sums over their atoms, by non-negative least squares on the relative
        errors.
        """
        from scipy.optimize import nnls

        sizes = np.diff(self.starts)
        counts = np.zeros((len(self), len(SYMBOLS) + 1))
        np.add.at(counts, (np.repeat(np.arange(len(self)), sizes), self.numbers), 1)
        present = np.flatnonzero(counts.any(axis=0))
        out = np.full(counts.shape[1], np.nan)
        out[present] = nnls(counts[:, present] / _volumes(self.parameters)[:, None], np.ones(len(self)))[0]
        return out


def load_template_library(name: str, known: Library | None = None, max_atoms: int = MAX_ATOMS) -> Templates:
    """The templates of a source.

    name: "known", a data set ("mp-20" means all its splits), a split of one ("mp-20:train"), a parquet file of
    crystals, or several of these with "+" between them. known: the known crystals, all of the library by default.
    max_atoms: in the cells of data sets and files; the name of the templates says how many are larger. Raises
    NucleateError if there are no templates, and where known crystals are hidden but none are asked.
    """
    from nucleate.generators.known_templates import JoinedTemplates, KnownTemplates
    from nucleate.library.library import load_library
    from nucleate.settings.sampling import KNOWN

    parts = [part.strip() for part in name.split("+")]
    others = [part for part in parts if part != KNOWN]
    if known is not None and known.hidden_text and KNOWN not in parts:
        raise NucleateError(
            f"known crystals are hidden, but the templates are those of {name}; hide them with templates known, or "
            "give templates that lack them"
        )
    own = dataset_templates("+".join(others), max_atoms) if others else None
    if KNOWN not in parts:
        assert own is not None
        return own
    crystals = KnownTemplates(known if known is not None else load_library())
    return crystals if own is None else JoinedTemplates(crystals, own)


def dataset_templates(name: str, max_atoms: int = MAX_ATOMS) -> TemplateLibrary:
    """The templates of data sets and files, as `load_template_library` has them."""
    from nucleate.data.rows import usable_rows

    if max_atoms < 1:
        raise NucleateError(f"templates need at least 1 atom, so max_atoms cannot be {max_atoms}")
    parts, larger = [], 0
    for table in (t for part in name.split("+") for t in _tables(part.strip())):
        rows = usable_rows(table, max_atoms)
        larger += sum(n for reason, n in rows.left_out.items() if "more than" in reason)
        ids = [str(i) for i in _column(table, "material_id", rows.index, range(table.num_rows))]
        above = [np.nan if e is None else float(e) for e in _column(table, "e_above_hull", rows.index)]
        parts.append((rows, ids, above))
    sizes = np.concatenate([rows.sizes for rows, _, _ in parts])
    if not len(sizes):
        raise NucleateError(f"{name} has no crystal of up to {max_atoms} atoms that could be a template")
    numbers = np.concatenate([rows.numbers for rows, _, _ in parts])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return TemplateLibrary(
        f"crystals of {name}" + (f" (without {larger:,} of more than {max_atoms} atoms)" if larger else ""),
        tuple(i for _, ids, _ in parts for i in ids),
        tuple(_reduced(numbers[a:b]) for a, b in pairwise(starts)),
        starts,
        numbers,
        np.concatenate([rows.frac for rows, _, _ in parts]),
        np.concatenate([rows.parameters for rows, _, _ in parts]),
        np.array([e for _, _, above in parts for e in above]),
    )


def _tables(name: str) -> list[pa.Table]:
    """The tables of a source: for a data set without a split, all splits that it has."""
    from nucleate.data.catalog import SPLITS
    from nucleate.data.tables import load_table, table_file

    if name.endswith(".parquet") or ":" in name:
        return [load_table(name)]
    tables = [load_table(name, "train")]
    for split in SPLITS[1:]:
        try:
            table_file(name, split)
        except NucleateError:
            continue
        tables.append(load_table(name, split))
    return tables


def library_from_structures(
    structures: Sequence[tuple[str, Structure]], name: str = "given crystals"
) -> TemplateLibrary:
    """A library of (id, structure) pairs of ordered crystals. Raises NucleateError if there are none."""
    from nucleate.crystal.convert import species_numbers

    if not structures:
        raise NucleateError("there are no structures to take as templates")
    numbers = [species_numbers(s) for _, s in structures]
    return TemplateLibrary(
        name,
        tuple(i for i, _ in structures),
        tuple(_reduced(z) for z in numbers),
        np.concatenate([[0], np.cumsum([len(z) for z in numbers])]),
        np.concatenate(numbers),
        np.concatenate([np.array(s.frac_coords) for _, s in structures]),
        np.array([s.lattice.parameters for _, s in structures]),
        np.full(len(structures), np.nan),
    )


def count_ratio(formula: Counts) -> Ratio:
    """(("O", 3), ("Sr", 1), ("Ti", 1)) -> (1, 1, 3)."""
    return tuple(sorted(n for _, n in formula))


def _reduced(numbers: NDArray[np.int64]) -> Counts:
    kinds, counts = np.unique(numbers, return_counts=True)
    return Formula.of({element_symbol(int(z)): int(n) for z, n in zip(kinds, counts, strict=True)})


def _column(table: pa.Table, name: str, index: NDArray[np.int64], default: Sequence | None = None) -> list:
    """The values of a column in the rows `index`. If the table has no such column: those of `default`, or None."""
    if name in table.column_names:
        return table.column(name).take(index).to_pylist()
    return [default[int(i)] if default is not None else None for i in index]


def _volumes(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Volumes (R,) of cells with these lengths and angles (R, 6), cubic angstrom."""
    a, b, g = np.cos(np.radians(parameters[:, 3:])).T
    return np.asarray(parameters[:, :3].prod(1) * np.sqrt(np.maximum(1 + 2 * a * b * g - a * a - b * b - g * g, 1e-12)))
