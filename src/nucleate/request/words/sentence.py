"""The terms of a request, with marks for those that were understood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

END = frozenset(".!?;:")  # marks that end a phrase


@dataclass(frozen=True)
class Term:
    """A word or phrase with its meaning.

    kind, value: as in `lexicon`. start, end: its position in the text. glued: whether it follows the term before
    without a space. hyphen: whether only a hyphen is between them.
    """

    kind: str
    value: Any
    text: str
    start: int
    end: int
    glued: bool = False
    hyphen: bool = False

    @property
    def lower(self) -> str:
        """The text in lower case."""
        return self.text.lower()


@dataclass
class Sentence:
    """The terms of a request. used: for each term, whether a reader has understood it. notes: how unusual words were
    understood."""

    text: str
    terms: list[Term]
    used: list[bool] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.used = self.used or [False] * len(self.terms)

    def kind(self, i: int) -> str:
        """The kind of term i; "" beyond the ends, and for a term that a reader has already taken."""
        return self.terms[i].kind if 0 <= i < len(self.terms) and not self.used[i] else ""

    def take(self, first: int, last: int) -> None:
        """Mark the terms from first to last as understood."""
        for i in range(first, last + 1):
            self.used[i] = True

    def skip(self, i: int, kinds: Sequence[str], most: int = 8, step: int = 1) -> int:
        """The index of the next term, from i on, that is none of the kinds; at most `most` terms are skipped."""
        for _ in range(most):
            if self.kind(i) not in kinds:
                break
            i += step
        return i

    def quote(self, first: int, last: int) -> str:
        """The text from one term to another, at most 60 characters, for messages."""
        said = " ".join(self.text[self.terms[first].start : self.terms[last].end].split())
        return said if len(said) <= 60 else f"{said[:57]}..."

    def around(self, i: int, after: int = 4) -> str:
        """The text from term i to the end of the phrase, with at most `after` more terms, for messages."""
        last = i
        while last + 1 < len(self.terms) and last < i + after and self.terms[last + 1].text not in END:
            last += 1
        return self.quote(i, last).rstrip(" ,")
