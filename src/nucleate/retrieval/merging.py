"""Retrieved structure types as answers: each crystal once, and more than one geometry of types that leave much free.

The patterns of known crystals are those within 0.01 angstrom, so a crystal and a slightly distorted one vote for two
structure types, though most would call the two answers the same. The more probable one takes the votes of the other.

Where the atoms of a structure type have many free coordinates, two crystals of it may differ as much as two structure
types do. Of 134 hidden crystals of such types that came first (for validation), 87 % had the geometry of the first
relative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from nucleate.crystal.same_crystal import ComparableCrystal, is_same_crystal, prepare_for_comparison

if TYPE_CHECKING:
    from nucleate.retrieval.retrieve import RetrievedPrototype

COMPARED = 24  # most probable structure types that are compared with each other
LEAST = 0.02  # probability of those that are compared with all; the comparison takes longer than all the votes
LOOSE = 18  # free coordinates from which on other geometries are answers, too
GEOMETRIES = 3  # of a structure type, at most
OTHER = 0.06  # share of each other geometry in the probability of its structure type
LEAST_OTHER = 0.005  # probability of another geometry that is an answer


class _Compared(NamedTuple):
    """An answer as it is compared. label: of its structure type within 0.1 angstrom; probable: whether it is compared
    with answers of other structure types."""

    crystal: ComparableCrystal
    label: str
    probable: bool


def distinct(prototypes: Sequence[RetrievedPrototype]) -> list[RetrievedPrototype]:
    """Answers, the most probable first, each crystal once (`crystal.same_crystal`, at equal volume).

    prototypes: of one composition, the most probable first. Of the first COMPARED those that are at least LEAST
    probable are compared, less probable ones only with those of the same structure type within 0.1 angstrom. What comes
    of them does not depend on how many are given.
    """
    first, others = list(prototypes[:COMPARED]), prototypes[COMPARED:]
    labels = [p.relatives[0].entry.prototype for p in first]
    kept: list[RetrievedPrototype] = []
    compared: list[_Compared | None] = []

    def place(prototype: RetrievedPrototype, label: str, probable: bool) -> int | None:
        """Where the crystal is among those that are kept; None if it is kept now."""
        own = None
        if probable or labels.count(label) > 1:
            own = _Compared(prepare_for_comparison(prototype.structure()), label, probable)
            for i, other in enumerate(compared):
                if other is None or not (other.label == label or (probable and other.probable)):
                    continue
                if is_same_crystal(other.crystal, own.crystal, None):
                    return i
        kept.append(prototype)
        compared.append(own)
        return None

    for prototype, label in zip(first, labels, strict=True):
        if (twin := place(prototype, label, prototype.probability >= LEAST)) is not None:
            kept[twin] = replace(kept[twin], probability=kept[twin].probability + prototype.probability)
    for i, prototype in enumerate(tuple(kept)):
        share = OTHER * prototype.probability
        if prototype.free < LOOSE or share < LEAST_OTHER:
            continue
        further = (prototype.relatives[k:] for k in range(1, len(prototype.relatives)))
        found = 0
        for relatives in further:
            other = replace(prototype, probability=share, relatives=relatives)
            if found < GEOMETRIES - 1 and place(other, relatives[0].entry.prototype, True) is None:
                found += 1
        kept[i] = replace(prototype, probability=prototype.probability - found * share)
    return sorted([*kept, *others], key=lambda p: -p.probability)
