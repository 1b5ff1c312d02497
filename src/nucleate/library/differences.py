"""What a crystal has other than a known one, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.composition import Formula
from nucleate.chem.elements import WRITING_ORDER

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from nucleate.crystal.canonical import CanonicalCrystal
    from nucleate.library.entries import KnownEntry


def differences(structure: Structure, form: CanonicalCrystal, known: KnownEntry, elements: str | None = None) -> str:
    """What a crystal has instead of what a known one has: "Sr for Ca; Pnma instead of Pm-3m; volume per atom +7 %".

    form: the canonical form of the crystal. Named are, where they differ, elements, formula, space group (within 0.1
    angstrom), atoms in the primitive cell, structure type, and always the volume per atom. elements: what to say of the
    elements; None to say which took the place of which.
    """
    from nucleate.crystal.symmetry import space_group_symbol
    from nucleate.library.matching import atoms_by_element

    ours, theirs = atoms_by_element(structure), known.composition
    said = [_elements(ours, theirs) if elements is None else elements]
    if form.anonymous_prototype != known.prototype:
        if form.space_group != known.space_group:
            said.append(f"{space_group_symbol(form.space_group)} instead of {known.space_group_symbol}")
        if form.num_atoms != known.num_atoms:
            said.append(f"{form.num_atoms} instead of {known.num_atoms} atoms in the primitive cell")
        elif form.space_group == known.space_group:
            said.append("other Wyckoff positions")
    lattice, _, numbers = known.table.primitive(known.row)
    change = structure.volume / len(structure) / (abs(float(np.linalg.det(lattice))) / len(numbers)) - 1
    said.append(f"volume per atom {round(100 * change, 1) + 0.0:+.1f} %")
    return "; ".join(filter(None, said))


def _elements(ours: Mapping[str, int], theirs: Mapping[str, int]) -> str:
    """Which elements took the place of which, "" if the formulas are the same.

    Elements of the same amounts are paired in the order of electronegativity. Where the amounts are not the same, the
    formulas are given.
    """
    if Formula.of(ours) == Formula.of(theirs):
        return ""
    new, old = ({s: n for s, n in Formula.of(c)} for c in (ours, theirs))
    kept = {s for s in new if old.get(s) == new[s]}
    pairs = [_by_amount({s: n for s, n in c.items() if s not in kept}) for c in (new, old)]
    if [n for _, n in pairs[0]] != [n for _, n in pairs[1]]:
        return f"{Formula.of(ours).text} instead of {Formula.of(theirs).text}"
    return ", ".join(f"{a} for {b}" for (a, _), (b, _) in zip(*pairs, strict=True))


def _by_amount(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (item[1], WRITING_ORDER[item[0]]))
