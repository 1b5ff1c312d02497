"""Known crystals of simpler ratios of which a formula may be an ordering: elements that are alike get one name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from typing import TYPE_CHECKING

from nucleate.chem.alike import shared_sites
from nucleate.chem.composition import Formula
from nucleate.chem.distance import element_movers_distance, on_scale
from nucleate.chem.elements import atomic_number
from nucleate.generators.known_templates import KnownTemplates
from nucleate.generators.substitute import with_elements_replaced, with_volume_scaled
from nucleate.generators.template import TemplateGenerator, TemplatePrediction

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.crystal.same_crystal import ComparableCrystal
    from nucleate.library.library import Library

    Counts = Mapping[str, int]
    Groups = Mapping[str, Mapping[str, int]]

WAYS = 6  # ways to share sites that are looked at, those with few elements together first
NAMES = 3  # choices of the names of the shared sites
OF_EACH = 8  # structure types of known crystals of each


@dataclass(frozen=True, eq=False)
class KnownParent:
    """A known crystal with the elements of a formula, of which those that share sites have one name.

    structure: its cell, with the volume that the atoms of the formula take. groups: name -> the elements that share its
    sites, and how many of each are in a formula unit. id, formula: of the known crystal. substitution: its elements ->
    those of the structure. distance: of its formula from the wanted one, in steps on the modified Pettifor scale.
    """

    structure: Structure
    groups: Groups
    id: str
    formula: str
    substitution: Mapping[str, str]
    distance: float


def parents_of(library: Library, composition: Counts, most: int, max_atoms: int) -> list[KnownParent]:
    """The nearest known crystals of which a composition (symbol -> atoms) may be an ordering, at most `most`, each
    structure once; none where no elements are alike, or no crystal has a ratio with them on one site. max_atoms: in
    their primitive cells."""
    counts = dict(Formula.of(composition))
    if not on_scale(counts):
        return []
    generator = TemplateGenerator(KnownTemplates(library))
    volumes = generator.templates.atomic_volumes
    found: list[tuple[float, TemplatePrediction, Groups, dict[str, str]]] = []
    for way in islice(shared_sites(counts), WAYS):
        for groups, renamed in islice(_named(counts, way), NAMES):
            for one in generator.predict_many([_merged(counts, groups)], OF_EACH)[0].predictions:
                if len(one.structure) <= max_atoms:
                    found.append((_distance(library, one, counts), one, groups, renamed))
    out: list[KnownParent] = []
    seen: dict[tuple[str, ...], list[ComparableCrystal]] = {}
    for distance, one, groups, renamed in sorted(found, key=lambda some: some[0]):
        structure = with_elements_replaced(one.structure, {e: renamed.get(e, e) for e in one.substitution.values()})
        named = {renamed[name]: own for name, own in groups.items()}
        if not _is_new(structure, seen.setdefault(tuple(sorted(named)), [])):
            continue
        ratio = _volume_ratio(counts, named, volumes)
        roles = {old: renamed.get(new, new) for old, new in one.substitution.items()}
        scaled = with_volume_scaled(structure, ratio)
        out.append(KnownParent(scaled, named, one.template, one.template_formula, roles, distance))
        if len(out) == most:
            break
    return out


def _is_new(structure: Structure, seen: list[ComparableCrystal]) -> bool:
    """Whether no crystal before it matches; if so, it is added to them."""
    from nucleate.crystal.same_crystal import is_same_crystal, prepare_for_comparison

    own = prepare_for_comparison(structure)
    if any(is_same_crystal(own, other, None) for other in seen):
        return False
    seen.append(own)
    return True


def _distance(library: Library, prediction: TemplatePrediction, counts: Counts) -> float:
    known = library[prediction.template].composition
    return element_movers_distance(known, counts) if on_scale(known) else math.inf


def _named(counts: Counts, way: tuple[frozenset[str], ...]) -> Iterator[tuple[Groups, dict[str, str]]]:
    """The shared groups by the name that they are looked up with: the commonest element of each first, then others; and
    for each name the commonest element."""
    orders = [sorted(group, key=lambda s: (-counts[s], s)) for group in way]
    ranked = sorted(product(*orders), key=lambda some: sum(o.index(n) for o, n in zip(orders, some, strict=True)))
    for names in ranked:
        groups = {n: {s: counts[s] for s in order} for n, order in zip(names, orders, strict=True)}
        yield groups, {n: order[0] for n, order in zip(names, orders, strict=True)}


def _merged(counts: Counts, groups: Groups) -> dict[str, int]:
    shared = {s for own in groups.values() for s in own}
    out = {s: n for s, n in counts.items() if s not in shared}
    return out | {name: sum(own.values()) for name, own in groups.items()}


def _volume_ratio(counts: Counts, groups: Groups, volumes: NDArray) -> float:
    """Volume of the atoms of a formula over that with one element in each group; 1 where an element has no volume."""
    after = sum(n * volumes[atomic_number(s)] for s, n in counts.items())
    before = sum(n * volumes[atomic_number(s)] for s, n in _merged(counts, groups).items())
    return float(after / before) if before > 0 and after > 0 else 1.0  # nan > 0 is false too
