"""What a candidate was asked for, and where its composition and structure come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nucleate.pipeline.typed import Fact

if TYPE_CHECKING:
    from nucleate.generators.base import Condition


@dataclass(frozen=True)
class Wanted:
    """What a candidate was asked for.

    condition: for its generator. label: the formula or chemical system as the user gave it. rank: which of several
    answers to the same label it is, from 1; 2 may mean the second best template.
    """

    condition: Condition | None = None
    label: str = ""
    rank: int = 1


@dataclass(frozen=True)
class TemplateMatch(Fact):
    """The known crystal (template) whose structure was taken over with other elements.

    id, formula, space_group (its number, 0 if not known): of the template. substitution: its elements -> the elements
    that replace them. distance: element mover's distance of the formulas, in steps on the modified Pettifor scale.
    similarity: of the structures, 0 to 1, as a network predicts from the formulas. volume: ratio of the new cell's to
    the template's. far: why such a prediction is rarely right (`generators.reach`), "" if it may be. note: any other
    remark.
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

    name: of the family. structure_type: index of its structure type in the family. elements, charges: for each site,
    charges in elementary charges. nearest: id of the most similar known member. distance: from it, in steps on the
    modified Pettifor scale. score: the distance plus terms for oxidation states and likelihood, lower is better.
    likelihood: logarithm of the probability of the composition, by a model of formulas.
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
    """The language model that chose the elements.

    url, model: of the server that was asked. tokens: this candidate's share of those in the answer. read: names of the
    texts that the model was given. not_read: why there were no texts.
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

    row: in a file of several crystals. id: in the file, if the candidate needed another one. properties: scalars that
    the file gives for the crystal.
    """

    file: str = ""
    row: int | None = None
    id: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SetMember(Fact):
    """A crystal of a set that is evaluated. set: name of the set. name: of the crystal in it. content: its digest."""

    set: str
    name: str
    content: str


@dataclass(frozen=True)
class Origin(Fact):
    """Where a candidate comes from. Sources that had no part in it are None or "".

    generator: name of the generator that made the structure. The others: what composition or structure were taken from.
    """

    generator: str = ""
    template: TemplateMatch | None = None
    family: FamilyMember | None = None
    language: LanguageModelUse | None = None
    file: FileEntry | None = None
    member: SetMember | None = None
    substitution: Substitution | None = None
