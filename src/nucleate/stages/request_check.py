"""Checks whether a composition or a crystal is what a request in words asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.classes import ANIONS, NONMETALS, classes
from nucleate.chem.composition import reduced
from nucleate.chem.elements import atomic_number
from nucleate.errors import Code, NucleateError
from nucleate.families.family import Family, lexicon
from nucleate.families.members import keeps_space_group, substituted_prototype
from nucleate.library.library import load_library
from nucleate.pipeline.candidate import FAIL, PASS, Candidate, Check
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage
from nucleate.request.words import bounds_text, shortened_list, within

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from nucleate.crystal.prototype import Prototype
    from nucleate.generators.base import Condition
    from nucleate.library.library import Library
    from nucleate.request.request import Request
    from nucleate.request.words import Bounds

CHECK = "request"  # name of the check
Requirement = tuple[str, bool]  # a part of a request in words, and whether it is fulfilled


def composition_requirements(
    request: Request, composition: Mapping[str, int], library: Library | None = None
) -> list[Requirement]:
    """What the request says of elements and their amounts, and whether a composition (element -> atoms) fulfils it.
    library: the known crystals, None for all of them."""
    elements = set(composition)
    counts = reduced(composition)
    out: list[Requirement] = [(name, classes()[name].holds(counts)) for name in request.classes]
    out += [(f"{e} in it", e in elements) for e in request.contains]
    for some in request.any_of:
        there = sorted(elements & set(some))
        out.append((f"{', '.join(there) or shortened_list(some, ' or ')} in it", bool(there)))
    if request.exclude:
        barred = sorted(elements & set(request.exclude))
        out.append(
            (f"{', '.join(barred)} in it" if barred else f"no {shortened_list(request.exclude, ', ')}", not barred)
        )
    if request.chemical_system:
        out.append((f"{'-'.join(request.chemical_system)}", elements == set(request.chemical_system)))
    if request.composition:
        out.append(("its formula", counts == dict(request.composition)))
    if request.ratio:
        out.append((f"ratio {':'.join(map(str, request.ratio))}", tuple(sorted(counts.values())) == request.ratio))
    if request.num_elements is not None:
        wanted = as_bounds(request.num_elements)
        out.append((bounds_text(wanted, "elements"), within(len(elements), wanted)))
    if request.num_atoms is not None:
        highest = as_bounds(request.num_atoms)[1]
        if highest is not None and sum(counts.values()) > highest:
            out.append((f"a formula unit of at most {highest} atoms", False))
    if request.novel:
        known = load_library() if library is None else library
        out.append(("a new formula", not known.knows_formula(counts)))
    return out


def as_bounds(number: int | Bounds) -> Bounds:
    """A number or bounds of a request as lowest and highest value."""
    return (number, number) if isinstance(number, int) else number


def structure_requirements(request: Request, structure: Structure) -> list[Requirement]:
    """What the request says of atoms in the cell (as given or primitive), crystal family and space group, and whether
    the structure fulfils it."""
    out: list[Requirement] = []
    if request.num_atoms is not None:
        wanted = as_bounds(request.num_atoms)
        holds = within(len(structure), wanted) or within(len(structure.get_primitive_structure()), wanted)
        out.append((f"{bounds_text(wanted, 'atoms')} in the cell", holds))
    if request.families:
        found = next((name for name in request.families if elements_in_family(structure, lexicon()[name])), "")
        out.append((found or " or ".join(request.families), bool(found)))
    if request.space_groups:
        from nucleate.crystal.symmetry import space_group, without_hand
        from nucleate.request.symmetry import groups_text

        number, symbol = space_group(structure)
        holds = without_hand(number) in {
            without_hand(n) for n in request.space_groups
        }  # mirror-image space groups count as one
        out.append((symbol if holds else groups_text(request.space_groups), holds))
    return out


def stability_requirements(request: Request, c: Candidate) -> list[Requirement]:
    """What the request says of stability, and whether the candidate fulfils it. An unknown or incredible energy does
    not."""
    if request.stable is None:
        return []
    from nucleate.request.request import stable_text

    known = "e_above_hull" in c.energies and "hull" not in c.checks
    return [(stable_text(request.stable), known and c.energies["e_above_hull"].value <= request.stable)]


def elements_in_family(structure: Structure, family: Family) -> tuple[str, ...] | None:
    """The elements of a crystal on the sites of a family; None if it is not of the family, which means that it has one
    of its structure types and possible charges."""
    from nucleate.crystal.prototype import prototype_of as describe
    from nucleate.crystal.prototype import same_prototype

    counts = {e.symbol: int(n) for e, n in structure.composition.reduced_composition.items()}
    placements = [order for order in family.placements(counts) if family.admits(order)]
    own: Prototype | None = None
    for index in range(len(family.types)):
        for order in placements:
            if not keeps_space_group(family.name, index, order):
                continue
            own = own or describe(structure)
            model = describe(substituted_prototype(family.name, index, order))
            if same_prototype(model, own, {z: z for z in map(atomic_number, counts)}):
                return order
    return None


def unmet_text(requirements: Sequence[Requirement]) -> str:
    """The requirements that are not fulfilled, "not oxide, not Co in it"; "" if all are."""
    missing = [words for words, holds in requirements if not holds]
    return f"not {', not '.join(missing)}" if missing else ""


class FormulaStage(Stage):
    """Rejects candidates whose composition does not fulfil a request in words, before there are structures. library:
    the known crystals, None for all of them."""

    name = "formula"
    grain: Grain = "chunk"
    cost: Cost = "quick"
    resource: Resource = "cpu"

    def __init__(self, request: Request, library: Library | None = None) -> None:
        self.request, self.library = request, library

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        for c in candidates:
            fault = (
                unmet_text(composition_requirements(self.request, c.composition, self.library)) if c.composition else ""
            )
            yield c.failed(self.name, Code.UNMET, fault) if fault else c


def condition_of_words(request: Request, condition: Condition, seed: int) -> Condition:
    """The condition of one formula with the classes and groups of elements of a request. With the seed, one element of
    each group and one anion of each class is drawn. Elements that would make it another class are excluded.

    Raises NucleateError if all elements of a group or class are excluded.
    """
    from nucleate.chem.states import pauling_electronegativity

    rng = np.random.default_rng([seed, 5])
    contains, exclude = list(condition.contains), set(condition.exclude)
    number = condition.num_elements
    for group in request.any_of:
        contains.append(_drawn([e for e in group if e not in exclude], rng, request.unasked))
    for name in request.classes:
        kind = classes()[name]
        if not kind.anions:  # metals
            exclude |= NONMETALS
            continue
        anion = next((e for e in contains if e in kind.anions), None)
        anion = anion or _drawn(sorted(e for e in kind.anions if e not in exclude), rng, request.unasked)
        contains += [anion, *sorted(kind.needs)]
        strength = pauling_electronegativity(anion) or 0.0
        exclude |= {e for e in ANIONS if e not in kind.anions and (pauling_electronegativity(e) or 0.0) > strength}
    named = tuple(dict.fromkeys(contains))
    if isinstance(request.num_elements, tuple):
        low, high = request.num_elements
        lowest = max(low or 1, len(named), 1)
        number = int(rng.integers(lowest, max(high if high is not None else lowest + 2, lowest) + 1))
    return dataclasses.replace(
        condition, contains=named, exclude=tuple(sorted(exclude - set(named))), num_elements=number
    )


def _drawn(elements: Sequence[str], rng: np.random.Generator, unasked: Collection[str]) -> str:
    """One of the elements, but none of `unasked`."""
    if not set(elements).difference(unasked):
        raise NucleateError("all elements of a kind that was asked for are excluded; leave one in")
    while (element := elements[int(rng.integers(len(elements)))]) in unasked:
        pass
    return element


class RequestCheckStage(Stage):
    """Gives each candidate the check "request": whether the crystal fulfils all of a request in words. Its `meets`
    lists the requirements that are fulfilled. library: the known crystals, None for all of them."""

    name = "comply"
    grain: Grain = "chunk"
    cost: Cost = "slow"
    resource: Resource = "cpu"

    def __init__(self, request: Request, library: Library | None = None) -> None:
        self.request, self.library = request, library

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        for c in candidates:
            if c.structure is None:
                yield c
                continue
            composition = {e.symbol: int(n) for e, n in c.structure.composition.items()}
            requirements = composition_requirements(self.request, composition, self.library)
            try:
                requirements += structure_requirements(self.request, c.structure)
            except (NucleateError, ValueError, IndexError) as error:  # the cell is impossible
                requirements.append((f"a structure that can be told ({type(error).__name__})", False))
            requirements += stability_requirements(self.request, c)
            fault = unmet_text(requirements)
            check = Check(FAIL, fault) if fault else Check(PASS)
            yield c.with_(checks={CHECK: check}, meets=tuple(words for words, holds in requirements if holds))
