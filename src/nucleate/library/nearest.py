"""The known crystals that are nearest to a given one, and in what they are like it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.composition import Formula
from nucleate.chem.distance import cumulative_profiles, on_scale, profile_distances
from nucleate.library.entries import KnownEntry
from nucleate.library.filters import Filters
from nucleate.library.hiding import matching_rows

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from nucleate.library.library import Library

SAME_STRUCTURE = "same structure"
SAME_PROTOTYPE = "same structure type"
SAME_FORMULA = "same formula"
SAME_RATIO = "same ratio and space group"


@dataclass(frozen=True)
class KnownRelative:
    """A known crystal and what it has in common with a given one.

    relation: SAME_STRUCTURE (formula and structure), SAME_PROTOTYPE, SAME_FORMULA (in another structure) or SAME_RATIO.
    distance: element mover's distance of the formulas, steps on the modified Pettifor scale; nan for elements beyond
    lawrencium.
    """

    entry: KnownEntry
    relation: str
    distance: float


def nearest(library: Library, structure: Structure, count: int = 10) -> list[KnownRelative]:
    """The known crystals nearest to an ordered crystal: those of its formula and structure, then those of its structure
    type by the distance of the formulas, then others of its formula, then those of its ratio and space group.

    Raises NucleateError for what is no ordered crystal.
    """
    from nucleate.crystal.canonical import canonical_crystal

    form = canonical_crystal(structure)
    composition = {e.symbol: round(n) for e, n in structure.composition.items()}
    ratio = Formula.of(composition).ratio
    table = library.table
    same = set(matching_rows(table, structure))
    found: dict[int, KnownRelative] = {}
    for relation, filters in (
        (SAME_STRUCTURE, Filters(formula=composition)),
        (SAME_PROTOTYPE, Filters(prototypes=(form.anonymous_prototype,))),
        (SAME_FORMULA, Filters(formula=composition)),
        (SAME_RATIO, Filters(anonymous=ratio, space_groups=(form.space_group,))),
    ):
        rows = library.ordered(filters.rows(table, library.visible))
        if relation == SAME_STRUCTURE:
            rows = rows[np.isin(rows, list(same))]
        entries = [KnownEntry(table, row) for row in rows.tolist() if row not in found]
        distances = _distances(composition, entries)
        for i in np.argsort(distances, kind="stable").tolist():
            found[entries[i].row] = KnownRelative(entries[i], relation, float(distances[i]))
        if len(found) >= count:
            break
    return list(found.values())[:count]


def _distances(composition: dict[str, int], entries: list[KnownEntry]) -> np.ndarray:
    if not entries or not on_scale(composition):
        return np.full(len(entries), np.nan)
    ours = cumulative_profiles([composition])
    return profile_distances(ours, cumulative_profiles([e.composition for e in entries]))[0]
