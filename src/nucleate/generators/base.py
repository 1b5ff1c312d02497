"""What a generator is, and what it can be asked for: the one contract of all generators, this package's and others'."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from nucleate.generators.bounds import Bounds

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
    may occur. num_atoms: atoms in the cell. space_group: 1-230. properties: name -> target.
    sites: element symbol -> sets of equivalent atoms in a crystal of the space group.
    fixed: a cell of which parts stay. lattice_shape: one of `crystal.shape.SHAPES`.
    contains, exclude: element symbols that must, that must not occur. num_elements: how many
    different ones. pattern: a formula with gaps (`generators.pattern`), "Li ? O4".
    A generator refuses a field that it cannot honour; it never ignores one (`generators.contract`).

    Example:
        >>> import nucleate
        >>> nucleate.Condition(composition={"Sr": 1, "Ti": 1, "O": 3}, space_group=221).space_group
        221
    """

    composition: Mapping[str, int] | None = None
    chemical_system: tuple[str, ...] | None = None
    num_atoms: int | None = None
    space_group: int | None = None
    properties: Mapping[str, float] = field(default_factory=dict)
    fixed: Fixed | None = None
    lattice_shape: str | None = None
    contains: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    num_elements: int | None = None
    pattern: str | None = None
    sites: Mapping[str, int] | None = None


class Wishes(Protocol):
    """What a request asks for, of which a generator makes the condition of each object (`request.request.Request`).

    composition: of one formula unit. num_atoms, num_elements: a number, or lowest and highest, None open. properties:
    name -> (lowest, highest) wanted value. space_groups: any of these. The others are as in `Condition`.
    """

    @property
    def composition(self) -> Mapping[str, int] | None: ...
    @property
    def chemical_system(self) -> tuple[str, ...] | None: ...
    @property
    def num_atoms(self) -> int | Bounds | None: ...
    @property
    def properties(self) -> Mapping[str, tuple[float, float]]: ...
    @property
    def fixed(self) -> Fixed | None: ...
    @property
    def lattice_shape(self) -> str | None: ...
    @property
    def contains(self) -> tuple[str, ...]: ...
    @property
    def exclude(self) -> tuple[str, ...]: ...
    @property
    def num_elements(self) -> int | Bounds | None: ...
    @property
    def pattern(self) -> str | None: ...
    @property
    def space_groups(self) -> tuple[int, ...]: ...
    @property
    def sites(self) -> Mapping[str, int]: ...


class Generator(Protocol[T]):
    """Gives objects for conditions; object i depends on (condition_i, seed_i) alone. `BaseGenerator` has defaults.

    name: as records and messages call it. makes: "structures" or "formulas". accepts: names of the fields of
    `Condition` that it honours. needs: fields of which a condition has at least one. hints: field -> what is said of
    it in place of "cannot be asked for ...", and after a semicolon what to do instead.
    chunk: objects that are best asked for at once; an interruption loses no more than these.
    """

    @property
    def name(self) -> str: ...

    @property
    def makes(self) -> str: ...

    @property
    def accepts(self) -> frozenset[str]: ...

    @property
    def needs(self) -> tuple[str, ...]: ...

    @property
    def hints(self) -> Mapping[str, str]: ...

    @property
    def chunk(self) -> int: ...

    def check(self, condition: Condition) -> None:
        """Raise NucleateError, in one line, for values that it cannot meet, such as an element that it never saw.

        Only `contract.require_accepted` calls this, once it has seen that all fields are accepted.
        """
        ...

    def plan(self, wishes: Wishes, seed: int) -> Condition:
        """The condition of one object; what the wishes leave open is drawn by the seed."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """Plain JSON values for records and reports: what is known of "training", "dataset" (that it was trained on),
        "properties" (that it can be asked for: column -> low, high ...), "version", "license", "reference"."""
        ...

    def generate(
        self, conditions: Sequence[Condition], seeds: Sequence[int], progress: Progress | None = None
    ) -> list[T]:
        """One object for each condition and seed. Raises NucleateError for a condition that cannot be met."""
        ...


class StructureGenerator(Generator["Structure"], Protocol):
    """A generator of pymatgen structures."""
