"""`Request`: what the user asks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from nucleate.chem.elements import RADIOACTIVE
from nucleate.chem.formula import formula_text, reduced
from nucleate.errors import NucleateError
from nucleate.generators.base import Fixed
from nucleate.generators.bounds import Bounds, bounds_text, within
from nucleate.generators.pattern import parse_pattern
from nucleate.request.symmetry import groups_text
from nucleate.request.words import shortened_list

WISHES = ("contains", "exclude", "num_elements", "pattern")  # names of the fields about elements of the crystals


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Request:
    """A design request. Values of wrong types are refused (pydantic); plain JSON values are read by `read_request`.

    text: as the user wrote it. candidates: how many crystals are wanted. Fields that are None or empty are left open.

    composition: reduced formula, element -> atoms. chemical_system: elements that must all be there, and no others.
    num_atoms: atoms in the cell, a number or the lowest and highest one (None for no bound). properties: name ->
    (lowest, highest) wanted value; for each candidate a value is drawn from this range. fixed: parts of a cell that all
    candidates keep. lattice_shape: one of `crystal.shape.SHAPES`. space_groups: numbers 1-230; each candidate has one
    of them, or one with more symmetry that contains it. sites: element -> number of sets of equivalent atoms.

    Fields about elements: contains, exclude: elements that must, or must not, be there. radioactive: whether
    radioactive elements that the request does not name may be there. num_elements: number of different elements, or
    its bounds. pattern: a formula with gaps (`generators.pattern`).

    Fields that only plain words fill (`request.words`): spoken: whether the words ask for more than the fields above.
    families: names of crystal families (`families.family`), one of which each candidate must belong to. classes: of
    compounds, all of which must apply. any_of: groups of elements; one element of each must be there. ratio: numbers of
    atoms of the elements, sorted. novel: whether the formula must not be known. stable: highest e_above_hull, eV/atom.
    notes: how unusual words were understood. unread: words that were not understood.
    """

    text: str
    candidates: int
    composition: Mapping[str, int] | None = None
    chemical_system: tuple[str, ...] | None = None
    num_atoms: int | Bounds | None = None
    properties: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    fixed: Fixed | None = None
    lattice_shape: str | None = None
    contains: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    radioactive: bool = False
    num_elements: int | Bounds | None = None
    pattern: str | None = None
    space_groups: tuple[int, ...] = ()
    sites: Mapping[str, int] = field(default_factory=dict)
    spoken: bool = False
    families: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    any_of: tuple[tuple[str, ...], ...] = ()
    ratio: tuple[int, ...] = ()
    novel: bool = False
    stable: float | None = None
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def wishes(self) -> dict[str, Any]:
        """The fields of `WISHES` that the request fills, with their values."""
        return {name: value for name in WISHES if (value := getattr(self, name)) not in (None, ())}

    @property
    def unasked(self) -> frozenset[str]:
        """Radioactive elements that crystals do not get: those that the request does not name, unless `radioactive`."""
        if self.radioactive or self.composition is not None or self.chemical_system is not None:
            return frozenset()
        named = self.named | set(self.fixed.species if self.fixed is not None else ())
        named |= {e for group in self.any_of if RADIOACTIVE.issuperset(group) for e in group}
        return RADIOACTIVE - named - set(self.exclude)

    @property
    def named(self) -> frozenset[str]:
        """Elements that all wanted crystals must have."""
        named = {*(self.composition or ()), *(self.chemical_system or ()), *self.contains, *self.sites}
        named |= {self.fixed.species[i] for i in self.fixed.species_at} if self.fixed is not None else set()
        named |= set(parse_pattern(self.pattern).named) if self.pattern is not None else set()
        return frozenset(named)

    @property
    def left_out(self) -> str:
        """A sentence about elements that are left out although the request does not exclude them; "" for none."""
        if not self.unasked:
            return ""
        others = "other radioactive" if RADIOACTIVE & self.named else "radioactive"
        return f"{others} elements are left out unless they are asked for; --elements all offers them"

    def describe(self) -> str:
        """The request as it was understood, in one line."""
        s = "" if self.candidates == 1 else "s"
        if self.composition is not None:
            what = f"crystal structure{s} of {formula_text(self.composition)}"
        elif self.pattern is not None:
            what = f"crystal{s} of formulas such as {self.pattern}"
        elif self.chemical_system is not None:
            what = f"crystal{s} in the chemical system {'-'.join(self.chemical_system)}"
        else:
            what = f"crystal{s} of any composition"
        clauses = [f"{_number_text(self.num_atoms, 'atoms')} in the cell"] if self.num_atoms is not None else []
        if self.families:
            clauses.append(f"the structure of {' or '.join(map(_family_text, self.families))}")
        if self.classes:
            clauses.append(f"the class {' and '.join(self.classes)}")
        if self.ratio:
            clauses.append(f"the ratio {':'.join(map(str, self.ratio))}")
        if self.pattern is not None and self.chemical_system is not None:
            clauses.append(f"the elements {', '.join(self.chemical_system)} alone")
        if self.contains:
            clauses.append(f"{', '.join(self.contains)} in it")
        for some in self.any_of:
            clauses.append(f"{shortened_list(some, ' or ')} in it")
        if self.exclude:
            clauses.append(f"no {shortened_list(self.exclude, ', ')}")
        if self.num_elements is not None:
            clauses.append(_number_text(self.num_elements, "different elements"))
        for name, (low, high) in self.properties.items():
            clauses.append(f"{name} = {low:g}" if low == high else f"{name} from {low:g} to {high:g}")
        if self.space_groups:
            clauses.append(groups_text(self.space_groups))
        if self.sites:
            clauses.append("sites " + ", ".join(f"{e}:{n}" for e, n in self.sites.items()))
        if self.lattice_shape is not None:
            clauses.append(f"a {self.lattice_shape} lattice")
        if self.fixed is not None:
            clauses.append(f"parts of a given cell of {len(self.fixed.species)} atoms kept")
        if self.novel:
            clauses.append("a formula that is not known")
        if self.stable is not None:
            clauses.append(stable_text(self.stable))
        best = "the best" if self.candidates == 1 else f"the {self.candidates} best"
        out = f"{best} {what}" + (f" with {' and '.join(clauses)}" if clauses else "")
        out += f"; {', '.join(self.notes)}" if self.notes else ""
        return out + (f"; not understood: {', '.join(self.unread)}" if self.unread else "")


def read_request(values: Mapping[str, Any]) -> Request:
    """A request from plain JSON values, as `dataclasses.asdict` gives them. Raises NucleateError for other values."""
    try:
        return TypeAdapter(Request).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise NucleateError(f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}") from None


def stable_text(limit: float) -> str:
    """A wish for stability in words. limit: eV/atom above the hull."""
    return f"at most {limit:g} eV/atom above the hull"


def _number_text(number: int | Bounds, name: str) -> str:
    return f"{number} {name}" if isinstance(number, int) else bounds_text(number, name)


def _family_text(name: str) -> str:
    from nucleate.families.family import lexicon

    return f"{name} ({lexicon()[name].pattern})"


def with_fixed_parts(request: Request, fixed: Fixed) -> Request:
    """The request for crystals that keep parts of a given cell.

    If the request does not say how many atoms the cell has, it has as many as the given one. If all elements of the
    given cell are kept, its composition is asked for too. Raises NucleateError for a formula that does not fit into the
    cell.
    """
    n, composition = len(fixed.species), request.composition
    if isinstance(request.num_atoms, tuple) and not within(n, request.num_atoms):
        raise NucleateError(
            f"the given cell has {n} atoms, but {bounds_text(request.num_atoms, 'atoms')} are asked for"
        )
    size = request.num_atoms if isinstance(request.num_atoms, int) else n
    if composition is None and request.chemical_system is None and len(fixed.species_at) == n == size:
        counts = {e: fixed.species.count(e) for e in dict.fromkeys(fixed.species)}
        composition = reduced(counts)
    if composition is not None and size % sum(composition.values()):
        raise NucleateError(
            f"{size} atoms cannot hold whole formula units of {formula_text(composition)}; give --num-atoms"
        )
    return dataclasses.replace(request, composition=composition, num_atoms=size, fixed=fixed)
