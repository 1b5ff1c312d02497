"""What a generator is, and what it can be asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from pymatgen.core import Structure  # noqa: F401 (named in quotes below)

T = TypeVar("T")
Progress = Callable[[int, int], None]  # (done, total)
ASKED = {  # what the fields of a condition (and of a request) are called in messages, with the option for it
    "composition": "a given formula",
    "chemical_system": "a chemical system (Li-Fe-O, --elements)",
    "num_atoms": "a number of atoms (--num-atoms)",
    "space_group": "a space group (--space-group)",
    "space_groups": "a space group (--space-group)",
    "sites": "numbers of sites (--sites)",
    "properties": "a property (--property)",
    "text": "free words",
    "fixed": "parts of a given cell (--fix)",
    "lattice_shape": "a lattice shape (--lattice-shape)",
    "contains": "elements that must be there (--contains)",
    "exclude": "elements that must not be there (--exclude)",
    "num_elements": "a number of elements (--num-elements)",
    "pattern": "a formula with gaps",
}


@dataclass(frozen=True)
class Fixed:
    """A cell of n atoms, and which parts of it generated cells keep (see `generators.inpaint.fix`).

    lattice: rows in angstrom. species (n,), frac_coords (n, 3). cell: "lattice" keeps it, "shape" what its space group
    leaves free of it, "" nothing. species_at, coords: indices of the atoms whose element, whose position stays.
    """

    lattice: tuple[tuple[float, ...], ...]
    species: tuple[str, ...]
    frac_coords: tuple[tuple[float, ...], ...]
    cell: str = ""
    species_at: tuple[int, ...] = ()
    coords: tuple[int, ...] = ()


@dataclass(frozen=True)
class Condition:
    """What generated objects must have; None means anything.

    composition: element symbol -> atoms in the cell, exactly. chemical_system: element symbols, of which no other
    may occur. num_atoms: atoms in the cell. space_group: 1-230. properties: name -> target. text: free words.
    sites: element symbol -> sets of equivalent atoms in a crystal of the space group.
    fixed: a cell of which parts stay. lattice_shape: one of `crystal.shape.SHAPES`.
    Of formulas also: contains, exclude: element symbols that must, that must not occur. num_elements: how many
    different ones. pattern: a formula with gaps (`generators.pattern`), "Li ? O4".
    A generator refuses a field that it cannot honour; it never ignores one.
    """

    composition: Mapping[str, int] | None = None
    chemical_system: tuple[str, ...] | None = None
    num_atoms: int | None = None
    space_group: int | None = None
    properties: Mapping[str, float] = field(default_factory=dict)
    text: str | None = None
    fixed: Fixed | None = None
    lattice_shape: str | None = None
    contains: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    num_elements: int | None = None
    pattern: str | None = None
    sites: Mapping[str, int] | None = None


class Generator(Protocol[T]):
    """`generate` gives objects for conditions; object i depends on (condition_i, seed_i) alone."""

    @property
    def name(self) -> str: ...

    def generate(
        self, conditions: Sequence[Condition], seeds: Sequence[int], progress: Progress | None = None
    ) -> list[T]:
        """One object for each condition and seed. Raises NucleateError for a condition that cannot be met."""
        ...


class StructureGenerator(Generator["Structure"], Protocol):
    """A generator of pymatgen structures."""
