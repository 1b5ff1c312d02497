"""Crystals of a family: its prototype with other elements, in a cell sized by the most similar known member."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nucleate.errors import NucleateError
from nucleate.families.family import lexicon
from nucleate.families.members import known_members, substituted_prototype
from nucleate.families.propose import ion_radius
from nucleate.generators.substitute import with_volume_scaled
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from nucleate.library.library import Library


def decorated_prototype(
    family: str,
    structure_type: int,
    elements: Sequence[str],
    charges: Sequence[float] = (),
    library: Library | None = None,
) -> Structure:
    """The prototype of a structure type with `elements` on its sites; an element may be on several of them.

    structure_type: its index in the family. charges: for each site, as in `propose.Proposal`. library: the known
    crystals, None for all; raises NucleateError if all members of the type are hidden in it. The volume per atom is
    that of the most similar known member of the type, times the cube of the ratio of the mean radii. The most similar
    member is the one with most elements in common, and of these the one with the most similar mean radius.
    """
    weights = [n for _, n in lexicon()[family].sites]

    def length(of: Sequence[str]) -> float:
        """Mean radius over the atoms, angstrom."""
        sizes = [ion_radius(e, tuple(charges[k : k + 1])) for k, e in enumerate(of)]
        return sum(n * r for n, r in zip(weights, sizes, strict=True)) / sum(weights)

    own = length(elements)
    alike = [m for m in known_members(family, library) if m.structure_type == structure_type]
    structure = substituted_prototype(family, structure_type, elements, library)
    nearest = min(alike, key=lambda m: (sum(a != b for a, b in zip(m.elements, elements, strict=True)),
                                        abs(length(m.elements) - own)))  # fmt: skip
    volume = nearest.volume * (own / length(nearest.elements)) ** 3
    return with_volume_scaled(structure, volume * len(structure) / structure.volume)


class DecorateStage(Stage):
    """Gives structures to candidates whose `origin.family` says which member of a family they are. library: the known
    crystals, None for all."""

    name = "decorate"
    grain: Grain = "chunk"
    cost: Cost = "slow"
    resource: Resource = "cpu"

    def __init__(self, library: Library | None = None) -> None:
        self.library = library

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        for c in candidates:
            member = c.origin.family
            if member is None:
                raise NucleateError(f"candidate {c.id} does not say which member of a crystal family it is")
            structure = decorated_prototype(
                member.name, member.structure_type, member.elements, member.charges, self.library
            )
            yield c.with_(structure=structure).with_origin(generator="prototypes")
