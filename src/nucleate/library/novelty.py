"""Whether a crystal is known, judged by its structure: one of four words, and the nearest known crystal.

"structure known": a crystal of the same formula matches it (pymatgen's StructureMatcher at its usual tolerances,
whatever the volumes). Metastable crystals count, and a mirror image is the same crystal. "ordering of": it is an
ordered version of a disordered phase (`shared_site`). "formula known": its formula is known in other structures. "new":
none of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.alike import shared_sites
from nucleate.chem.composition import Formula
from nucleate.errors import NucleateError
from nucleate.library.entries import KnownEntry
from nucleate.library.filters import rows_of_formula
from nucleate.library.matching import atoms_by_element, comparable_row, rows_like
from nucleate.library.nearest import SHARED_SITE, KnownRelative, formula_distances, nearest_to, related

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.crystal.canonical import CanonicalCrystal
    from nucleate.crystal.same_crystal import ComparableCrystal
    from nucleate.library.library import Library

    Rows = NDArray[np.int64]

STRUCTURE_KNOWN, ORDERING, FORMULA_KNOWN, NEW = "structure known", "ordering of", "formula known", "new"
UNKNOWN = "unknown"
WORDS = (STRUCTURE_KNOWN, ORDERING, FORMULA_KNOWN, NEW, UNKNOWN)
MOST_ATOMS = 200  # in the primitive cell of a crystal of the library
MOST_IDS = 10  # that a judgement names
SYMPREC = 0.1  # angstrom, within which sites of a known crystal are equivalent
ELEMENT = "element"  # name of a site property: the element of an atom before others of its site are called by its name


@dataclass(frozen=True)
class NoveltyJudgement:
    """What a library says of a crystal.

    word: one of WORDS. reason: what it rests on, as a text. ids: the known crystals that it rests on, the first
    MOST_IDS of them in the order of the library: those that match; those with the shared site; those of the formula.
    relative: the nearest known crystal; None if the word is "unknown", and for an empty library.
    """

    word: str
    reason: str
    ids: tuple[str, ...] = ()
    relative: KnownRelative | None = None


@dataclass(frozen=True)
class SharedSite:
    """A known crystal that becomes a disordered version of a given one when elements of that share a site of it.

    row: its place in the library. groups: the elements that share a site; formula: of the disordered version,
    "(Cr,Ta)O2".
    """

    row: int
    groups: tuple[frozenset[str], ...]
    formula: str


def judge(library: Library, structure: Structure | None) -> NoveltyJudgement:
    """What a library says of one crystal. What cannot be compared has the word "unknown" and the reason."""
    if structure is None or not len(structure):
        return NoveltyJudgement(UNKNOWN, "no structure to compare")
    if not structure.is_ordered:
        return NoveltyJudgement(UNKNOWN, "disordered, and only ordered crystals are compared")
    try:
        return _judged(library, structure)
    except NucleateError as error:
        reason = str(error)
    except Exception as error:  # pymatgen raises errors of many kinds for impossible cells
        reason = f"{type(error).__name__}: {error}"
    return NoveltyJudgement(UNKNOWN, f"cannot be compared ({reason.splitlines()[0][:180]})")


def _judged(library: Library, structure: Structure) -> NoveltyJudgement:
    from nucleate.crystal.canonical import canonical_crystal
    from nucleate.crystal.same_crystal import prepare_for_comparison

    form = canonical_crystal(structure)
    if form.num_atoms > MOST_ATOMS:
        reason = f"{form.num_atoms} atoms in the primitive cell; known crystals of up to {MOST_ATOMS} are compared"
        return NoveltyJudgement(UNKNOWN, reason)
    composition = atoms_by_element(structure)
    polymorphs = _visible_rows(library, composition)
    crystal = prepare_for_comparison(structure)
    same = library.ordered(np.array(rows_like(library.table, crystal, polymorphs.tolist()), dtype=np.int64))
    shared = [] if len(same) else list(shared_site(library, structure, crystal))
    relative = _relative(library, structure, form, same, shared)
    if len(same):
        return NoveltyJudgement(STRUCTURE_KNOWN, _names(library, same), _ids(library, same), relative)
    also = f"; {_count(len(polymorphs), 'other structure')} of its formula known" if len(polymorphs) else ""
    if shared:
        rows = np.array([s.row for s in shared], dtype=np.int64)
        sharing = " and ".join(_and(group) for group in shared[0].groups)
        site = "a site" if len(shared[0].groups) == 1 else "sites"
        reason = f"{shared[0].formula}: {sharing} would share {site} of {_names(library, rows)}{also}"
        return NoveltyJudgement(ORDERING, reason, _ids(library, rows), relative)
    if len(polymorphs):
        reason = f"none of {_count(len(polymorphs), 'known crystal')} of its formula has its structure"
        return NoveltyJudgement(FORMULA_KNOWN, reason, _ids(library, polymorphs), relative)
    return NoveltyJudgement(NEW, f"none of {len(library):,} known crystals has its formula", (), relative)


def shared_site(library: Library, structure: Structure, crystal: ComparableCrystal) -> list[SharedSite]:
    """The known crystals of which an ordered crystal is an ordered version.

    Elements that are alike (`chem.alike`) are given one name. If a known crystal with one of these elements alone in
    all their places matches then, and its symmetry (or a smaller cell) makes places of different ones of them
    equivalent, it is such a crystal: the rutile CrO2 for TaCr2O6, which is an ordered (Cr,Ta)O2. A crystal in which
    the elements have sites of their own is none, such as the garnet Y3Al2Ga3O12; nor is one whose volume per atom
    differs from that of the known one by more than `same_crystal.VOLUME`. crystal: the same, prepared for
    comparisons. Only the ways with the fewest elements together for which there is a known crystal are given; the
    result is empty if there is none.
    """
    composition = atoms_by_element(structure)
    found: list[SharedSite] = []
    fewest = 0
    for groups in shared_sites(composition):
        together = sum(map(len, groups))
        if found and together > fewest:
            break
        found += _versions(library, crystal, composition, groups)
        fewest = together
    order = library.ordered(np.array([s.row for s in found], dtype=np.int64)).tolist()
    return sorted(found, key=lambda s: order.index(s.row))


def _versions(
    library: Library, crystal: ComparableCrystal, composition: dict[str, int], groups: tuple[frozenset[str], ...]
) -> list[SharedSite]:
    from nucleate.crystal.same_crystal import VOLUME, prepare_for_comparison

    rows_by_names: dict[tuple[str, ...], Rows] = {}
    for names in product(*map(sorted, groups)):
        rows = _visible_rows(library, _merged_counts(composition, groups, names))
        if len(rows):
            rows_by_names[names] = rows
    out = []
    for names, rows in rows_by_names.items():
        name_of = {element: name for group, name in zip(groups, names, strict=True) for element in group}
        merged = prepare_for_comparison(_renamed(crystal.structure, name_of))
        for row in rows_like(library.table, merged, rows.tolist(), VOLUME):
            smaller = len(merged.structure) < len(crystal.structure)
            if smaller or _share_a_site(merged, comparable_row(library.table, row)):
                out.append(SharedSite(row, groups, _disordered_formula(composition, groups)))
    return out


def _share_a_site(merged: ComparableCrystal, known: ComparableCrystal) -> bool:
    """Whether atoms that had different elements lie on equivalent places of a known crystal that matches."""
    from nucleate.crystal.same_crystal import structure_matcher
    from nucleate.crystal.symmetry import find_symmetry

    there = known.structure
    found = structure_matcher().get_transformation(there, merged.structure)
    if found is None:
        return False
    orbits = find_symmetry(there.lattice.matrix, there.frac_coords, there.atomic_numbers, SYMPREC).orbits
    elements = merged.structure.site_properties[ELEMENT]
    on_orbit: dict[int, set[str]] = {}
    for orbit, own in zip(orbits, found[2], strict=True):
        on_orbit.setdefault(orbit, set()).add(elements[own])
    return any(len(kinds) > 1 for kinds in on_orbit.values())


def _renamed(structure: Structure, name_of: dict[str, str]) -> Structure:
    """The structure with other names of elements; its sites have their own as a property."""
    from pymatgen.core import Structure

    own = [site.specie.symbol for site in structure]
    names = [name_of.get(symbol, symbol) for symbol in own]
    return Structure(structure.lattice, names, structure.frac_coords, site_properties={ELEMENT: own})


def _merged_counts(
    composition: dict[str, int], groups: tuple[frozenset[str], ...], names: tuple[str, ...]
) -> dict[str, int]:
    out = dict(composition)
    for group, name in zip(groups, names, strict=True):
        total = sum(out.pop(element) for element in group)
        out[name] = total
    return out


def _disordered_formula(composition: dict[str, int], groups: tuple[frozenset[str], ...]) -> str:
    """The formula with elements that share a site in parentheses: "(Cr,Ta)O2"."""
    names = tuple(min(group) for group in groups)
    text = ""
    for symbol, n in _in_writing_order(_merged_counts(composition, groups, names)):
        group = next((g for g, name in zip(groups, names, strict=True) if name == symbol), None)
        shown = f"({','.join(sorted(group))})" if group else symbol
        text += f"{shown}{n if n > 1 else ''}"
    return text


def _in_writing_order(counts: dict[str, int]) -> list[tuple[str, int]]:
    from nucleate.chem.elements import WRITING_ORDER

    return sorted(Formula.of(counts), key=lambda item: WRITING_ORDER[item[0]])


def _relative(
    library: Library, structure: Structure, form: CanonicalCrystal, same: Rows, shared: list[SharedSite]
) -> KnownRelative | None:
    """The nearest known crystal: one that matches, else one with a shared site, else the first of `nearest`."""
    if shared:
        row = shared[0].row
        away = formula_distances(library.table, np.array([row]), atoms_by_element(structure))
        known = set(KnownEntry(library.table, row).elements)
        said = ", ".join(f"{_and(group)} on a site of {min(group & known)}" for group in shared[0].groups)
        return related(library, structure, form, row, SHARED_SITE, float(away[0]), said)
    found = nearest_to(library, structure, form, same, 1)
    return found[0] if found else None


def _visible_rows(library: Library, composition: dict[str, int]) -> Rows:
    rows = rows_of_formula(library.table, composition)
    return library.ordered(rows if library.visible is None else rows[library.visible[rows]])


def _ids(library: Library, rows: Rows) -> tuple[str, ...]:
    return tuple(KnownEntry(library.table, row).id for row in rows[:MOST_IDS].tolist())


def _names(library: Library, rows: Rows) -> str:
    first = KnownEntry(library.table, int(rows[0]))
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return f"{first.id} ({first.formula}, {first.space_group_symbol}){more}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _and(group: frozenset[str]) -> str:
    *first, last = sorted(group)
    return f"{', '.join(first)} and {last}"
