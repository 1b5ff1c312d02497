"""Known crystals as objects: one with its structure, and a list of them that is a small table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from nucleate.chem.composition import Formula
from nucleate.chem.elements import atomic_number, element_symbol
from nucleate.library.schema import SOURCES, SPLITS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.crystal.canonical import CanonicalCrystal
    from nucleate.crystal.decorated import DecoratedPrototype
    from nucleate.library.table import LibraryTable

SHOWN = 20  # rows of the table as a text
COLUMNS = (
    "id",
    "formula",
    "space_group",
    "num_atoms",
    "e_above_hull",
    "e_form",
    "band_gap",
    "experimental",
    "prototype",
)


@dataclass(frozen=True, eq=False)
class KnownEntry:
    """A known crystal. row: its place in the library.

    Two entries are equal if they have the same id.
    """

    table: LibraryTable
    row: int

    @property
    def id(self) -> str:
        """The id of its source: "mp-149" is of the Materials Project, "oqmd-10" of the OQMD."""
        return f"{SOURCES[self.table.source[self.row]]}-{self.table.number[self.row]}"

    @property
    def elements(self) -> tuple[str, ...]:
        """The symbols, in canonical order."""
        return tuple(element_symbol(int(z)) for z in self.table.elements[self.row] if z)

    @property
    def composition(self) -> dict[str, int]:
        """Symbol -> atoms in the primitive cell."""
        return dict(zip(self.elements, self.table.counts[self.row].tolist(), strict=False))

    @property
    def formula(self) -> str:
        """The reduced formula, as people write it."""
        return Formula.of(self.composition).text

    @property
    def num_atoms(self) -> int:
        """Atoms in the primitive cell."""
        return int(self.table.num_atoms[self.row])

    @property
    def space_group(self) -> int:
        """1 to 230, within 0.1 angstrom; of enantiomorphic pairs the first."""
        return int(self.table.near_space_group[self.row])

    @property
    def space_group_symbol(self) -> str:
        """The short Hermann-Mauguin symbol of `space_group`."""
        from nucleate.crystal.symmetry import space_group_symbol

        return space_group_symbol(self.space_group)

    @property
    def prototype(self) -> str:
        """The structure type within 0.1 angstrom, in the way of AFLOW's labels: "ABC3_cP5_221_a_b_c"."""
        return self.table.prototype(self.row)

    @property
    def e_above_hull(self) -> float | None:
        """Energy above the hull of the Materials Project, eV/atom; None where it is not known, and of other sources.
        `raised` has been added to it."""
        return _number(self.table.e_above_hull[self.row])

    @property
    def raised(self) -> float:
        """eV/atom that were added to the energy above the hull, which the Materials Project gives to all crystals of a
        formula and space group: by so much the crystal is above the lowest of them by CHGNet. 0 where that is little,
        or where there is no other crystal of this energy."""
        return round(float(self.table.raised[self.row]), 4)

    @property
    def e_form(self) -> float | None:
        """Formation energy in the Materials Project, eV/atom; None where it is not known, and of other sources."""
        return _number(self.table.e_form[self.row])

    @property
    def band_gap(self) -> float | None:
        """Band gap in the Materials Project, by PBE, eV; None where it is not known, and of other sources."""
        return _number(self.table.band_gap[self.row])

    @property
    def experimental(self) -> bool | None:
        """Whether the crystal was made in an experiment: by the Materials Project, which asks the ICSD. None where that
        is not known, as of the OQMD's crystals: each has an entry in the ICSD, but some of these are calculated."""
        known = int(self.table.experimental[self.row])
        return None if known < 0 else bool(known)

    @property
    def mp20_split(self) -> str:
        """The split of MP-20 that the crystal is in: "train", "val", "test", or "" for none."""
        split = int(self.table.split[self.row])
        return SPLITS[split] if split >= 0 else ""

    @property
    def attribution(self) -> str:
        """Where it comes from, and its licence."""
        return self.table.attribution(np.array([self.row]))

    @property
    def reason(self) -> str:
        """Why the structure has less symmetry than `space_group`: within 0.1 angstrom atoms would have to be moved by
        more than 0.01. "" where it does not."""
        return self.table.reason(self.row)

    @property
    def structure(self) -> Structure:
        """The primitive cell, in canonical setting; atoms lie within 0.01 angstrom of those of the source."""
        from pymatgen.core import Lattice, Structure

        lattice, frac, numbers = self.table.primitive(self.row)
        return Structure(Lattice(lattice), numbers.tolist(), frac)

    @property
    def canonical(self) -> CanonicalCrystal:
        """The crystal by its space group, cell and sites."""
        from nucleate.crystal.asymmetric import AsymmetricUnit, Site
        from nucleate.crystal.canonical import CanonicalCrystal
        from nucleate.crystal.wyckoff import get_space_group

        cell, elements, places, parameters = self.table.geometry(self.row)
        number = int(self.table.space_group[self.row])
        sites, at = [], 0
        for element, place in zip(elements, places, strict=True):
            position = get_space_group(number).positions[place]
            sites.append(Site(element, position.letter, tuple(parameters[at : at + position.free].tolist())))
            at += position.free
        return CanonicalCrystal(AsymmetricUnit(number, cell, tuple(sites)), 0.0, 0.0, 0.0, self.reason)

    def decorated_prototype(self, substitution: Mapping[str, str] | None = None) -> DecoratedPrototype:
        """Which elements are on which Wyckoff positions of `table.space_group`; substitution: its elements -> those
        that take their places."""
        from nucleate.crystal.decorated import DecoratedPrototype
        from nucleate.library.sites import read_sites

        number = int(self.table.space_group[self.row])
        names = self.elements if substitution is None else [substitution[e] for e in self.elements]
        places = read_sites(number, self.table.sites(self.row))
        return DecoratedPrototype.of(number, dict(zip(map(atomic_number, names), places, strict=True)))

    def to_dict(self) -> dict[str, Any]:
        """What is known beside the structure: `COLUMNS`, and the split of MP-20."""
        return {
            **{name: getattr(self, name) for name in COLUMNS},
            "space_group": self.space_group_symbol,
            "space_group_number": self.space_group,
            "mp20_split": self.mp20_split,
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KnownEntry) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"{self.id}: {self.formula}, {self.space_group_symbol}, {self.num_atoms} atoms{_height(self)}"


class KnownEntries(Sequence[KnownEntry]):
    """Known crystals in a fixed order: a sequence of `KnownEntry` that is a table too.

    rows: their places in the library.

    Example:
        >>> import nucleate
        >>> found = nucleate.known("SrTiO3", stable=True)
        >>> found[0].formula, found[0].structure.num_sites
        ('SrTiO3', 5)
    """

    def __init__(self, table: LibraryTable, rows: Iterable[int] | NDArray[np.int64]) -> None:
        self._table = table
        self.rows = np.asarray(rows, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> KnownEntry: ...
    @overload
    def __getitem__(self, index: slice) -> KnownEntries: ...
    def __getitem__(self, index: int | slice) -> KnownEntry | KnownEntries:
        if isinstance(index, slice):
            return KnownEntries(self._table, self.rows[index])
        return KnownEntry(self._table, int(self.rows[index]))

    def __iter__(self) -> Iterator[KnownEntry]:
        return (KnownEntry(self._table, row) for row in self.rows.tolist())

    @property
    def structures(self) -> list[Structure]:
        """The pymatgen structures of all of them."""
        return [entry.structure for entry in self]

    @property
    def attribution(self) -> str:
        """Where they come from, and their licence: for whatever is made of them."""
        return self._table.attribution(self.rows)

    def to_frame(self) -> pd.DataFrame:
        """A pandas table with a row for each crystal, energies in eV/atom, band gaps in eV; its `attrs` name the
        source and the licence."""
        import pandas as pd

        frame = pd.DataFrame(
            [entry.to_dict() for entry in self], columns=[*COLUMNS, "space_group_number", "mp20_split"]
        )
        frame.attrs["attribution"] = self.attribution
        return frame

    def write(self, path: str | Path) -> Path:
        """Write the crystals and return the path: a .cif, a folder of CIFs, .extxyz, .jsonl, .db, or a .csv without
        structures. Each names the source and the licence."""
        from nucleate.library.files import write_entries

        return write_entries(Path(path), self)

    def __repr__(self) -> str:
        lines = [f"{len(self):,} known crystal{'' if len(self) == 1 else 's'}", *_text_rows(self[:SHOWN])]
        return "\n".join([*lines, *([f"and {len(self) - SHOWN:,} more"] if len(self) > SHOWN else [])])

    def _repr_html_(self) -> str:
        """The first of them as a table, for notebooks."""
        from html import escape

        named = [name for name in COLUMNS]
        head = "".join(f"<th>{name}</th>" for name in named)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in _cells(entry)) + "</tr>" for entry in self[:SHOWN]
        )
        count = f"{len(self):,} known crystal{'' if len(self) == 1 else 's'}"
        more = f", the first {SHOWN} shown" if len(self) > SHOWN else ""
        source = escape(self.attribution)
        return f"<p>{count}{more}</p><table><tr>{head}</tr>{body}</table><p>{source}</p>"


def _number(value: np.floating) -> float | None:
    return None if math.isnan(value) else round(float(value), 4)


def _height(entry: KnownEntry) -> str:
    return "" if entry.e_above_hull is None else f", {entry.e_above_hull:.3f} eV/atom above the hull"


def _cells(entry: KnownEntry) -> list[str]:
    """The columns of an entry as texts, "-" for what is not known."""
    values = [*entry.to_dict().items()][: len(COLUMNS)]
    return ["-" if v is None else f"{v:.3f}" if isinstance(v, float) else _word(v) for _, v in values]


def _word(value: object) -> str:
    return {True: "yes", False: "no"}.get(value, "") if isinstance(value, bool) else str(value)


def _text_rows(entries: KnownEntries) -> list[str]:
    cells = [list(COLUMNS), *map(_cells, entries)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(COLUMNS))]
    return ["  ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)).rstrip() for line in cells]
