"""All known crystals of a formula within an energy above the lowest one, each structure once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from nucleate.library.entries import KnownEntry
    from nucleate.library.library import Library

WITHIN = 0.1  # eV/atom above the lowest polymorph, where no other energy is given
STEP = 5e-4  # eV/atom; energies of known crystals are kept in steps of 0.001


@dataclass(frozen=True, eq=False)
class Polymorph:
    """A known crystal of a formula. height: eV/atom above the lowest known crystal of it, by the Materials Project.
    also: the ids of known crystals that are the same structure, with energies that are not lower."""

    entry: KnownEntry
    height: float
    also: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """A row of a table: what is known of the crystal, the height, and `also` as a text."""
        above = {"e_above_lowest": round(self.height, 6), "also": ", ".join(self.also)}
        return {**self.entry.to_dict(), **above, "attribution": self.entry.attribution}


@dataclass(frozen=True, eq=False)
class FormulaPolymorphs:
    """Of one formula, the lowest first. higher: how many known crystals lie above the limit. unknown: how many have no
    energy, and are not listed."""

    formula: str
    listed: tuple[Polymorph, ...]
    higher: int
    unknown: int


def polymorphs(library: Library, composition: Mapping[str, int], within: float = WITHIN) -> FormulaPolymorphs:
    """The known crystals of a formula up to `within` (eV/atom) above the lowest, the lowest first.

    Crystals of one space group that pymatgen's StructureMatcher calls the same, with its own tolerances, are listed
    once; the others are in `also`. Raises NucleateError where no crystal of the formula has an energy, and for an
    energy that is negative or no number.
    """
    from nucleate.chem.formula import formula_text

    if not within >= 0 or math.isinf(within):
        raise NucleateError(f"polymorphs lie so many eV/atom above the lowest: a number from 0, not {within:g}")
    formula = formula_text(composition)
    entries = list(library.of_formula(composition))
    heights = {e.id: e.e_above_hull for e in entries if e.e_above_hull is not None}
    if not heights:
        hidden = f" without {library.hidden_text}" if library.hidden_text else ""
        what = "with an energy " if entries else ""
        raise NucleateError(
            f"no crystal of {formula} {what}is known{hidden}, so there are no polymorphs to list; "
            f"nucleate predict {formula} says which structures it may have"
        )
    lowest = min(heights.values())
    low = [e for e in entries if e.id in heights and heights[e.id] - lowest <= within + STEP]
    low.sort(key=lambda e: (heights[e.id], e.experimental is not True))
    found = tuple(
        Polymorph(own[0], heights[own[0].id] - lowest, tuple(e.id for e in own[1:])) for own in _same_structures(low)
    )
    return FormulaPolymorphs(formula, found, len(heights) - len(low), len(entries) - len(heights))


def _same_structures(entries: Sequence[KnownEntry]) -> list[list[KnownEntry]]:
    """Groups of crystals that are the same structure, in the order of their first ones."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    # The cells are primitive already. The matcher's own search for smaller ones allows atoms to move by 0.25 angstrom,
    # and would take a tilted perovskite for an untilted one.
    matcher = StructureMatcher(primitive_cell=False)
    groups: list[list[KnownEntry]] = []
    structures = {e.id: e.structure for e in entries}
    for entry in entries:
        for group in groups:
            first = group[0]
            alike = (first.space_group, first.num_atoms) == (entry.space_group, entry.num_atoms)
            if alike and matcher.fit(structures[first.id], structures[entry.id]):
                group.append(entry)
                break
        else:
            groups.append([entry])
    return groups


def write_polymorphs(path: Path, found: Sequence[Polymorph]) -> None:
    """Write crystals with what is known of them: a table (.csv), records (.json), or as `io.write_structures` does."""
    import json

    from nucleate.files import replacing
    from nucleate.io.cells import write_csv
    from nucleate.io.results import Named
    from nucleate.io.write import json_default, write_structures

    rows = [one.to_dict() for one in found]
    ending = "" if path.is_dir() else path.suffix.lower()
    if ending == ".csv":
        write_csv(path, rows)
    elif ending == ".json":
        records = [{**row, "structure": one.entry.structure.as_dict()} for row, one in zip(rows, found, strict=True)]
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(records, indent=1, default=json_default) + "\n", encoding="utf-8")
    else:
        infos = [{k: v for k, v in row.items() if v is not None and v != ""} for row in rows]
        write_structures(
            path, [Named(o.entry.id, o.entry.structure, info) for o, info in zip(found, infos, strict=True)]
        )
