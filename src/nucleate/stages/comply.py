"""Whether a crystal is what was asked for in words, verified on the crystal itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.classes import ANIONS, NONMETALS, classes
from nucleate.chem.composition import reduced
from nucleate.chem.elements import atomic_number
from nucleate.errors import Code, NucleateError
from nucleate.families.family import Family, keeps_type, lexicon, substituted_prototype
from nucleate.hull.known_formulas import is_known
from nucleate.pipeline.candidate import FAIL, PASS, Candidate, Check
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage
from nucleate.request.words import bounds_text, few, within

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from nucleate.crystal.prototype import Prototype
    from nucleate.generators.base import Condition
    from nucleate.request.request import Request
    from nucleate.request.words import Bounds

CHECK = "request"  # name of the check
Fact = tuple[str, bool]  # what was asked for, and whether it holds


def of_composition(request: Request, composition: Mapping[str, int]) -> list[Fact]:
    """What the request says of elements and their amounts, each part with whether it holds."""
    elements = set(composition)
    counts = reduced(composition)
    out: list[Fact] = [(name, classes()[name].holds(counts)) for name in request.classes]
    out += [(f"{e} in it", e in elements) for e in request.contains]
    out += [(f"{', '.join(sorted(elements & set(some))) or few(some, ' or ')} in it", bool(elements & set(some)))
            for some in request.any_of]  # fmt: skip
    if request.exclude:
        barred = sorted(elements & set(request.exclude))
        out.append((f"{', '.join(barred)} in it" if barred else f"no {few(request.exclude, ', ')}", not barred))
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
        most = as_bounds(request.num_atoms)[1]
        if most is not None and sum(counts.values()) > most:
            out.append((f"a formula unit of at most {most} atoms", False))
    if request.novel:
        out.append(("a new formula", not is_known(counts)))
    return out


def as_bounds(number: int | Bounds) -> Bounds:
    """A number of a request as lowest and highest."""
    return (number, number) if isinstance(number, int) else number


def of_structure(request: Request, structure: Structure) -> list[Fact]:
    """What the request says of the structure: atoms in the cell, as it is or primitive, family and space group."""
    out: list[Fact] = []
    if request.num_atoms is not None:
        wanted = as_bounds(request.num_atoms)
        holds = within(len(structure), wanted) or within(len(structure.get_primitive_structure()), wanted)
        out.append((f"{bounds_text(wanted, 'atoms')} in the cell", holds))
    if request.families:
        found = next((name for name in request.families if family_of(structure, lexicon()[name])), "")
        out.append((found or " or ".join(request.families), bool(found)))
    if request.space_groups:
        from nucleate.crystal.symmetry import space_group, without_hand
        from nucleate.request.symmetry import groups_text

        number, symbol = space_group(structure)
        holds = without_hand(number) in {without_hand(n) for n in request.space_groups}  # a mirror image has both
        out.append((symbol if holds else groups_text(request.space_groups), holds))
    return out


def of_energy(request: Request, c: Candidate) -> list[Fact]:
    """What the request says of stability; an energy that cannot be believed is none."""
    if request.stable is None:
        return []
    from nucleate.request.request import stable_text

    known = "e_above_hull" in c.energies and "hull" not in c.checks
    return [(stable_text(request.stable), known and c.energies["e_above_hull"].value <= request.stable)]


def family_of(structure: Structure, family: Family) -> tuple[str, ...] | None:
    """The elements of a crystal on the sites of a family, None where it is not of the family: one of its structure
    types with possible charges."""
    from nucleate.crystal.prototype import prototype_of as describe
    from nucleate.crystal.prototype import same_prototype

    counts = {e.symbol: int(n) for e, n in structure.composition.reduced_composition.items()}
    placements = [order for order in family.placements(counts) if family.admits(order)]
    own: Prototype | None = None
    for index in range(len(family.types)):
        for order in placements:
            if not keeps_type(family.name, index, order):
                continue
            own = own or describe(structure)
            model = describe(substituted_prototype(family.name, index, order))
            if same_prototype(model, own, {z: z for z in map(atomic_number, counts)}):
                return order
    return None


def unmet(facts: Sequence[Fact]) -> str:
    """What does not hold, "not oxide, not Co in it"; "" where all does."""
    missing = [words for words, holds in facts if not holds]
    return f"not {', not '.join(missing)}" if missing else ""


class FormulaStage(Stage):
    """Rejects candidates whose composition is not what was asked for in words, before any work on structures."""

    name = "formula"
    grain: Grain = "chunk"
    cost: Cost = "quick"
    resource: Resource = "cpu"

    def __init__(self, request: Request) -> None:
        self.request = request

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        for c in candidates:
            fault = unmet(of_composition(self.request, c.composition)) if c.composition else ""
            yield c.failed(self.name, Code.UNMET, fault) if fault else c


def spoken_condition(request: Request, condition: Condition, seed: int) -> Condition:
    """The condition of one formula with what can be said of classes and groups of elements: one of each group and one
    anion of each class is drawn, and what would make it another class is barred."""
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
        least = max(low or 1, len(named), 1)
        number = int(rng.integers(least, max(high if high is not None else least + 2, least) + 1))
    return dataclasses.replace(
        condition, contains=named, exclude=tuple(sorted(exclude - set(named))), num_elements=number
    )


def _drawn(elements: Sequence[str], rng: np.random.Generator, unasked: Collection[str]) -> str:
    """One of the elements; drawn again while it is one that is not offered."""
    if not set(elements).difference(unasked):
        raise NucleateError("all elements of a kind that was asked for are excluded; leave one in")
    while (element := elements[int(rng.integers(len(elements)))]) in unasked:
        pass
    return element


class ComplyStage(Stage):
    """Check "request": whether all of what was asked for in words holds of the relaxed crystal; `meets` of
    the candidate says what does."""

    name = "comply"
    grain: Grain = "chunk"
    cost: Cost = "slow"
    resource: Resource = "cpu"

    def __init__(self, request: Request) -> None:
        self.request = request

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        for c in candidates:
            if c.structure is None:
                yield c
                continue
            composition = {e.symbol: int(n) for e, n in c.structure.composition.items()}
            facts = of_composition(self.request, composition)
            try:
                facts += of_structure(self.request, c.structure)
            except (NucleateError, ValueError, IndexError) as error:  # a freak cell
                facts.append((f"a structure that can be told ({type(error).__name__})", False))
            facts += of_energy(self.request, c)
            fault = unmet(facts)
            check = Check(FAIL, fault) if fault else Check(PASS)
            yield c.with_(checks={CHECK: check}, meets=tuple(words for words, holds in facts if holds))
