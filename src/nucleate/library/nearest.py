"""The known crystals that are nearest to a given one, in what they are like it, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.composition import Formula
from nucleate.chem.distance import MODIFIED_PETTIFOR, PLACES, cumulative_profiles, number_profiles, on_scale
from nucleate.chem.elements import atomic_number
from nucleate.crystal.prototype import CLOSE, neighbour_distances
from nucleate.library.differences import differences
from nucleate.library.entries import KnownEntry
from nucleate.library.filters import Filters
from nucleate.library.matching import atoms_by_element, matching_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.crystal.canonical import CanonicalCrystal
    from nucleate.library.library import Library
    from nucleate.library.table import LibraryTable

    Rows = NDArray[np.int64]

SAME_STRUCTURE = "same structure"
SHARED_SITE = "disordered version"
SAME_PROTOTYPE = "same structure type"
SAME_FORMULA = "same formula"
SAME_POSITIONS = "same Wyckoff positions"
SAME_RATIO = "same ratio and space group"
SIMILAR_FORMULA = "similar formula"
RELATIONS = (
    SAME_STRUCTURE,
    SHARED_SITE,
    SAME_PROTOTYPE,
    SAME_FORMULA,
    SAME_POSITIONS,
    SAME_RATIO,
    SIMILAR_FORMULA,
)
TRIED = 5  # crystals with the same Wyckoff positions, for each one wanted, whose neighbour distances are compared
BINS = 12  # parts of the scale of elements
FIRST = 64  # crystals whose distance is computed first
ROUNDING = 1e-4  # the error of distances by rounding, in steps


@dataclass(frozen=True)
class KnownRelative:
    """A known crystal and what it has in common with a given one.

    relation: one of RELATIONS. Formula and structure are the same; elements share one of its sites (`novelty.judge`);
    the structure type is the same, which means Wyckoff positions and neighbour distances; the formula (in another
    structure); the Wyckoff positions alone; ratio and space group; or the formula is similar, and nothing else.
    distance: element mover's distance of the formulas, steps on the modified Pettifor scale; nan for elements beyond
    lawrencium. differs: what the given crystal has instead, as a text (`differences.differences`).
    """

    entry: KnownEntry
    relation: str
    distance: float
    differs: str = ""


def nearest(library: Library, structure: Structure, count: int = 10) -> list[KnownRelative]:
    """The known crystals nearest to an ordered crystal, in the order of RELATIONS: those of its formula and structure,
    then those of its structure type, others of its formula, and so on; of each kind by the distance of the formulas.
    Those of a similar formula alone are given only if there are no others.

    Raises NucleateError for what is no ordered crystal.
    """
    from nucleate.crystal.canonical import canonical_crystal

    form = canonical_crystal(structure)
    same = np.array(matching_rows(library.table, structure), dtype=np.int64)
    return nearest_to(library, structure, form, same, count)


def nearest_to(
    library: Library, structure: Structure, form: CanonicalCrystal, same: Rows, count: int
) -> list[KnownRelative]:
    """As `nearest`, for a crystal of which the canonical form and the rows that match it are known already."""
    composition = atoms_by_element(structure)
    found: dict[int, tuple[str, float]] = {}
    for relation, rows in _by_relation(library, structure, form, same, count):
        new = np.array([row for row in rows.tolist() if row not in found], dtype=np.int64)
        away = formula_distances(library.table, new, composition)
        for i in np.argsort(away, kind="stable").tolist()[: count - len(found)]:
            found[int(new[i])] = relation, float(away[i])
        if len(found) >= count:
            break
    return [related(library, structure, form, row, *value) for row, value in found.items()]


def related(
    library: Library,
    structure: Structure,
    form: CanonicalCrystal,
    row: int,
    relation: str,
    distance: float,
    elements: str | None = None,
) -> KnownRelative:
    """A row as a relative of a crystal, with what differs. elements: what differs in the elements, None to say which
    took the place of which."""
    entry = KnownEntry(library.table, row)
    return KnownRelative(entry, relation, distance, differences(structure, form, entry, elements))


def _by_relation(
    library: Library, structure: Structure, form: CanonicalCrystal, same: Rows, count: int
) -> Iterator[tuple[str, Rows]]:
    """(relation, rows that may be seen in the order of the library), the nearest first. The last is asked for only if
    there is nothing else."""
    composition = atoms_by_element(structure)

    def rows_of(filters: Filters) -> Rows:
        return library.ordered(filters.rows(library.table, library.visible))

    seen = library.ordered(same if library.visible is None else same[library.visible[same]])
    yield SAME_STRUCTURE, seen
    alike = rows_of(Filters(prototypes=(form.anonymous_prototype,)))
    near = _of_like_places(library.table, structure, composition, alike, TRIED * count)
    yield SAME_PROTOTYPE, near
    own = rows_of(Filters(formula=composition))
    yield SAME_FORMULA, own
    yield SAME_POSITIONS, alike
    rest = rows_of(Filters(anonymous=Formula.of(composition).ratio, space_groups=(form.space_group,)))
    yield SAME_RATIO, rest
    if not any(map(len, (seen, alike, own, rest))):
        yield SIMILAR_FORMULA, library.ordered(_of_similar_formula(library, composition))


def _of_like_places(
    table: LibraryTable, structure: Structure, composition: Mapping[str, int], rows: Rows, most: int
) -> Rows:
    """Of rows with the Wyckoff positions of a crystal those whose atoms have like neighbours, too; only the `most` of
    the nearest formulas are looked at."""
    ours = neighbour_distances(structure)
    counts = _counts_by_number(composition)
    order = np.argsort(formula_distances(table, rows, composition), kind="stable")[:most]
    kept = []
    for row in rows[order].tolist():
        known = KnownEntry(table, row)
        if _like_places(ours, counts, neighbour_distances(known.structure), _counts_by_number(known.composition)):
            kept.append(row)
    return np.array(kept, dtype=np.int64)


def _counts_by_number(composition: Mapping[str, int]) -> list[int]:
    """Atoms in a formula unit, by atomic number."""
    return [n for _, n in sorted((atomic_number(s), n) for s, n in Formula.of(composition))]


def _like_places(
    ours: NDArray[np.float64], own_counts: list[int], theirs: NDArray[np.float64], their_counts: list[int]
) -> bool:
    """Whether elements of two crystals can be paired so that both have the same amount and like neighbour distances
    (`crystal.prototype.CLOSE`)."""
    from scipy.optimize import linear_sum_assignment

    if len(ours) != len(theirs):
        return False
    apart = np.abs(ours[:, None] - theirs[None]).mean(-1)
    unlike = (apart > CLOSE) | (np.array(own_counts)[:, None] != np.array(their_counts))
    pairs = linear_sum_assignment(unlike)
    return not unlike[pairs].any()


def formula_distances(table: LibraryTable, rows: Rows, composition: Mapping[str, int]) -> NDArray[np.float64]:
    """The element mover's distances (n,) of a composition (symbol -> atoms) and those of n rows; nan where an element
    is not on the scale. As `chem.distance.profile_distances`, of arrays."""
    if not len(rows) or not on_scale(composition):
        return np.full(len(rows), np.nan)
    ours = cumulative_profiles([composition])[0]
    return np.asarray(np.abs(number_profiles(table.elements[rows], table.counts[rows]) - ours).sum(1))


def _of_similar_formula(library: Library, composition: Mapping[str, int]) -> Rows:
    """The rows of smallest distance to a composition. The result is exact: the distance is the area between two
    cumulative distributions, so that in each of BINS parts of the scale it is at least the difference of their areas.
    """
    every = library.entries().rows
    if not on_scale(composition) or not len(every):
        return every[:0]
    profile = cumulative_profiles([composition])[0]
    ours = np.array([part.sum() for part in np.array_split(profile, BINS)], dtype=np.float32)
    bounds = np.abs(_coarse_profiles(library.table)[every] - ours).sum(1)
    first = every[np.argpartition(bounds, min(FIRST, len(every) - 1))[:FIRST]]
    away = formula_distances(library.table, first, composition)
    if np.isnan(away).all():
        return every[:0]
    rows = every[bounds <= np.nanmin(away) + ROUNDING]
    away = formula_distances(library.table, rows, composition)
    return rows[away <= np.nanmin(away) + ROUNDING]


@lru_cache(maxsize=2)
def _coarse_profiles(table: LibraryTable) -> NDArray[np.float32]:
    """(R, BINS): the sums of the cumulative distributions of the formulas over parts of the scale."""
    size = len(MODIFIED_PETTIFOR)
    steps = np.arange(size + 1)[:, None] <= np.arange(size - 1)  # of one element at each place of the scale
    parts = np.stack([part.sum(1) for part in np.array_split(steps, BINS, axis=1)], axis=1).astype(np.float32)
    shares = (table.counts / table.num_atoms[:, None]).astype(np.float32)
    out = np.zeros((len(table), BINS), dtype=np.float32)
    for k in range(shares.shape[1]):
        out += shares[:, k, None] * parts[PLACES[table.elements[:, k]]]
    return out
