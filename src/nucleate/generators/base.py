"""The contract of generators, for those of this package and of others: what they are and what they can be asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from nucleate.generators.bounds import Bounds

if TYPE_CHECKING:
    from pymatgen.core import Structure  # noqa: F401 (named in quotes below)

T = TypeVar("T")
Progress = Callable[[int, int], None]  # (done, total)
ASKED = {  # fields of a condition or of a request -> how messages call them, with the option of the command line
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
    """A cell of n atoms, and which parts of it generated cells keep (see `generators.inpaint.fixed_parts`).

    lattice: rows in angstrom. species (n,), frac_coords (n, 3). cell: "lattice" keeps the whole cell; "shape" keeps the
    relations between lengths and angles that its space group demands; "" keeps nothing of it. species_at, coords:
    indices of the atoms that keep their element, and of those that keep their position.
    """

    lattice: tuple[tuple[float, ...], ...]
    species: tuple[str, ...]
    frac_coords: tuple[tuple[float, ...], ...]
    cell: str = ""
    species_at: tuple[int, ...] = ()
    coords: tuple[int, ...] = ()


@dataclass(frozen=True)
class Condition:
    """What a generated object must have. A field that is None or empty is left open.

    composition: element symbol -> atoms in the cell, exactly. chemical_system: element symbols; no other element may
    occur. num_atoms: atoms in the cell. space_group: 1-230. properties: name -> wanted value. fixed: a cell of which
    parts are kept. lattice_shape: one of `crystal.shape.SHAPES`. contains: element symbols that must occur. exclude:
    those that must not occur. num_elements: number of different elements. pattern: a formula with gaps such as "Li ?
    O4" (`generators.pattern`). sites: element symbol -> number of sets of equivalent atoms.

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
    """What a request asks for (`request.request.Request`). A generator makes the condition of each object of it.

    composition: of one formula unit. num_atoms, num_elements: a number, or lowest and highest, or None if open.
    properties: name -> (lowest, highest) wanted value. space_groups: any of these is wanted. The others are as in
    `Condition`.
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
    """Makes objects for conditions; object i depends on condition i and seed i only. `BaseGenerator` has defaults.

    name: in records and messages. makes: "structures" or "formulas". accepts: names of the fields of `Condition` that
    it honours. needs: fields, of which a condition must have at least one. hints: field -> what a refusal says in place
    of "cannot be asked for ...", with what to do instead after a semicolon. chunk: how many objects are best asked for
    in one call; an interruption loses at most these.
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
        """Raise NucleateError, in one line, for values that it cannot meet, such as an element it was not trained on.

        Only `contract.require_accepted` calls this, after it has checked that all fields are accepted.
        """
        ...

    def plan(self, wishes: Wishes, seed: int) -> Condition:
        """The condition of one object. What the wishes leave open may be drawn with the seed."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """Plain JSON values for records and reports, as far as they are known: "training", "dataset" (of the training),
        "properties" that it can be asked for (column -> low, high ...), "version", "license", "reference"."""
        ...

    def generate(
        self, conditions: Sequence[Condition], seeds: Sequence[int], progress: Progress | None = None
    ) -> list[T]:
        """One object for each condition and seed. Raises NucleateError for a condition that cannot be met."""
        ...


class StructureGenerator(Generator["Structure"], Protocol):
    """A generator of pymatgen structures."""
