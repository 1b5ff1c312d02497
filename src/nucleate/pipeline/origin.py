"""What a candidate is made for, and where its composition and structure come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nucleate.pipeline.typed import Fact

if TYPE_CHECKING:
    from nucleate.generators.base import Condition


@dataclass(frozen=True)
class Wanted:
    """What a candidate is made for.

    condition: what its generator is asked for. label: the formula or chemical system that it is one answer to, as the
    user gave it. rank: which of several answers it is to be, from 1, for instance the second best template.
    """

    condition: Condition | None = None
    label: str = ""
    rank: int = 1


@dataclass(frozen=True)
class TemplateMatch(Fact):
    """The known crystal whose structure was taken over, with other elements.

    id, formula, space_group (number, 0 unknown): of the known crystal. substitution: its elements -> those that
    take their places. distance: element mover's distance of the formulas, in steps on the modified Pettifor scale.
    similarity: of the structures as a network judges by the formulas, 0 to 1. volume: of the new cell over the
    template's. far: why such a prediction is hardly ever right (`generators.reach`), "" where it may well be. note:
    what else is to be said.
    """

    id: str
    formula: str
    substitution: Mapping[str, str]
    space_group: int = 0
    distance: float | None = None
    similarity: float | None = None
    volume: float | None = None
    far: str = ""
    note: str = ""


@dataclass(frozen=True)
class FamilyMember(Fact):
    """A member of a crystal family (`families.family`).

    name: of the family. structure_type: index of its structure type there. elements: site by site. charges: of the
    ions on the sites, in elementary charges. nearest: id of the known member that is most alike, and distance: how far
    away it is, in steps on the modified Pettifor scale. score: the distance with what oxidation states and likelihood
    add to it, lower is better. likelihood: of the composition, by a model of formulas (log).
    """

    name: str
    structure_type: int
    elements: tuple[str, ...]
    charges: tuple[float, ...]
    nearest: str = ""
    distance: float | None = None
    score: float | None = None
    likelihood: float | None = None


@dataclass(frozen=True)
class LanguageModelUse(Fact):
    """The language model that named the elements.

    url, model: who was asked. tokens: of the answer, this candidate's share. read: sources that it was given to read.
    not_read: why there were none.
    """

    url: str = ""
    model: str = ""
    tokens: int = 0
    read: tuple[str, ...] = ()
    not_read: str = ""


@dataclass(frozen=True)
class Substitution(Fact):
    """Elements of a crystal that were replaced by others.

    swaps: what took whose place, in words ("Sr for Ca"). log10_likelihood: log10 of the probability of the new ions in
    place of the old ones (Hautier et al., Inorg. Chem. 50, 656 (2011)), None where it is not known. volume_ratio: of
    the new cell over the given one. parent: the name of the given crystal.
    """

    swaps: str
    log10_likelihood: float | None = None
    volume_ratio: float | None = None
    parent: str = ""


@dataclass(frozen=True)
class FileEntry(Fact):
    """The file that a crystal was read from.

    row: in the file, where it has several. id: as the file has it, where the candidate needed another. properties:
    scalars that the file gives the crystal.
    """

    file: str = ""
    row: int | None = None
    id: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SetMember(Fact):
    """A crystal of a set that is being evaluated: the name of the set, its own name there, and a digest of it."""

    set: str
    name: str
    content: str


@dataclass(frozen=True)
class Origin(Fact):
    """Where a candidate comes from; None and "" for what had no part in it.

    generator: name of what made the structure. The others: where composition or structure were taken from.
    """

    generator: str = ""
    template: TemplateMatch | None = None
    family: FamilyMember | None = None
    language: LanguageModelUse | None = None
    file: FileEntry | None = None
    member: SetMember | None = None
    substitution: Substitution | None = None
